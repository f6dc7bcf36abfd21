# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The recorder as a process, fed by a driver in another, over real DDS."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from action_msgs.msg import GoalStatus
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from r2rgen_interfaces.action import Record
from r2rgen_interfaces.msg import ErrorCode, RecorderStatus
from std_srvs.srv import Trigger

from benchmarks.driver import digest
from r2rgen_ros.bags.peek import stamp_ns
from r2rgen_ros.bags.reader import BagReader
from r2rgen_ros.bags.salvage import salvage, unfinished

DEPTH = '/camera/aligned_depth_to_color/image_raw'
WAIT_S = 400.0  # for what hangs
WATCHED = (DEPTH, '/joint_states', '/tf')
CAMERA_TOPICS = {DEPTH, '/camera/color/image_raw', '/camera/aligned_depth_to_color/camera_info'}


@pytest.fixture
def drive(environment, tmp_path, repository):
    """Start a driver with small images; it writes down what it sent."""
    running = []

    def start_driver(*arguments):
        log = tmp_path / 'sent.npz'
        command = [sys.executable, '-m', 'benchmarks.driver', '--log', str(log)]
        command += ['--width', '160', '--height', '120', '--joint-hz', '100', *arguments]
        shown = {**environment, 'PYTHONFAULTHANDLER': '1'}
        running.append(subprocess.Popen(command, cwd=repository, env=shown))
        return log

    yield start_driver
    for process in running:
        process.send_signal(signal.SIGINT)
    end, hung = time.monotonic() + WAIT_S, []
    for process in running:
        try:
            process.wait(max(0.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGABRT)  # shows where each thread is
            process.wait()
            hung.append(process.args)
    assert hung == []


@pytest.fixture
def demos(tmp_path):
    return tmp_path / 'demos'


@pytest.fixture
def record(start, demos):
    """Start a recorder that listens for a second."""

    def start_recorder(remaps=(), **parameters):
        values = {
            'autostart': True, 'demos_folder': demos, 'check_s': 1.5, 'base_frame': 'base_link',
            'end_effector_frames': '[tool0]', 'min_free_mb': 1, 'status_hz': 5.0,
        }  # fmt: skip
        return start('recorder', remaps, **{**values, **parameters})

    return start_recorder


@pytest.fixture
def recording(drive, record, client):
    """Records a driver for a number of seconds and goes on; returns the recorder."""

    def begin(seconds):
        drive()
        recorder = record()
        client.wait_active('/recorder')
        assert _trigger(client, 'start').success
        client.spin(seconds)
        return recorder

    return begin


def _trigger(client, name):
    return client.call(Trigger, f'/recorder/{name}')


def _messages(path):
    found = {}
    with BagReader(path) as bag:
        kinds = {topic.name: topic.type for topic in bag.topics}
        for topic, _, raw in bag.messages():
            found.setdefault(topic, []).append((stamp_ns(raw, kinds[topic]), digest(raw)))
        return found, bag.custom_data


def test_what_is_sent_is_in_the_bag_byte_for_byte(drive, record, client, demos, domain):
    log = drive()
    recorder = record()
    client.wait_active('/recorder')
    assert _trigger(client, 'start').success
    client.spin(3.0)
    answer = _trigger(client, 'stop')
    assert answer.success
    assert recorder.stop() == 0
    path = next(demos.iterdir())
    assert answer.message == str(path)

    found, custom = _messages(path)
    assert custom['r2rgen.base_frame'] == 'base_link'
    assert custom['r2rgen.end_effector'] == 'tool0'
    assert {'/tf', '/tf_static', '/robot_description', '/joint_states'} <= set(found)
    assert set(found) >= CAMERA_TOPICS
    _end_drivers(domain)
    _wait_for(log)
    for topic, sent in np.load(log).items():
        if topic in ('/tf_static', '/robot_description'):
            continue
        known, rows = dict(sent.tolist()), found[topic]
        low, high = rows[0][0], rows[-1][0]
        assert [row for row in sent.tolist() if low <= row[0] <= high] == [list(r) for r in rows]
        assert len(known) == len(sent)


def _processes(domain):
    """The drivers of a domain."""
    import os
    from pathlib import Path

    class Found:
        def __init__(self, pid):
            self.pid = pid

        def send_signal(self, number):
            os.kill(self.pid, number)

    for folder in Path('/proc').glob('[0-9]*'):
        try:
            command = (folder / 'cmdline').read_bytes()
            environment = (folder / 'environ').read_bytes()
        except OSError:
            continue
        mine = f'ROS_DOMAIN_ID={domain}\0'.encode() in environment
        if b'benchmarks.driver' in command and mine:
            yield Found(int(folder.name))


def _end_drivers(domain):
    for process in list(_processes(domain)):
        process.send_signal(signal.SIGINT)


def _wait_for(path):
    end = time.monotonic() + WAIT_S
    while not path.exists():
        assert time.monotonic() < end, f'{path} does not come'
        time.sleep(0.05)


def test_the_action_records_for_a_while_and_says_how_it_goes(drive, record, client, demos):
    drive()
    record()
    client.wait_active('/recorder')
    feedback = []
    goal = Record.Goal(name='pick_1', max_duration_s=2.0)
    handle = client.send_goal(Record, '/recorder/record', goal, feedback)
    result = client.result(handle)
    assert result.status == GoalStatus.STATUS_SUCCEEDED
    assert result.result.error_code == ErrorCode.NONE
    assert result.result.demo == str(demos / 'pick_1')
    assert result.result.duration_s >= 2.0
    assert feedback
    assert feedback[-1].status.state == 'recording'
    found, _ = _messages(demos / 'pick_1')
    assert sum(map(len, found.values())) == result.result.messages


def test_cancelling_ends_the_recording_and_keeps_it(drive, record, client, demos):
    drive()
    record()
    client.wait_active('/recorder')
    feedback = []
    handle = client.send_goal(Record, '/recorder/record', Record.Goal(), feedback)
    client.until(lambda: len(feedback) > 2)
    client.cancel(handle)
    result = client.result(handle)
    assert result.status == GoalStatus.STATUS_CANCELED
    assert _messages(next(demos.iterdir()))[0]


def test_discard_leaves_nothing_and_names_never_collide(recording, client, demos):
    recording(0.5)
    assert _trigger(client, 'discard').success
    assert list(demos.iterdir()) == []
    for count in (1, 2, 3):
        assert _trigger(client, 'start').success
        assert _trigger(client, 'stop').success
        assert len(list(demos.iterdir())) == count


def test_start_answers_when_every_stream_arrives(drive, record, client, demos):
    drive()
    record()
    client.wait_active('/recorder')
    assert _trigger(client, 'start').success
    answer = _trigger(client, 'stop')
    assert (answer.success, answer.message) == (True, str(next(demos.iterdir())))
    assert set(_messages(answer.message)[0]) >= {*WATCHED, *CAMERA_TOPICS}


def test_a_second_start_and_bad_names_are_refused(drive, record, client, demos):
    drive()
    record()
    client.wait_active('/recorder')
    for name in ('a/b', '../a', '.hidden', 'a.b', '-a', 'a b', 101 * 'a'):
        handle = client.send_goal(Record, '/recorder/record', Record.Goal(name=name))
        result = client.result(handle).result
        assert result.error_code == ErrorCode.BAD_REQUEST
        assert 'letters, digits' in result.error_msg
    for seconds in (-1.0, float('nan')):
        goal = Record.Goal(max_duration_s=seconds)
        result = client.result(client.send_goal(Record, '/recorder/record', goal)).result
        assert result.error_code == ErrorCode.BAD_REQUEST
        assert 'max_duration_s' in result.error_msg
    assert not _trigger(client, 'stop').success
    assert _trigger(client, 'start').success
    again = _trigger(client, 'start')
    assert not again.success
    assert 'is being recorded' in again.message
    assert _trigger(client, 'stop').success
    taken = Record.Goal(name=next(demos.iterdir()).name)
    result = client.result(client.send_goal(Record, '/recorder/record', taken)).result
    assert 'exists already' in result.error_msg


@pytest.mark.parametrize(
    ('fault', 'expected'),
    [
        ('no_camera_tf', 'no transform leads from base_link to camera_color_optical_frame'),
        ('tf_loop', 'the transforms form a loop: base_link -> tool0 -> link1 -> base_link'),
        ('sizes_differ', 'is 160x120 but the depth is 160x60'),
        ('no_frame', 'names no frame'),
        ('old_stamps', 'synchronise the clocks'),
        ('wrong_type', 'has the type std_msgs/msg/String, expected sensor_msgs/msg/JointState'),
        ('camera_stops', 'nothing arrives'),
    ],
)
def test_streams_that_make_no_demonstration_are_refused_with_a_remedy(
    drive, record, client, fault, expected
):
    drive('--fault', fault, *(['--after-s', '0'] if fault == 'camera_stops' else []))
    recorder = record(joint_topics='[/joint_states]')
    client.until(lambda: expected in recorder.text)
    answer = _trigger(client, 'start')
    assert not answer.success
    assert expected in answer.message
    assert 'Traceback' not in recorder.text
    assert recorder.stop() == 0


def test_without_a_camera_it_waits_and_starts_when_there_is_one(drive, record, client):
    recorder = record()
    client.until(lambda: 'no depth image and no point cloud is published' in recorder.text)
    assert not _trigger(client, 'start').success
    drive()
    client.wait_active('/recorder')
    assert _trigger(client, 'start').success


@pytest.mark.parametrize(
    ('fault', 'expected'),
    [
        ('camera_stops', 'silent for'),
        ('camera_slows', 'Hz instead of'),
        ('clock_jumps', 'stamps jumped back by'),
    ],
)
def test_faults_while_recording_show_in_status_diagnostics_and_answer(
    drive, record, client, demos, fault, expected
):
    drive('--fault', fault, '--after-s', '20')  # on a busy machine the recorder begins late
    recorder = record()
    client.wait_active('/recorder')
    assert _trigger(client, 'start').success
    statuses = client.listen(RecorderStatus, '/recorder/status')
    diagnostics = client.listen(DiagnosticArray, '/diagnostics')
    client.until(lambda: statuses and any(expected in text for text in statuses[-1].problems))
    client.until(lambda: any(expected in d.status[0].message for d in diagnostics))
    assert {t for s in statuses[-1].streams if s.problem for t in [s.topic]} <= CAMERA_TOPICS
    # It is kept, but not as if nothing had been.
    answer = _trigger(client, 'stop')
    assert not answer.success
    assert expected in answer.message
    (path,) = demos.iterdir()
    assert answer.message.endswith(f'kept {path}')
    assert 'Traceback' not in recorder.text


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_signals_end_it_cleanly_and_keep_the_recording(recording, client, demos, number):
    recorder = recording(1.0)
    assert recorder.stop(number) == 0
    (path,) = demos.iterdir()
    assert _messages(path)[0]
    assert 'Traceback' not in recorder.text


@pytest.mark.parametrize('kill', range(10))
def test_a_kill_at_a_random_moment_loses_at_most_a_second(
    drive, record, client, demos, domain, kill
):
    log = drive()
    recorder = record(check_s=0.6)
    client.wait_active('/recorder')
    assert _trigger(client, 'start').success
    client.spin(1.5 + random.Random(kill).random())
    killed_ns = time.time_ns()
    recorder.stop(signal.SIGKILL)
    (part,) = unfinished(demos)
    before, _ = _messages(next(p for p in part.iterdir() if p.is_dir()))
    found, custom = _messages(salvage(part))
    assert custom['r2rgen.salvaged'] == 'true'
    assert len(before['/joint_states']) <= len(found['/joint_states'])
    _end_drivers(domain)
    _wait_for(log)
    sent = np.load(log)
    for topic in WATCHED:
        stamps = sent[topic][:, 0]
        assert not ((stamps > found[topic][-1][0]) & (stamps < killed_ns - 1e9)).any(), topic


def test_what_a_killed_recorder_leaves_is_saved_by_the_next(recording, record, client, demos):
    recorder = recording(1.0)
    recorder.stop(signal.SIGKILL)
    again = record()
    client.until(lambda: 'a recording was cut off; saved as' in again.text)
    (path,) = demos.iterdir()
    assert _messages(path)[1]['r2rgen.salvaged'] == 'true'


def test_it_stops_before_the_disk_is_full(drive, record, client, tmp_path, request):
    small = tmp_path / 'small'
    small.mkdir()
    mounted = subprocess.run(
        ['mount', '-t', 'tmpfs', '-o', 'size=12m', 'tmpfs', str(small)], check=False,
        capture_output=True,
    )  # fmt: skip
    if mounted.returncode:
        pytest.skip('only root may mount a small disk')
    request.addfinalizer(lambda: subprocess.run(['umount', '-l', str(small)], check=True))
    drive()
    record(demos_folder=small, min_free_mb=4)
    client.wait_active('/recorder')
    handle = client.send_goal(Record, '/recorder/record', Record.Goal())
    result = client.result(handle).result
    assert result.error_code == ErrorCode.DISK
    assert 'stopped before the disk is full' in result.error_msg
    found, _ = _messages(result.demo)
    assert len(found[DEPTH]) > 10
    diagnostics = client.listen(DiagnosticArray, '/diagnostics')
    client.until(lambda: any('before the disk' in d.status[0].message for d in diagnostics))
    refused = _trigger(client, 'start')
    assert not refused.success
    assert 'MB are free' in refused.message
    # Started by service, it ends by itself as well, and `stop` tells how.
    shutil.rmtree(result.demo)
    assert _trigger(client, 'start').success
    statuses = client.listen(RecorderStatus, '/recorder/status')
    client.until(lambda: statuses and statuses[-1].state == 'idle')
    answer = _trigger(client, 'stop')
    assert not answer.success
    assert 'stopped before the disk is full' in answer.message
    assert 'kept' in answer.message


def test_a_folder_that_is_removed_is_made_again(drive, record, client, demos):
    drive()
    recorder = record()
    client.wait_active('/recorder')
    shutil.rmtree(demos)
    client.spin(1.5)
    assert recorder.process.poll() is None
    assert _trigger(client, 'start').success
    client.spin(1.0)
    assert _trigger(client, 'stop').success
    assert _messages(next(demos.iterdir()))[0]


def test_a_driver_that_was_restarted_otherwise_is_recorded(drive, record, client, demos, domain):
    drive('--reliable')
    record()
    client.wait_active('/recorder')
    _end_drivers(domain)
    client.spin(1.0)
    refused = _trigger(client, 'start')
    assert not refused.success
    assert 'no depth image' in refused.message
    drive()
    client.until(lambda: _trigger(client, 'start').success)
    client.spin(2.0)
    answer = _trigger(client, 'stop')
    assert answer.success, answer.message
    assert len(_messages(next(demos.iterdir()))[0][DEPTH]) > 5


def test_it_obeys_a_lifecycle_manager(drive, record, client):
    drive()
    record(autostart=False)
    assert client.state('/recorder') == 'unconfigured'
    refused = _trigger(client, 'start')
    assert not refused.success
    assert 'not active' in refused.message
    rejected = client.send_goal(Record, '/recorder/record', Record.Goal())
    assert not rejected.accepted
    for transition, state in (
        (Transition.TRANSITION_CONFIGURE, 'inactive'),
        (Transition.TRANSITION_ACTIVATE, 'active'),
        (Transition.TRANSITION_DEACTIVATE, 'inactive'),
        (Transition.TRANSITION_CLEANUP, 'unconfigured'),
    ):
        request = ChangeState.Request(transition=Transition(id=transition))
        # Discovery may take longer than one look.
        client.until(
            lambda r=request: client.call(ChangeState, '/recorder/change_state', r).success
        )
        assert client.state('/recorder') == state


def test_a_goal_under_way_is_answered_when_the_node_is_told_to_end(drive, record, client, demos):
    drive()
    recorder = record()
    client.wait_active('/recorder')
    feedback = []
    handle = client.send_goal(Record, '/recorder/record', Record.Goal(name='one'), feedback)
    client.until(lambda: len(feedback) > 2)
    recorder.send(signal.SIGTERM)
    result = client.result(handle).result
    assert result.demo == str(demos / 'one')
    assert recorder.stop() == 0
    assert _messages(demos / 'one')[0]
    assert 'Traceback' not in recorder.text


def test_goals_during_shutdown_are_refused_in_words(recording, client, demos):
    recorder = recording(0.5)
    request = ChangeState.Request(transition=Transition(id=Transition.TRANSITION_ACTIVE_SHUTDOWN))
    assert client.call(ChangeState, '/recorder/change_state', request).success
    assert not client.send_goal(Record, '/recorder/record', Record.Goal()).accepted
    assert 'shutting down' in recorder.text
    refused = _trigger(client, 'start')
    assert (refused.success, refused.message) == (False, 'the recorder is shutting down')
    (path,) = demos.iterdir()
    assert _messages(path)[0]
    assert recorder.stop() == 0
