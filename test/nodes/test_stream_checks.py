# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import time

import pytest
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CameraInfo, Image, JointState
from tf2_msgs.msg import TFMessage

from r2rgen_ros.nodes.capture import Message, Stream
from r2rgen_ros.nodes.stream_checks import Limits, Sample, check
from r2rgen_ros.nodes.stream_monitor import StreamMonitor
from r2rgen_ros.nodes.stream_plan import Planned

LIMITS = Limits('', (), 5.0, 5.0, 1.0)
KINDS = {Image: 'sensor_msgs/msg/Image', CameraInfo: 'sensor_msgs/msg/CameraInfo',
         JointState: 'sensor_msgs/msg/JointState', TFMessage: 'tf2_msgs/msg/TFMessage'}  # fmt: skip


def _heard(topic, role, message, *, hz=30.0, late_s=0.01, latched=False, now_ns=None):
    """A topic that was listened to for two seconds."""
    stream = Stream(topic, KINDS[type(message)], latched=latched)
    sample = Sample(Planned(role, stream), StreamMonitor.of(stream))
    if hasattr(message, 'header'):
        message.header.frame_id = 'optical'
    raw = serialize_message(message)
    for back in range(int(2 * hz), 0, -1):
        arrived = now_ns - int(back / hz * 1e9)
        sample.add(Message(stream, arrived, arrived - int(late_s * 1e9), raw))
    return sample


def _camera(now_ns, name, depth, colour):
    out = []
    for role, size in (('depth', depth), ('colour', colour)):
        if size is not None:
            image = Image(width=size[0], height=size[1])
            out.append(_heard(f'{name}/{role}/image', role, image, now_ns=now_ns))
    return out


BIG, SMALL = (640, 480), (320, 240)


@pytest.mark.parametrize(
    ('cameras', 'faulty'),
    [
        ([('/camera', BIG, BIG)], []),
        ([('/camera', BIG, SMALL)], ['/camera/colour/image']),
        ([('', BIG, SMALL)], ['/colour/image']),
        ([('/front', BIG, BIG), ('/wrist', SMALL, SMALL)], []),
        ([('/front', BIG, BIG), ('/wrist', SMALL, BIG)], ['/wrist/colour/image']),
        ([('/front', BIG, BIG), ('/wrist', None, SMALL)], []),
    ],
)
def test_depth_and_colour_of_each_camera_must_have_one_size(cameras, faulty):
    now = time.time_ns()
    samples = [sample for camera in cameras for sample in _camera(now, *camera)]
    faults = check(samples, LIMITS, now)
    assert [fault.split()[0] for fault in faults] == faulty
    assert all('switch on the alignment' in fault for fault in faults)


def test_rates_and_clocks_that_are_not_sane_are_told():
    now = time.time_ns()
    slow = _heard('/joints', 'joint', JointState(), hz=2.0, now_ns=now)
    late = _heard('/late', 'joint', JointState(), late_s=3.0, now_ns=now)
    early = _heard('/early', 'joint', JointState(), late_s=-3.0, now_ns=now)
    said = check([slow, late, early], LIMITS, now)
    assert '/joints (joint) arrives at 1.8 Hz, expected at least 5' in said[0]
    assert 'the stamps of /late are 3.0 s behind this clock' in said[1]
    assert 'the stamps of /early are 3.0 s ahead of this clock' in said[2]


def test_static_transforms_need_no_rate_whoever_sends_them():
    now = time.time_ns()
    still = _heard('/tf_static', 'tf_static', TFMessage(), hz=1.0, now_ns=now)
    assert check([still], LIMITS, now) == []
