# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The virtual robot as a process, heard and recorded over real DDS."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image, JointState
from std_msgs.msg import String
from std_srvs.srv import Trigger
from tf2_msgs.msg import TFMessage

from r2rgen_ros.bags.load import load_demo
from r2rgen_ros.bags.peek import stamp_ns
from r2rgen_ros.bags.reader import BagReader
from r2rgen_ros.bags.writer import BagWriter
from r2rgen_ros.nodes.base import latched
from r2rgen_ros.nodes.virtual_faults import CLOCK_STEP_NS, FAULTS
from r2rgen_ros.nodes.virtual_stage import Scene, Stage
from r2rgen_ros.simulate import drivers, panda

SECOND = 1_000_000_000
SMALL = {'width': 160, 'height': 120}
CAMERA_HZ = 5.0
JOINTS, CAMERA, TF = drivers.JOINT_STATES, drivers.DEPTH_INFO, '/tf'
KINDS = {JOINTS: JointState, CAMERA: CameraInfo, drivers.DEPTH: Image, TF: TFMessage}
SENSOR = QoSProfile(depth=1000, reliability=ReliabilityPolicy.BEST_EFFORT)


@pytest.fixture(scope='session')
def performance(tmp_path_factory):
    """What the robot publishes while its expert takes the bottle: two seconds of it, as a bag."""
    scene = Scene('place-bottle', 0, CAMERA_HZ, **SMALL, latency_ms=28.0, jitter_ms=6.0,
                  depth_noise_m=0.0)  # fmt: skip
    whole, remove = Stage().perform(scene)
    out = tmp_path_factory.mktemp('performance') / 'bag'
    begin, end = drivers.START_NS + SECOND, drivers.START_NS + 3 * SECOND
    with BagReader(whole) as bag, BagWriter(out) as cut:
        latched_topics = {topic.name for topic in bag.topics if topic.is_latched}
        kinds = {topic.name: topic.type for topic in bag.topics}
        for topic in bag.topics:
            cut.add_topic(topic.name, topic.type, topic.qos)
        for topic, logged, raw in bag.messages():
            stamp = stamp_ns(raw, kinds[topic])
            if topic in latched_topics or (stamp is not None and begin <= stamp < end):
                cut.write(topic, logged, raw)
    remove()
    return out


@pytest.fixture
def robot(start, client, performance):
    """Start a robot that plays the performance, and wait until it rests."""

    def start_robot(**parameters):
        values = {'autostart': True, 'recording': performance, **parameters}
        node = start('virtual_robot', **values)
        client.wait_active('/virtual_robot')
        return node

    return start_robot


class Heard:
    """Topics of the robot as they arrive."""

    def __init__(self, client, *topics):
        self._client = client
        self.states = client.listen(String, '/virtual_robot/state', latched())
        self.messages = {topic: client.listen(KINDS[topic], topic, SENSOR) for topic in topics}
        client.until(lambda: all(self.messages.values()) and self.states)

    def call(self, name):
        return self._client.call(Trigger, f'/virtual_robot/{name}')

    def wait(self, state):
        self._client.until(lambda: self.states[-1].data == state)

    def stamps(self, topic):
        return np.array([_stamp(message) for message in self.messages[topic]])


def _stamp(message):
    header = message.transforms[0].header if hasattr(message, 'transforms') else message.header
    return header.stamp.sec * SECOND + header.stamp.nanosec


def _set(client, **values):
    request = SetParameters.Request()
    for name, value in values.items():
        kind = ParameterType.PARAMETER_DOUBLE
        made = ParameterValue(type=kind, double_value=value) if isinstance(value, float) else (
            ParameterValue(type=ParameterType.PARAMETER_STRING, string_value=value))  # fmt: skip
        request.parameters.append(Parameter(name=name, value=made))
    answer = client.call(SetParameters, '/virtual_robot/set_parameters', request)
    assert all(result.successful for result in answer.results)


def test_it_simulates_and_offers_what_drivers_offer(start, client):
    start('virtual_robot', autostart=True, rate_hz=1.0, task='mug-in-bowl', seed=3, **SMALL)
    client.wait_active('/virtual_robot')

    offered = {}
    names = (*KINDS, '/tf_static', drivers.DESCRIPTION, drivers.GRIPPER, drivers.COLOUR)
    client.until(lambda: all(client.node.get_publishers_info_by_topic(name) for name in names))
    for name in names:
        (info,) = client.node.get_publishers_info_by_topic(name)
        reliable = info.qos_profile.reliability == ReliabilityPolicy.RELIABLE
        kept = info.qos_profile.durability == DurabilityPolicy.TRANSIENT_LOCAL
        offered[name] = reliable, kept
    camera = {drivers.COLOUR, drivers.DEPTH, CAMERA}
    assert {name for name, (reliable, _) in offered.items() if not reliable} == camera
    kept = {name for name, (_, kept) in offered.items() if kept}
    assert kept == {'/tf_static', drivers.DESCRIPTION}

    texts = client.listen(String, drivers.DESCRIPTION, latched())
    still = client.listen(TFMessage, '/tf_static', latched())
    images = client.listen(Image, drivers.DEPTH, SENSOR)
    client.until(lambda: texts and still and images)
    assert texts[0].data == panda.description()
    edges = {(t.header.frame_id, t.child_frame_id) for t in still[0].transforms}
    assert (panda.BASE, drivers.CAMERA_FRAME) in edges
    assert images[0].header.frame_id == drivers.OPTICAL_FRAME
    assert (images[0].width, images[0].height, images[0].encoding) == (160, 120, '16UC1')


def test_it_rests_acts_and_rests_again_with_stamps_of_one_clock(robot, client):
    robot()
    heard = Heard(client, JOINTS, CAMERA)
    client.spin(1.0)
    before = len(heard.messages[JOINTS])
    assert heard.call('run_expert').success
    heard.wait('done')
    client.spin(1.0)

    steps = np.diff(heard.stamps(CAMERA))
    assert steps.min() == steps.max() == round(SECOND / CAMERA_HZ)
    steps = np.diff(heard.stamps(JOINTS))
    assert steps.min() > 0.4 * SECOND / 100
    assert steps.max() < 1.6 * SECOND / 100
    age = time.time_ns() - heard.stamps(JOINTS)[-1]
    assert 0 < age < 2 * SECOND
    moved = [tuple(message.position) for message in heard.messages[JOINTS]]
    assert len(set(moved[:before])) == 1
    assert len(set(moved)) > 50
    assert len(set(moved[-20:])) == 1
    assert moved[-1] != moved[0]
    assert [state.data for state in heard.states] == ['resting', 'acting', 'done']


def test_services_say_what_they_cannot_do_and_reset_puts_the_robot_back(robot, client):
    robot()
    heard = Heard(client, JOINTS)
    assert heard.call('run_expert').success
    for name in ('run_expert', 'reset'):
        busy = heard.call(name)
        assert not busy.success
        assert 'the expert acts; wait' in busy.message
    heard.wait('done')
    again = heard.call('run_expert')
    assert not again.success
    assert 'call ~/reset first' in again.message
    begun = heard.messages[JOINTS][0].position
    assert heard.call('reset').success
    client.until(lambda: heard.messages[JOINTS][-1].position == begun)
    assert heard.states[-1].data == 'resting'
    assert np.diff(heard.stamps(JOINTS)).min() > 0
    assert heard.call('run_expert').success


def test_a_recorder_takes_its_streams_and_the_bag_is_a_demonstration(
    robot, start, client, performance, tmp_path
):
    robot()
    start('recorder', autostart=True, demos_folder=tmp_path / 'demos', min_free_mb=1,
          base_frame=panda.BASE, end_effector_frames=f'[{panda.TOOL}]', camera_min_hz=2.0,
          )  # fmt: skip
    client.wait_active('/recorder')
    assert client.call(Trigger, '/recorder/start').success
    heard = Heard(client, JOINTS)
    assert heard.call('run_expert').success
    heard.wait('done')
    client.spin(0.5)
    stopped = client.call(Trigger, '/recorder/stop')
    assert stopped.success

    demo = load_demo(Path(stopped.message))
    played = _values(performance, drivers.DEPTH)
    recorded = _values(Path(stopped.message), drivers.DEPTH)
    assert (demo.base_frame, demo.arms[0].end_effector) == (panda.BASE, panda.TOOL)
    assert [image for image in recorded if image in played[1:-1]] == played[1:-1]


def _values(path, topic):
    """What follows the stamps of a topic's messages."""
    with BagReader(path) as bag:
        return [raw[12:] for _, _, raw in bag.messages([topic])]


def test_faults_show_in_what_is_published(robot, client):
    robot()
    heard = Heard(client, JOINTS, CAMERA, drivers.DEPTH, TF)
    diagnostics = client.listen(DiagnosticArray, '/diagnostics')
    width = heard.messages[drivers.DEPTH][-1].width
    for fault in FAULTS:
        _set(client, fault=fault, fault_after_s=-1.0, fault_topic=JOINTS)
        assert heard.call('reset').success
        client.spin(0.3)  # what was on its way
        for messages in heard.messages.values():
            messages.clear()
        client.spin(1.5)
        count = {topic: len(messages) for topic, messages in heard.messages.items()}
        frames = {
            transform.child_frame_id
            for message in heard.messages[TF]
            for transform in message.transforms
        }
        ages = (time.time_ns() - heard.stamps(JOINTS)) / CLOCK_STEP_NS
        widths = {image.width for image in heard.messages[drivers.DEPTH]}
        assert (count[CAMERA] == 0) == (fault == 'camera_stops')
        assert (count[JOINTS] < 0.3 * 150) == (fault == 'slow_stream')
        assert (count[TF] == 0) == (fault == 'tf_missing')
        assert (ages.min() > 1.0) == (fault == 'clock_back')
        assert (panda.BASE in frames) == (fault == 'tf_loop')
        assert (widths == {width // 2}) == (fault == 'size_mismatch')
        said = f'the fault "{fault}" is in effect'
        client.until(lambda text=said: any(text in d.status[0].message for d in diagnostics))


def test_a_fault_may_come_in_the_midst_of_the_act(robot, client):
    robot(fault='camera_stops', fault_after_s=1.0)
    heard = Heard(client, JOINTS, CAMERA)
    assert heard.call('run_expert').success
    heard.wait('done')
    client.spin(0.5)
    late = heard.stamps(JOINTS)[-1] - heard.stamps(CAMERA)[-1]
    assert SECOND < late < 3 * SECOND


@pytest.mark.parametrize(
    ('parameters', 'expected'),
    [
        ({'width': 200}, 'expected one of 640 x 480, 320 x 240, 160 x 120'),
        ({'task': 'dance'}, 'expected one of place-bottle'),
        ({'recording': 'nowhere'}, 'nowhere'),
        ({'rate_hz': 1000.0}, 'parameter rate_hz'),
    ],
)
def test_what_cannot_be_is_refused_in_words(start, client, parameters, expected):
    node = start('virtual_robot', autostart=True, **parameters)
    client.until(lambda: expected in node.text)
    assert 'Traceback' not in node.text


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_ended_while_it_simulates_it_leaves_nothing(start, client, tmp_path, monkeypatch, number):
    folder = tmp_path / 'temporary'
    folder.mkdir()
    monkeypatch.setenv('TMPDIR', str(folder))
    node = start('virtual_robot', autostart=True)
    client.until(lambda: _children(node.process.pid) and any(folder.iterdir()))
    (child,) = _children(node.process.pid)
    assert node.stop(number) == (-number if number == signal.SIGKILL else 0)
    client.until(lambda: not any(folder.iterdir()) and not _is_running(child))
    assert 'Traceback' not in node.text


def _children(pid):
    return [int(text) for text in Path(f'/proc/{pid}/task/{pid}/children').read_text().split()] + [
        int(text)
        for task in Path(f'/proc/{pid}/task').iterdir()
        if task.name != str(pid)
        for text in (task / 'children').read_text().split()
    ]


def _is_running(pid):
    try:
        return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] != 'Z'
    except FileNotFoundError:
        return False


def test_ended_while_it_acts_it_stops_at_once(robot, client):
    node = robot()
    heard = Heard(client, JOINTS)
    assert heard.call('run_expert').success
    assert node.stop(signal.SIGTERM) == 0
    assert 'Traceback' not in node.text
