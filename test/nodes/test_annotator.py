# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The annotator as a process, asked and clicked at over real DDS."""

from __future__ import annotations

import io
import os
import shutil
import signal
from dataclasses import dataclass

import numpy as np
import pytest
import yaml
from action_msgs.msg import GoalStatus
from geometry_msgs.msg import Point, PointStamped
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from PIL import Image as Picture
from r2rgen_interfaces.action import Annotate
from r2rgen_interfaces.msg import ErrorCode, Prompt, Skill
from r2rgen_interfaces.srv import LoadDemo, MarkSkill
from rcl_interfaces.msg import Parameter, ParameterValue
from rcl_interfaces.srv import SetParameters
from sensor_msgs.msg import Image, PointCloud2
from std_srvs.srv import Trigger
from tf2_msgs.msg import TFMessage
from visualization_msgs.msg import Marker, MarkerArray

from r2rgen_ros.bags.clouds import decode_cloud, decode_field
from r2rgen_ros.cli.main import main as r2rgen
from r2rgen_ros.geometry import se3
from r2rgen_ros.model.annotation_file import read_annotation
from r2rgen_ros.nodes.annotator import PARAMETERS
from r2rgen_ros.nodes.base import AUTOSTART, latched

# Middles of the virtual robot's bottle and plate, base frame, and places on them in the image.
BOTTLE, PLATE = (0.5602, -0.1083, 0.0967), (0.3787, 0.1693, 0.0058)
RED, DISH = (0.4, -0.15, 0.05), (0.5, 0.15, 0.02)


@dataclass
class Annotator:
    """The node in its process, and a client to talk to it."""

    client: object
    process: object

    def load(self, demo=''):
        return self.client.call(LoadDemo, '/annotator/load', LoadDemo.Request(demo=str(demo)))

    def trigger(self, name):
        return self.client.call(Trigger, f'/annotator/{name}')

    def mark(self, operation, **skill):
        request = MarkSkill.Request(operation=operation, skill=Skill(**skill))
        return self.client.call(MarkSkill, '/annotator/mark_skill', request)

    def begin(self, feedback=None, **goal):
        return self.client.send_goal(
            Annotate, '/annotator/annotate', Annotate.Goal(**goal), feedback
        )

    def annotate(self, feedback=None, **goal):
        return self.client.result(self.begin(feedback, **goal))

    def publisher(self, kind, topic):
        out = self.client.node.create_publisher(kind, topic, 10)
        self.client.until(lambda: out.get_subscription_count() > 0)
        return out

    def click(self, frame_id, place, topic='/clicked_point'):
        message = PointStamped()
        message.header.frame_id = frame_id
        message.point.x, message.point.y, message.point.z = map(float, place)
        self.publisher(PointStamped, topic).publish(message)

    def logs(self, text):
        self.client.until(lambda: text in self.process.text)


@pytest.fixture
def annotator(start, client, tmp_path):
    """Start an annotator."""

    def start_annotator(*, active=True, **parameters):
        values = {'autostart': active, 'demos_folder': tmp_path / 'demos', **parameters}
        process = start('annotator', **values)
        if active:
            client.wait_active('/annotator')
        return Annotator(client, process)

    return start_annotator


@pytest.fixture
def table(tabletop, tmp_path):
    """A block put onto a plate, seen by a camera that records clouds; annotated."""
    return tabletop.record(tmp_path / 'demos' / 'table', camera=True)


@pytest.fixture
def bottle(virtual_demo, tmp_path):
    """The virtual robot's demonstration, not annotated."""
    return shutil.copytree(virtual_demo, tmp_path / 'demos' / 'bottle')


def _prompt(name, kind, *values):
    return Prompt(name=name, kind=kind, values=[float(value) for value in values])


def _pixel(tabletop, place):
    at = se3.apply(se3.inverse(tabletop.camera2base()), np.array([place]))
    return tabletop.CAMERA.project(at)[0, :2].tolist()


def _written(demo):
    return (demo / 'annotation.yaml').read_bytes()


def _names(message):
    return [marker.text for marker in message.markers if marker.ns == 'names']


def test_the_newest_demo_is_shown_to_whoever_comes_late(
    annotator, client, table, tabletop, tmp_path, repository
):
    old = tabletop.record(tmp_path / 'demos' / 'older')
    os.utime(old / 'metadata.yaml', (1, 1))
    node = annotator()

    loaded = node.load()
    assert (loaded.error_code, loaded.error_msg) == (ErrorCode.NONE, '')
    assert loaded.demo == str(table)
    assert loaded.frames > 30
    assert loaded.duration_s == pytest.approx(0.1 * (loaded.frames - 1))
    node.annotate()

    clouds = client.listen(PointCloud2, '/annotator/labelled_points', latched())
    drawn = client.listen(MarkerArray, '/annotator/markers', latched())
    pictures = client.listen(Image, '/annotator/overlay', latched())
    transforms = client.listen(TFMessage, '/tf_static', latched())
    client.until(lambda: clouds and drawn and pictures and transforms)

    assert [field.name for field in clouds[0].fields] == ['x', 'y', 'z', 'rgb', 'label']
    assert clouds[0].header.frame_id == tabletop.BASE
    assert clouds[0].header.stamp.sec == tabletop.START // 10**9
    points, labels = decode_cloud(clouds[0])[0].points, decode_field(clouds[0], 'label')[0]
    assert set(labels) == {0, 1, 2, 3}
    assert np.abs(points[labels == 2].mean(axis=0) - RED).max() < 0.02
    assert np.abs(points[labels == 3][:, :2].mean(axis=0) - DISH[:2]).max() < 0.02
    markers = drawn[0].markers
    assert markers[0].action == Marker.DELETEALL
    assert {m.ns for m in markers[1:]} >= {'objects', 'names', 'support', 'end_effector', 'skills'}
    assert {m.header.frame_id for m in markers} == {tabletop.BASE}
    assert _names(drawn[0]) == ['red', 'plate']
    assert [m.text for m in markers if m.ns == 'skills'] == ['pick red', 'place red']
    path = next(m for m in markers if m.ns == 'end_effector')
    assert len(path.points) == len(path.colors) == loaded.frames
    assert len({(c.r, c.g, c.b) for c in path.colors}) == 3
    assert (pictures[0].encoding, pictures[0].width, pictures[0].height) == ('rgb8', 640, 480)
    found = {(t.header.frame_id, t.child_frame_id) for m in transforms for t in m.transforms}
    assert found == {(tabletop.BASE, 'r2rgen/annotator')}
    _assert_rviz_shows(repository / 'rviz' / 'annotator.rviz', client)


def _assert_rviz_shows(file, client):
    """Nothing but topics of the node, and the frame that it publishes."""
    manager = yaml.safe_load(file.read_text())['Visualization Manager']
    published = dict(client.node.get_publisher_names_and_types_by_node('annotator', '/'))
    heard = dict(client.node.get_subscriber_names_and_types_by_node('annotator', '/'))
    shown = {item['Topic']['Value'] for item in manager['Displays'] if 'Topic' in item}
    clicked = {item['Topic']['Value'] for item in manager['Tools'] if 'Topic' in item}
    assert len(shown) == 3
    assert shown <= published.keys()
    assert clicked == {'/clicked_point'}
    assert clicked <= heard.keys()
    default = {item.name: item.default for item in PARAMETERS}
    assert manager['Global Options']['Fixed Frame'] == default['display_frame']


def test_prompts_give_the_files_that_the_command_line_writes(annotator, bottle, tmp_path):
    twin = shutil.copytree(bottle, tmp_path / 'twin' / 'bottle')
    place = ','.join(map(str, BOTTLE))
    words = ['--auto', '--point', f'bottle={place}', '--pixel', 'plate=395,320']
    depth = '/camera/aligned_depth_to_color/image_raw'
    words += ['--topic', f'depth={depth}', '--base-frame', 'panda_link0']
    assert r2rgen(['annotate', str(twin), *words]) == 0
    node = annotator(topics=f"['depth={depth}']", base_frame='panda_link0')
    prompts = [_prompt('bottle', Prompt.POINT, *BOTTLE), _prompt('plate', Prompt.PIXEL, 395, 320)]
    feedback = []

    ended = node.annotate(feedback, demo=str(bottle), prompts=prompts, propose=True, save=True)

    result = ended.result
    assert (ended.status, result.error_msg) == (GoalStatus.STATUS_SUCCEEDED, '')
    assert result.annotation == str(bottle / 'annotation.yaml')
    assert _written(bottle) == _written(twin)
    assert (bottle / 'annotation.png').read_bytes() == (twin / 'annotation.png').read_bytes()
    said = read_annotation(twin / 'annotation.yaml')
    assert [item.name for item in result.objects] == ['bottle', 'plate']
    assert [item.label for item in result.objects] == [2, 3]
    assert [skill.name for skill in result.skills] == [skill.name for skill in said.skills]
    grasp = said.objects[0].grasps[0]
    held = result.objects[0]
    assert (held.grasp_first[0], held.grasp_last[0]) == (grasp.first, grasp.last)
    assert np.hypot(held.pose.position.x - BOTTLE[0], held.pose.position.y - BOTTLE[1]) < 0.02
    assert Picture.open(io.BytesIO(bytes(result.overlay.data))).size == (640, 480)
    assert {each.total for each in feedback} <= {0, said.frames}  # unknown while it is loading
    assert feedback[-1].done == said.frames


def test_boxes_and_what_stands_there_give_the_same_too(annotator, table, tabletop, tmp_path):
    (table / 'annotation.yaml').unlink()
    twin = shutil.copytree(table, tmp_path / 'twin' / 'table')
    node = annotator(demo='newest')
    u, v = _pixel(tabletop, RED)
    box = (u - 20, v - 35, u + 20, v + 35)

    assert r2rgen(['annotate', str(twin), '--auto']) == 0
    saved = node.trigger('save')
    assert (saved.success, saved.message) == (True, str(table / 'annotation.yaml'))
    assert _written(table) == _written(twin)

    words = ['--auto', '--again', '--box', 'red=' + ','.join(map(str, box))]
    assert r2rgen(['annotate', str(twin), *words]) == 0
    before = _written(table)
    prompts = [_prompt('red', Prompt.BOX, *box)]
    assert node.annotate(prompts=prompts, propose=True, save=True).result.error_code == 0
    assert _written(table) == _written(twin)
    assert (table / 'annotation.1.yaml').read_bytes() == before
    assert node.trigger('save').success
    assert not (table / 'annotation.2.yaml').exists()


def test_clicks_become_objects(annotator, client, table, tabletop):
    old = _written(table)
    node = annotator(object_names="['cup']")
    node.load()
    drawn = client.listen(MarkerArray, '/annotator/markers', latched())
    client.until(lambda: drawn and _names(drawn[-1]) == ['red', 'plate'])

    node.click('r2rgen/annotator', RED)
    client.until(lambda: _names(drawn[-1]) == ['cup'])
    u, v = _pixel(tabletop, DISH)
    node.publisher(Point, '/annotator/overlay_mouse_left').publish(Point(x=u, y=v))
    client.until(lambda: _names(drawn[-1]) == ['cup', 'object_1'])
    assert _written(table) == old
    assert node.trigger('save').success

    said = read_annotation(table / 'annotation.yaml')
    assert [note.name for note in said.objects] == ['cup', 'object_1']
    assert said.objects[0].prompt.point == pytest.approx(RED)
    assert said.objects[1].prompt.pixel == pytest.approx((u, v), abs=1e-5)
    assert [skill.name for skill in said.skills] == ['pick cup', 'place cup at object_1']
    assert (table / 'annotation.1.yaml').read_bytes() == old

    undone = node.trigger('undo')
    assert (undone.success, undone.message) == (True, '"object_1" is taken back')
    client.until(lambda: _names(drawn[-1]) == ['cup'])
    node.click('', (u, v, 0.0), '/annotator/overlay/mouse_click')
    client.until(lambda: _names(drawn[-1]) == ['cup', 'object_1'])
    assert node.trigger('discard').success
    client.until(lambda: _names(drawn[-1]) == ['cup', 'object_1'])
    assert not node.trigger('undo').success


def test_a_click_that_cannot_be_used_is_left_out_and_named(annotator, client, table, tabletop):
    node = annotator()
    node.click(tabletop.BASE, RED)
    node.logs('no demonstration is loaded')
    node.load()
    drawn = client.listen(MarkerArray, '/annotator/markers', latched())

    node.click('odom', RED)
    node.logs('"odom"')
    line = next(line for line in node.process.text.splitlines() if '"odom"' in line)
    assert f'"{tabletop.BASE}"' in line
    node.click(tabletop.BASE, (0.1, 0.45, 0.0))
    node.logs('nothing is near the click')
    node.click(tabletop.BASE, (float('nan'), 0.0, 0.0))
    node.logs('NaN')
    node.click('', (4000.0, 10.0, 0.0), '/annotator/overlay/mouse_click')
    node.logs('the column of a click is 4000')

    there = se3.apply(se3.inverse(tabletop.camera2base()), np.array([RED]))[0]
    node.click(tabletop.OPTICAL, there)
    client.until(lambda: drawn and _names(drawn[-1]) == ['object_1'])
    node.click(tabletop.BASE, (RED[0], RED[1], RED[2] + 0.02))
    node.logs('the click for "object_2" is on "object_1"')

    objects = node.annotate(propose=True).result.objects
    assert [item.name for item in objects] == ['object_1']
    place = objects[0].pose.position
    assert np.abs(np.array([place.x, place.y, place.z]) - RED).max() < 0.02


def test_skills_are_marked(annotator, table):
    node = annotator(demo=table)
    first = read_annotation(table / 'annotation.yaml').skills[0]
    put, take = MarkSkill.Request.SET, MarkSkill.Request.REMOVE

    moved = node.mark(put, name=first.name, first=9, last=first.last, targets=['red'])
    assert (moved.error_code, moved.error_msg) == (ErrorCode.NONE, '')
    assert (moved.skills[0].name, moved.skills[0].first) == (first.name, 9)
    for wrong, expected in (
        ({'name': 'late', 'first': 36, 'last': 4000, 'targets': ['red']}, 'ends at frame 4000'),
        ({'name': 'back', 'first': 3, 'last': 1, 'targets': ['red']}, 'first <= last'),
        ({'name': 'who', 'first': 0, 'last': 2, 'targets': ['mug']}, "unknown objects ['mug']"),
        ({'name': 'twice', 'first': 0, 'last': 12, 'targets': ['red']}, 'share frames'),
        ({'name': 'left', 'first': 0, 'last': 2, 'arm': 'left'}, "expected one of ['arm']"),
        ({'name': '', 'first': 0, 'last': 2}, 'no name'),
    ):
        refused = node.mark(put, **wrong)
        assert refused.error_code == ErrorCode.BAD_REQUEST
        assert expected in refused.error_msg
        assert len(refused.skills) == 2
    assert node.mark(take, name='none').error_code == ErrorCode.BAD_REQUEST
    assert node.mark(7, name=first.name).error_code == ErrorCode.BAD_REQUEST

    assert [skill.name for skill in node.mark(take, name=first.name).skills] == ['place red']
    assert node.trigger('undo').success
    assert node.trigger('save').success
    saved = read_annotation(table / 'annotation.yaml').skills
    assert [(skill.name, skill.first) for skill in saved] == [('pick red', 9), ('place red', 24)]
    # A new proposal keeps what was marked, where it still fits.
    assert node.mark(take, name='place red').error_code == ErrorCode.NONE
    notes = node.annotate(propose=True).result.notes
    assert any('"place red" does not fit' in note for note in notes)


def test_one_thing_at_a_time_and_it_can_be_cancelled(annotator, client, bottle):
    node = annotator(propose_on_load=False)
    node.load()
    prompts = [_prompt('', Prompt.POINT, *BOTTLE), _prompt('', Prompt.POINT, *PLATE)]

    handle = node.begin(prompts=prompts, propose=True, save=True)
    second = node.annotate(propose=True)
    assert (second.status, second.result.error_code) == (
        GoalStatus.STATUS_ABORTED,
        ErrorCode.BUSY,
    )
    assert 'annotating is under way' in second.result.error_msg
    assert 'annotating is under way' in node.trigger('save').message
    assert node.load(bottle).error_code == ErrorCode.BUSY
    assert client.cancel(handle).goals_canceling
    ended = client.result(handle)
    assert ended.status == GoalStatus.STATUS_CANCELED
    assert ended.result.error_code == ErrorCode.CANCELLED
    assert not (bottle / 'annotation.yaml').exists()
    # What was said before counts again: nothing.
    assert not node.trigger('undo').success
    refused = node.annotate()
    assert refused.result.error_code == ErrorCode.BAD_REQUEST
    assert 'nothing is annotated yet' in refused.result.error_msg

    handle = node.begin(prompts=prompts, propose=True, save=True)
    assert node.trigger('discard').success
    ended = client.result(handle)
    assert ended.status == GoalStatus.STATUS_ABORTED
    assert ended.result.error_code == ErrorCode.CANCELLED
    assert not (bottle / 'annotation.yaml').exists()

    assert node.trigger('propose').success
    assert node.trigger('save').success
    objects = read_annotation(bottle / 'annotation.yaml').objects
    assert [note.name for note in objects] == ['object_1', 'object_2']


def test_requests_that_cannot_be_met_are_answered(annotator, tabletop, table_demo, tmp_path):
    node = annotator()
    for call in (node.load, lambda: node.load('nowhere'), lambda: node.load(tmp_path)):
        refused = call()
        assert refused.error_code == ErrorCode.BAD_INPUT
        assert refused.error_msg
    assert 'record one first' in node.load().error_msg
    for name in ('propose', 'save', 'undo'):
        assert 'no demonstration is loaded' in node.trigger(name).message
    assert node.mark(MarkSkill.Request.SET, name='x').error_code == ErrorCode.BAD_REQUEST
    assert node.annotate(propose=True).result.error_code == ErrorCode.BAD_REQUEST

    # Recorded just now; a bag that is still being written has no metadata.yaml.
    demo = tabletop.record(tmp_path / 'demos' / 'just_now')
    unfinished = tabletop.record(tmp_path / 'demos' / 'unfinished')
    (unfinished / 'metadata.yaml').unlink()
    assert node.load().demo == str(demo)
    cut = shutil.copytree(demo, tmp_path / 'cut')
    file = next(cut.glob('*.mcap'))
    os.truncate(file, 200)
    refused = node.load(cut)
    assert refused.error_code == ErrorCode.BAD_INPUT
    assert str(cut) in refused.error_msg
    assert node.load('just_now').demo == str(demo)
    for kind, values, expected in (
        (Prompt.POINT, (0.1, 0.2), '3 for a point'),
        (Prompt.PIXEL, (1.0, 2.0), 'no camera_info'),
        (9, (1.0,), 'kind 9'),
        (Prompt.POINT, (float('nan'), 0, 0), 'NaN'),
        (Prompt.POINT, (-3, 0, 0), 'nothing is near the click for "object_1"'),
    ):
        ended = node.annotate(prompts=[_prompt('', kind, *values)], propose=True)
        assert ended.status == GoalStatus.STATUS_ABORTED
        assert ended.result.error_code == ErrorCode.BAD_REQUEST
        assert expected in ended.result.error_msg
    late = Prompt(kind=Prompt.POINT, frame=4000, values=[float(value) for value in RED])
    assert 'frame' in node.annotate(prompts=[late], propose=True).result.error_msg
    wrong = node.annotate(prompts=[_prompt('', Prompt.POINT, *RED)])
    assert 'set propose' in wrong.result.error_msg
    assert _written(demo) == _written(table_demo)
    (demo / 'annotation.yaml').write_text('format: none\n')
    assert node.annotate().result.error_code == ErrorCode.BAD_INPUT


def test_it_works_while_it_is_active_and_answers_otherwise(annotator, client, table):
    node = annotator(active=False)

    def change(transition):
        request = ChangeState.Request(transition=Transition(id=transition))
        return client.call(ChangeState, '/annotator/change_state', request).success

    def refuses():
        assert node.load().error_code == ErrorCode.NOT_ACTIVE
        assert node.annotate().result.error_code == ErrorCode.NOT_ACTIVE
        assert 'not active' in node.trigger('save').message
        node.click('base_link', RED)
        node.logs('a click is left out: the node is not active')

    refuses()
    assert change(Transition.TRANSITION_CONFIGURE)
    refuses()
    for _ in range(2):
        assert change(Transition.TRANSITION_ACTIVATE)
        assert node.load().error_code == ErrorCode.NONE
        assert node.annotate().result.error_code == ErrorCode.NONE
        assert change(Transition.TRANSITION_DEACTIVATE)
        refuses()
    assert change(Transition.TRANSITION_CLEANUP)
    assert node.process.stop() == 0


def test_another_frame_is_shown_when_it_is_set(annotator, client, table, tabletop):
    annotator(demo=table)
    clouds = client.listen(PointCloud2, '/annotator/labelled_points', latched())

    def choose(frame):
        value = ParameterValue(type=2, integer_value=frame)
        request = SetParameters.Request(parameters=[Parameter(name='frame', value=value)])
        return client.call(SetParameters, '/annotator/set_parameters', request).results[0]

    assert choose(7).successful
    stamp = tabletop.START + 7 * tabletop.PERIOD
    client.until(lambda: clouds and clouds[-1].header.stamp.nanosec == stamp % 10**9)
    refused = choose(4000)
    assert not refused.successful
    assert 'expected 0 to' in refused.reason


def test_work_under_way_is_answered_when_the_node_is_deactivated(annotator, client, bottle):
    node = annotator(propose_on_load=False)
    node.load()
    handle = node.begin(propose=True, save=True)

    request = ChangeState.Request(transition=Transition(id=Transition.TRANSITION_DEACTIVATE))
    assert client.call(ChangeState, '/annotator/change_state', request).success

    ended = client.result(handle)
    assert ended.status == GoalStatus.STATUS_ABORTED
    assert ended.result.error_code == ErrorCode.NOT_ACTIVE
    assert node.annotate(propose=True).result.error_code == ErrorCode.NOT_ACTIVE
    assert not list(bottle.glob('*annotation*'))


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_the_middle_of_work(annotator, client, bottle, number):
    node = annotator(propose_on_load=False)
    node.load()
    node.begin(propose=True, save=True)

    assert node.process.stop(number) == 0

    assert 'Traceback' not in node.process.text
    left = {path.name for path in bottle.iterdir()}
    assert not [name for name in left if name.startswith(('.', 'annotation'))]


def test_the_parameter_file_holds_the_defaults(repository):
    file = yaml.safe_load((repository / 'config' / 'annotator.yaml').read_text())
    said = file['/**/annotator']['ros__parameters']
    assert said == {item.name: item.default for item in (AUTOSTART, *PARAMETERS)}
    assert all(item.description for item in PARAMETERS)
