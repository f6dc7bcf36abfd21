# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The generator as a process, asked over real DDS."""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import yaml
from action_msgs.msg import GoalStatus
from builtin_interfaces.msg import Time
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from nav_msgs.msg import Path as PathMessage
from r2rgen_interfaces.action import Generate
from r2rgen_interfaces.msg import ErrorCode
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from rclpy.qos import QoSProfile
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Header
from std_srvs.srv import Trigger
from tf2_msgs.msg import TFMessage
from trajectory_msgs.msg import JointTrajectory
from visualization_msgs.msg import MarkerArray

from r2rgen_ros.bags.clouds import LABELLED, decode_field
from r2rgen_ros.bags.load import load_demo
from r2rgen_ros.bags.preview import read_preview
from r2rgen_ros.cli.main import main as r2rgen
from r2rgen_ros.nodes import episode_messages as to_message
from r2rgen_ros.nodes.base import AUTOSTART, latched
from r2rgen_ros.nodes.generator import PARAMETERS

NARROW = """
format: r2rgen/generate/1
sampling:
  ranges: {x_m: [-0.03, 0.03], y_m: [-0.03, 0.03], yaw_deg: [-10, 10]}
"""
IMPOSSIBLE = """
format: r2rgen/generate/1
sampling: {mode: given, given: [{"pick red": {x_m: 3.0}}]}
feasibility: {attempts_per_episode: 4}
"""
MANY = 5000


@dataclass
class Generator:
    """The node in its process, and a client to talk to it."""

    client: object
    process: object
    folder: Path

    def begin(self, feedback=None, **goal):
        values = {
            key: str(value) if isinstance(value, Path) else value for key, value in goal.items()
        }
        handle = self.client.send_goal(
            Generate, '/generator/generate', Generate.Goal(**values), feedback
        )
        assert handle.accepted
        return handle

    def generate(self, feedback=None, **goal):
        return self.client.result(self.begin(feedback, **goal))

    def episodes(self, dataset):
        return sorted((self.folder / dataset).glob('shard_*/episode_*'))

    def begin_many(self, demo, dataset, *, least=2, **goal):
        """Begin more than can be made in time, and wait until some are there."""
        handle = self.begin(demo=demo, dataset=dataset, count=MANY, **goal)
        self.client.until(lambda: len(self.episodes(dataset)) >= least)
        return handle

    def cancel(self):
        return self.client.call(Trigger, '/generator/cancel')

    def change(self, transition):
        request = ChangeState.Request(transition=Transition(id=transition))
        return self.client.call(ChangeState, '/generator/change_state', request)


@pytest.fixture
def generator(start, client, tmp_path):
    """Start a generator."""

    def start_generator(*, active=True, **parameters):
        folder = tmp_path / 'datasets'
        values = {
            'autostart': active, 'datasets_folder': folder, 'demos_folder': tmp_path / 'demos',
            'report': False, **parameters,
        }  # fmt: skip
        process = start('generator', **values)
        if active:
            client.wait_active('/generator')
        return Generator(client, process, folder)

    return start_generator


@pytest.fixture
def narrow(tmp_path):
    """A configuration whose attempts are nearly all accepted."""
    file = tmp_path / 'narrow.yaml'
    file.write_text(NARROW)
    return file


def _content(folder):
    """Bytes of every file of a dataset but those that tell the time."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob('*'))
        if path.is_file() and path.name != 'timings.jsonl'
    }


def _assert_tidy(folder):
    """Neither a lock nor anything unfinished."""
    assert not list(folder.glob('.*'))
    names = {path.name for path in folder.iterdir() if not path.name.startswith('shard_')}
    assert names <= {'dataset.yaml', 'manifest.jsonl', 'timings.jsonl'}


def _descendants(pid):
    """Processes that a process has started, and those that they have."""
    children = {}
    for stat in Path('/proc').glob('[0-9]*/stat'):
        try:
            fields = stat.read_text().rpartition(')')[2].split()
        except OSError:
            continue
        if fields[0] != 'Z':
            children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found = list(children.get(pid, ()))
    for each in found:
        found += children.get(each, ())
    return found


def _assert_gone(pids):
    end = time.monotonic() + 120.0
    while left := [pid for pid in pids if _runs(pid)]:
        assert time.monotonic() < end, f'{left} still run'
        time.sleep(0.05)


def _runs(pid):
    try:
        return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] != 'Z'
    except OSError:
        return False


def _r2rgen(*words):
    """Run the command line in this process, which has DDS in it and so must not be forked."""
    assert r2rgen([*map(str, words)]) == 0


def _generate(demo, out, *words):
    _r2rgen('generate', demo, '-o', out, '--workers', 1, '--no-report', *words)


@pytest.fixture(scope='module')
def from_cli(table_demo, tmp_path_factory):
    """What the command line makes of the same demo, seed and configuration."""
    root = tmp_path_factory.mktemp('cli')
    (root / 'narrow.yaml').write_text(NARROW)
    out = root / 'dataset'
    _generate(table_demo, out, '-n', 12, '--seed', 5, '--config', root / 'narrow.yaml')
    return out


def test_the_dataset_is_that_of_the_command_line(generator, table_demo, from_cli, narrow):
    node = generator(report=True)
    feedback = []

    ended = node.generate(
        feedback, demo=table_demo, dataset='a', count=12, seed=5, config=narrow, workers=2
    )

    result, out = ended.result, node.folder / 'a'
    assert (ended.status, result.error_msg) == (GoalStatus.STATUS_SUCCEEDED, '')
    assert result.error_code == ErrorCode.NONE
    assert result.dataset == str(out)
    assert result.accepted == 12
    assert result.attempts == 12 + sum(result.rejected)
    made = _content(out)
    drawn = {name for name in made if name.endswith(('.html', '.png'))}
    assert 'report.html' in drawn
    assert {name: made[name] for name in made.keys() - drawn} == _content(from_cli)
    done = [message.done for message in feedback]
    assert done == sorted(done)
    last = feedback[-1]
    assert (last.done, last.accepted, last.total, last.time_left_s) == (12, 12, 12, 0.0)
    assert last.rate_hz > 0.0
    assert list(last.reasons) == list(result.reasons)


def test_ray_makes_the_same_dataset(generator, table_demo, from_cli, narrow):
    pytest.importorskip('ray')
    node = generator(engine='ray')

    goal = {'demo': table_demo, 'dataset': 'many', 'count': 12, 'seed': 5, 'config': narrow}
    result = node.generate(**goal, workers=1).result

    assert result.error_code == ErrorCode.NONE, result.error_msg
    assert _content(node.folder / 'many') == _content(from_cli)


def test_a_cluster_that_is_not_there_is_told(generator, table_demo):
    pytest.importorskip('ray')
    node = generator(engine='ray', ray_address='127.0.0.1:1')

    result = node.generate(demo=table_demo, dataset='many', count=4).result

    assert result.error_code == ErrorCode.BAD_REQUEST
    assert 'no cluster answers at 127.0.0.1:1' in result.error_msg
    assert not (node.folder / 'many').exists()


def test_it_is_cancelled_and_goes_on_to_the_same_bytes(generator, table_demo, from_cli, narrow):
    node = generator()
    out, goal = node.folder / 'a', {'seed': 5, 'config': narrow, 'workers': 2}

    handle = node.begin_many(table_demo, 'a', **goal)
    children = _descendants(node.process.process.pid)
    assert len(children) == 3
    assert node.client.cancel(handle).goals_canceling
    ended = node.client.result(handle)
    assert ended.status == GoalStatus.STATUS_CANCELED
    assert ended.result.error_code == ErrorCode.CANCELLED
    kept = len(node.episodes('a'))
    assert ended.result.accepted == kept
    assert f'stopped after {kept} of {MANY} episodes' in ended.result.error_msg
    assert 'resume true' in ended.result.error_msg
    _assert_gone(children)
    _assert_tidy(out)

    # The same by service: it is a cancelled goal for the action's client, too.
    handle = node.begin_many(table_demo, 'a', least=kept + 2, resume=True, **goal)
    answer = node.cancel()
    assert answer.success
    assert str(out) in answer.message
    ended = node.client.result(handle)
    assert ended.status == GoalStatus.STATUS_CANCELED
    _assert_tidy(out)
    idle = node.cancel()
    assert (idle.success, idle.message) == (False, 'nothing is being generated')

    count = max(12, len(node.episodes('a')))
    ended = node.generate(demo=table_demo, dataset='a', count=count, resume=True, **goal)
    assert (ended.result.error_msg, ended.result.accepted) == ('', count)
    whole, resumed = _content(from_cli), _content(out)
    lines, more = (each.pop('manifest.jsonl').splitlines() for each in (whole, resumed))
    assert more[: len(lines)] == lines
    assert {name: resumed[name] for name in whole} == whole


def test_a_goal_is_cancelled_while_its_demo_is_read(generator, table_demo):
    node = generator()

    handle = node.begin(demo=table_demo, dataset='a', count=MANY)
    node.client.cancel(handle)

    ended = node.client.result(handle)
    assert ended.status == GoalStatus.STATUS_CANCELED
    assert ended.result.error_code == ErrorCode.CANCELLED
    assert ended.result.error_msg == 'stopped before anything was written'
    assert not node.episodes('a')


def test_what_was_there_is_told_when_a_resume_is_stopped_while_its_demo_is_read(
    generator, table_demo, narrow
):
    node = generator()
    made = node.generate(demo=table_demo, dataset='a', count=2, config=narrow, workers=1)
    assert made.result.error_msg == ''

    feedback = []
    handle = node.begin(
        feedback, demo=table_demo, dataset='a', count=MANY, config=narrow, workers=1, resume=True
    )
    node.client.cancel(handle)

    ended = node.client.result(handle)
    count = len(node.episodes('a'))
    assert (ended.result.error_code, ended.result.accepted) == (ErrorCode.CANCELLED, count)
    assert ended.result.attempts >= made.result.attempts
    assert f'stopped after {count} of {MANY} episodes' in ended.result.error_msg
    assert feedback[0].accepted >= 2


def test_one_goal_at_a_time_and_only_while_active(generator, table_demo):
    node = generator(active=False)

    early = node.generate(demo=table_demo, dataset='a', count=1)
    assert (early.status, early.result.error_code) == (
        GoalStatus.STATUS_ABORTED,
        ErrorCode.NOT_ACTIVE,
    )
    assert 'configure and activate' in early.result.error_msg
    assert node.change(Transition.TRANSITION_CONFIGURE).success
    assert node.change(Transition.TRANSITION_ACTIVATE).success

    handle = node.begin_many(table_demo, 'a')
    second = node.generate(demo=table_demo, dataset='b', count=1)
    assert (second.status, second.result.error_code) == (GoalStatus.STATUS_ABORTED, ErrorCode.BUSY)
    assert 'wait until it is done, or cancel it' in second.result.error_msg
    assert not (node.folder / 'b').exists()

    # It ends with the state in which it may work.
    children = _descendants(node.process.process.pid)
    assert node.change(Transition.TRANSITION_DEACTIVATE).success
    ended = node.client.result(handle)
    assert ended.status == GoalStatus.STATUS_ABORTED
    assert ended.result.error_code == ErrorCode.CANCELLED
    _assert_gone(children)
    _assert_tidy(node.folder / 'a')
    late = node.generate(demo=table_demo, dataset='c', count=1)
    assert late.result.error_code == ErrorCode.NOT_ACTIVE

    assert node.change(Transition.TRANSITION_ACTIVATE).success
    again = node.generate(demo=table_demo, dataset='c', count=1)
    assert again.result.error_code == ErrorCode.NONE


def test_goals_that_cannot_be_met_are_answered_and_leave_nothing(generator, table_demo, tmp_path):
    node = generator()
    bare = shutil.copytree(table_demo, tmp_path / 'demos' / 'bare')
    (bare / 'annotation.yaml').unlink()
    odd, impossible = tmp_path / 'odd.yaml', tmp_path / 'impossible.yaml'
    odd.write_text('format: r2rgen/generate/1\nsampling: {mode: wild}\n')
    (node.folder / 'taken').mkdir()
    (node.folder / 'link').symlink_to(tmp_path)
    before = sorted(tmp_path.rglob('*'))
    good = {'demo': table_demo, 'dataset': 'a', 'count': 1}
    request, data = ErrorCode.BAD_REQUEST, ErrorCode.BAD_INPUT

    for changed, code, words in (
        ({'dataset': '../a'}, request, 'leads out of'),
        ({'dataset': str(tmp_path / 'a')}, request, 'leads out of'),
        ({'dataset': 'link/a'}, request, 'leads out of'),
        ({'dataset': '.'}, request, 'itself'),
        ({'dataset': ' '}, request, 'is empty'),
        ({'dataset': 'x' * 300}, request, 'too long'),
        ({'dataset': 'taken'}, request, 'is no dataset'),
        ({'resume': True}, request, 'there is no'),
        ({'demo': ''}, request, 'the demo of the goal is empty'),
        ({'count': 0}, request, 'a number from 1 to'),
        ({'count': 4_000_000_000}, request, 'a number from 1 to'),
        ({'seed': 2**64 - 1}, request, 'a number from 0 to'),
        ({'workers': 100_000}, request, 'a number from 0 to 1024'),
        ({'demo': str(tmp_path / 'nowhere')}, data, 'there is no'),
        ({'demo': 'bare'}, data, 'r2rgen annotate'),
        ({'annotation': str(tmp_path / 'none.yaml')}, data, 'there is no annotation'),
        ({'config': str(tmp_path / 'none.yaml')}, data, 'none.yaml'),
        ({'config': str(odd)}, data, 'mode'),
    ):
        ended = node.generate(**(good | changed))
        assert ended.status == GoalStatus.STATUS_ABORTED, changed
        assert words in ended.result.error_msg, changed
        assert '\n' not in ended.result.error_msg
        assert ended.result.error_code == code, changed
    assert sorted(tmp_path.rglob('*')) == before

    # A dataset that is there is neither replaced nor gone on with unless that is asked for.
    assert node.generate(**good).result.error_code == ErrorCode.NONE
    made = _content(node.folder / 'a')
    for changed, words in (({}, 'exists already'), ({'resume': True, 'seed': 3}, 'another seed')):
        ended = node.generate(**(good | changed))
        assert ended.result.error_code == request
        assert words in ended.result.error_msg
    assert _content(node.folder / 'a') == made

    # One that cannot be filled is no error; the log says what to do.
    impossible.write_text(IMPOSSIBLE)
    ended = node.generate(**(good | {'dataset': 'few', 'config': impossible}))
    assert (ended.result.error_code, ended.result.accepted, ended.result.attempts) == (0, 0, 4)
    assert sum(ended.result.rejected) == 4
    assert 'no episode at all, mostly because' in node.process.text
    assert 'Traceback' not in node.process.text


def test_a_full_disk_is_told_and_the_dataset_resumes(generator, table_demo):
    node = generator()
    pid = node.process.process.pid
    usual = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    for workers, dataset in ((1, 'a'), (2, 'b')):
        goal = {'demo': table_demo, 'dataset': dataset, 'workers': workers, 'count': 3}
        # No file may grow beyond that, which is what a disk quota does; no bag is so small.
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (50_000, usual[1]))

        ended = node.generate(**goal)

        assert ended.result.error_code == ErrorCode.DISK
        assert 'full' in ended.result.error_msg
        assert 'resume true' in ended.result.error_msg
        assert '\n' not in ended.result.error_msg
        assert not node.episodes(dataset)
        _assert_tidy(node.folder / dataset)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, usual)
        ended = node.generate(resume=True, **goal)
        assert (ended.result.error_msg, ended.result.accepted) == ('', 3)


def test_the_death_of_the_generating_process_is_told_and_that_of_a_worker_made_good(
    generator, table_demo
):
    node = generator()

    handle = node.begin_many(table_demo, 'a', workers=2)
    child, *workers = _descendants(node.process.process.pid)
    os.kill(workers[0], signal.SIGKILL)
    made = len(node.episodes('a')) + 8
    node.client.until(lambda: len(node.episodes('a')) >= made)
    node.client.cancel(handle)
    ended = node.client.result(handle)
    assert ended.result.error_code == ErrorCode.CANCELLED
    _assert_tidy(node.folder / 'a')

    handle = node.begin_many(table_demo, 'b', workers=2)
    child, *workers = _descendants(node.process.process.pid)
    os.kill(child, signal.SIGKILL)
    ended = node.client.result(handle)
    assert ended.result.error_code == ErrorCode.INTERNAL
    assert 'was ended by signal 9' in ended.result.error_msg
    _assert_gone(workers)

    made = len(node.episodes('b')) + 2
    ended = node.generate(demo=table_demo, dataset='b', count=made, resume=True)
    assert (ended.result.error_msg, ended.result.accepted) == ('', made)
    _assert_tidy(node.folder / 'b')


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_the_middle_of_a_generation(generator, table_demo, number):
    node = generator()
    handle = node.begin_many(table_demo, 'a', workers=2)
    children = _descendants(node.process.process.pid)

    node.process.send(number)

    # Who asked for it is told before the node is gone.
    node.client.until(lambda: handle.status == GoalStatus.STATUS_ABORTED)
    assert node.process.stop(number) == 0
    _assert_gone(children)
    _assert_tidy(node.folder / 'a')
    assert 'Traceback' not in node.process.text


def test_killing_the_node_ends_the_generation_and_leaves_whole_episodes(
    generator, table_demo, tmp_path
):
    node = generator()
    node.begin_many(table_demo, 'a', workers=2)
    children = _descendants(node.process.process.pid)
    assert len(children) == 3

    assert node.process.stop(signal.SIGKILL) == -signal.SIGKILL

    _assert_gone(children)
    _assert_tidy(node.folder / 'a')
    count = len(node.episodes('a')) + 1
    _generate(table_demo, node.folder / 'a', '-n', count, '--resume')


def test_new_episodes_are_shown_in_frames_of_their_own(generator, client, table_demo, tabletop):
    node = generator(publish_rate_hz=5.0, frames_per_episode=5, parent_frame='world')
    clouds = client.listen(PointCloud2, '/generator/labelled_points', QoSProfile(depth=10))
    moving = client.listen(TFMessage, '/tf', QoSProfile(depth=100))

    ended = node.generate(demo=table_demo, dataset='a', count=4)
    assert ended.result.accepted == 4
    last = node.episodes('a')[-1]
    demo = load_demo(last)

    # Whoever comes late sees the last one.
    paths = client.listen(PathMessage, '/generator/end_effector_path', latched())
    drawn = client.listen(MarkerArray, '/generator/markers', latched())
    joints = client.listen(JointTrajectory, '/generator/joint_trajectory', latched())
    still = client.listen(TFMessage, '/tf_static', latched())

    def is_last():
        return (
            paths
            and len(paths[-1].poses) == len(demo)
            and _way(paths[-1]) == pytest.approx(demo.arms[0].ee2base[:, :3, 3], abs=1e-9)
        )

    client.until(is_last)
    clouds.clear()
    moving.clear()
    client.until(lambda: len(clouds) >= 10 and len(moving) >= 10 and drawn and joints and still)

    base = f'r2rgen/{tabletop.BASE}'
    assert {message.header.frame_id for message in clouds} == {base}
    assert {2, 3} <= set(decode_field(clouds[-1], 'label', LABELLED)[0].tolist())
    assert list(joints[-1].joint_names) == list(demo.joints.names)
    assert len(joints[-1].points) == len(demo)
    names = {marker.text for marker in drawn[-1].markers if marker.ns == 'name'}
    assert names == {'red', 'plate'}
    fixed = [(t.header.frame_id, t.child_frame_id) for t in still[-1].transforms]
    assert fixed == [('world', 'r2rgen/display'), ('r2rgen/display', base)]
    frames = {t.child_frame_id for message in moving for t in message.transforms}
    assert all(name.startswith('r2rgen/') for name in frames)
    assert {f'r2rgen/{tabletop.HAND}', 'r2rgen/object/red', 'r2rgen/object/plate'} <= frames
    # The hand goes where the bag says it goes: at the first frame, the last one, and three between.
    chosen = np.linspace(0, len(demo) - 1, 5).round().astype(int)
    hands = {
        (round(t.transform.translation.x, 6), round(t.transform.translation.y, 6))
        for message in moving
        for t in message.transforms
        if t.child_frame_id == f'r2rgen/{tabletop.HAND}'
    }
    assert hands == {tuple(xy) for xy in demo.arms[0].ee2base[chosen, :2, 3].round(6).tolist()}
    _assert_rviz_shows(client)


def _way(path):
    return np.array([[p.pose.position.x, p.pose.position.y, p.pose.position.z] for p in path.poses])


def _assert_rviz_shows(client):
    """Nothing but topics of the node, and the frames that it publishes."""
    file = Path(__file__).resolve().parents[2] / 'rviz' / 'generator.rviz'
    manager = yaml.safe_load(file.read_text())['Visualization Manager']
    published = dict(client.node.get_publisher_names_and_types_by_node('generator', '/'))
    shown = [item.get('Topic') or item.get('Description Topic') for item in manager['Displays']]
    topics = {topic['Value'] for topic in shown if topic}
    assert len(topics) == 4
    assert topics <= published.keys()
    prefix = {item.name: item.default for item in PARAMETERS}['tf_prefix']
    assert manager['Global Options']['Fixed Frame'] == f'{prefix}display'
    robot = next(item for item in manager['Displays'] if 'TF Prefix' in item)
    assert f'{robot["TF Prefix"]}/' == prefix


def test_a_robot_moves_with_all_its_links_and_joints(virtual_demo):
    seen = read_preview(virtual_demo, 3)
    stamp = Time(sec=7)

    joints = to_message.joint_trajectory(seen.demo.joints, seen.demo.stamps, Header())
    transforms = to_message.frame_transforms(seen, 1, [], 'r2rgen/', stamp).transforms

    assert list(joints.joint_names) == list(seen.demo.joints.names)
    assert np.allclose([p.positions for p in joints.points], seen.demo.joints.positions)
    after = [p.time_from_start.sec * 10**9 + p.time_from_start.nanosec for p in joints.points]
    assert after == (seen.demo.stamps - seen.demo.stamps[0]).tolist()
    assert {t.header.stamp.sec for t in transforms} == {7}
    hand = next(
        pose
        for link, pose in zip(seen.links, seen.poses[1], strict=True)
        if link[1] == 'panda_hand'
    )
    message = next(t.transform for t in transforms if t.child_frame_id == 'r2rgen/panda_hand')
    assert (message.translation.x, message.translation.z) == (hand[0, 3], hand[2, 3])
    children = {t.child_frame_id for t in transforms}
    assert {f'r2rgen/panda_link{number}' for number in range(1, 9)} <= children
    parents = {t.header.frame_id for t in transforms} - children
    assert parents == {'r2rgen/panda_link0'}


def test_what_cannot_be_configured_is_told(generator, client, tmp_path):
    (tmp_path / 'file').write_text('')
    node = generator(active=False)
    for name, value, words in (
        ('tf_prefix', '', "so that no frame is the live robot's"),
        ('datasets_folder', str(tmp_path / 'file' / 'x'), 'cannot write to'),
        ('engine', 'fast', 'parameter engine'),
        ('ray_address', 'head:6379', 'the engine is local'),
    ):
        given = ParameterValue(type=ParameterType.PARAMETER_STRING, string_value=value)
        request = SetParameters.Request(parameters=[Parameter(name=name, value=given)])
        assert (
            client.call(SetParameters, '/generator/set_parameters', request).results[0].successful
        )
        assert not node.change(Transition.TRANSITION_CONFIGURE).success
        client.until(lambda words=words: words in node.process.text)
        good = {'tf_prefix': 'r2rgen/', 'engine': 'local', 'ray_address': ''}
        given.string_value = good.get(name, str(tmp_path / 'datasets'))
        client.call(SetParameters, '/generator/set_parameters', request)
    assert node.change(Transition.TRANSITION_CONFIGURE).success


def test_the_generating_process_has_no_ros_in_it():
    program = (
        'import r2rgen_ros.nodes.generation_process, r2rgen_ros.generate.run, sys\n'
        'assert not {"rclpy", "rcl_interfaces", "r2rgen_interfaces"} & set(sys.modules)'
    )
    subprocess.run([sys.executable, '-c', program], check=True)


def test_the_parameter_file_holds_the_defaults(repository):
    text = (repository / 'config' / 'generator.yaml').read_text()
    said = yaml.safe_load(text)['/**/generator']['ros__parameters']
    assert said == {item.name: item.default for item in (AUTOSTART, *PARAMETERS)}
    assert all(item.description for item in PARAMETERS)
    for item in PARAMETERS:
        if item.low is not None:
            span = rf'{item.low}\s+to\s+{item.high}'
            assert re.search(span, text.replace('\n    #', ' ')), item.name
