# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Publishes as a camera driver and an arm do, and writes down every stamp it sent.

Run as a process of its own: `python -m benchmarks.driver --log sent.npz`. SIGINT ends it.
"""

from __future__ import annotations

import argparse
import heapq
import os
import signal
import threading
import time
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from r2rgen_ros.nodes import transport

FAULTS = (
    'none', 'camera_stops', 'camera_slows', 'clock_jumps', 'no_camera_tf', 'tf_loop',
    'sizes_differ', 'wrong_type', 'no_frame', 'old_stamps',
)  # fmt: skip
DEPTH, COLOUR = '/camera/aligned_depth_to_color/image_raw', '/camera/color/image_raw'
INFO = '/camera/aligned_depth_to_color/camera_info'
JOINTS, TF, TF_STATIC, DESCRIPTION = '/joint_states', '/tf', '/tf_static', '/robot_description'
OPTICAL, BASE, HAND = 'camera_color_optical_frame', 'base_link', 'tool0'
STAMP_AT = {TF: 8}
ENDS = 4096


def digest(raw: bytes | memoryview) -> int:
    """A checksum of a message's ends, which hold its stamp, and of its length."""
    view = memoryview(raw)
    return zlib.crc32(view[-ENDS:], zlib.crc32(view[:ENDS], len(view)))


class Source(NamedTuple):
    """A topic that is published."""

    topic: str
    period_s: float
    publisher: Any
    raw: bytearray


def main() -> None:
    """Publish until SIGINT."""
    options = _options()
    os.environ.update(transport.settings())
    import rclpy
    from rclpy.signals import SignalHandlerOptions

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    node = rclpy.create_node('driver', enable_rosout=False, start_parameter_services=False)
    sent: dict[str, list[tuple[int, int]]] = {}
    _publish(_sources(node, options), options, stop, sent)
    node.destroy_node()
    rclpy.try_shutdown()
    if options.log:
        arrays = {topic: np.array(rows, dtype=np.int64) for topic, rows in sent.items()}
        temporary = options.log.with_suffix('.tmp.npz')
        np.savez(temporary, **arrays)  # type: ignore[arg-type]
        temporary.replace(options.log)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--width', type=int, default=1280)
    parser.add_argument('--height', type=int, default=720)
    parser.add_argument('--camera-hz', type=float, default=30.0)
    parser.add_argument('--joint-hz', type=float, default=500.0)
    parser.add_argument('--tf-hz', type=float, default=100.0)
    parser.add_argument('--fault', choices=FAULTS, default='none')
    parser.add_argument('--after-s', type=float, default=0.0, help='when the fault begins')
    parser.add_argument('--log', type=Path)
    parser.add_argument('--reliable', action='store_true', help='send lost images again')
    return parser.parse_args()


def _sources(node: Any, options: argparse.Namespace) -> list[Source]:
    from rclpy.qos import QoSProfile, ReliabilityPolicy
    from rclpy.serialization import serialize_message
    from sensor_msgs.msg import CameraInfo, Image, JointState
    from std_msgs.msg import String
    from tf2_msgs.msg import TFMessage

    from r2rgen_ros.nodes.base import latched

    width, height, fault = options.width, options.height, options.fault
    noise = np.random.default_rng(0)
    frame = '' if fault == 'no_frame' else OPTICAL
    colour = Image(height=height, width=width, encoding='rgb8', step=3 * width)
    colour.data.frombytes(noise.integers(0, 256, 3 * width * height, np.uint8).tobytes())
    deep = height // 2 if fault == 'sizes_differ' else height
    depth = Image(height=deep, width=width, encoding='16UC1', step=2 * width)
    depth.data.frombytes(noise.integers(500, 2000, width * deep, np.uint16).tobytes())
    info = CameraInfo(height=deep, width=width, k=[600.0, 0, width / 2, 0, 600, deep / 2, 0, 0, 1])
    for message in (colour, depth, info):
        message.header.frame_id = frame
    joints = JointState(name=[f'joint{i}' for i in range(1, 8)], position=[0.1] * 7)
    edges = [(BASE, 'link1'), ('link1', HAND)]
    if fault == 'tf_loop':
        edges += [(HAND, BASE)]
    still = [] if fault == 'no_camera_tf' else [(BASE, OPTICAL)]

    best_effort, reliable = ReliabilityPolicy.BEST_EFFORT, ReliabilityPolicy.RELIABLE
    sensor = QoSProfile(depth=5, reliability=reliable if options.reliable else best_effort)
    camera, arm = 1.0 / options.camera_hz, 1.0 / options.joint_hz
    table = [
        (COLOUR, camera, Image, sensor, colour),
        (DEPTH, camera, Image, sensor, depth),
        (INFO, camera, CameraInfo, sensor, info),
        (JOINTS, arm, JointState, 100, joints),
        (TF, 1.0 / options.tf_hz, TFMessage, 100, TFMessage(transforms=_transforms(edges))),
        (TF_STATIC, np.inf, TFMessage, latched(), TFMessage(transforms=_transforms(still))),
        (DESCRIPTION, np.inf, String, latched(), String(data='<robot name="none"/>')),
    ]
    if fault == 'wrong_type':
        table[3] = (JOINTS, arm, String, 100, String(data='no joints'))
    return [
        Source(
            topic, period, node.create_publisher(kind, topic, qos), _padded(serialize_message(m))
        )
        for topic, period, kind, qos, m in table
    ]


def _padded(raw: bytes) -> bytearray:
    """A message as long as the middleware hands it over: a multiple of four bytes."""
    return bytearray(raw + bytes(-len(raw) % 4))


def _transforms(edges: list[tuple[str, str]]) -> list[Any]:
    from geometry_msgs.msg import TransformStamped

    out = []
    for parent, child in edges:
        transform = TransformStamped(child_frame_id=child)
        transform.header.frame_id = parent
        transform.transform.translation.x = 0.5
        transform.transform.rotation.w = 1.0
        out.append(transform)
    return out


def _publish(
    sources: list[Source],
    options: argparse.Namespace,
    stop: threading.Event,
    sent: dict[str, list[tuple[int, int]]],
) -> None:
    begin = time.monotonic()
    due = [(0.0, place) for place, source in enumerate(sources)]
    heapq.heapify(due)
    while due and not stop.is_set():
        at, place = due[0]
        wait = at - (time.monotonic() - begin)
        if wait > 0.0:
            stop.wait(min(wait, 0.1))
            continue
        heapq.heappop(due)
        source = sources[place]
        period = source.period_s
        since = time.monotonic() - begin - options.after_s
        is_camera = source.topic in (COLOUR, DEPTH, INFO)
        faulty = since >= 0.0 and options.fault != 'none'
        if faulty and is_camera and options.fault == 'camera_stops':
            continue
        if faulty and is_camera and options.fault == 'camera_slows':
            period *= 10.0
        shift = 0.0
        if faulty and is_camera and options.fault == 'clock_jumps':
            shift = -2.0
        if is_camera and options.fault == 'old_stamps':
            shift = -100.0
        _send(source, time.time_ns() + int(shift * 1e9), sent)
        if np.isfinite(period):
            heapq.heappush(due, (at + period, place))


def _send(source: Source, stamp_ns: int, sent: dict[str, list[tuple[int, int]]]) -> None:
    if source.topic != DESCRIPTION:
        at = STAMP_AT.get(source.topic, 8 if source.topic == TF_STATIC else 4)
        if len(source.raw) >= at + 8:
            seconds, nanoseconds = divmod(stamp_ns, 1_000_000_000)
            source.raw[at : at + 8] = seconds.to_bytes(4, 'little') + nanoseconds.to_bytes(
                4, 'little'
            )
    raw = bytes(source.raw)
    source.publisher.publish(raw)
    sent.setdefault(source.topic, []).append((stamp_ns, digest(raw)))


if __name__ == '__main__':
    main()
