# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a recorder looks at before it says that it is ready."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rclpy.serialization import deserialize_message

from r2rgen_ros.bags import messages
from r2rgen_ros.nodes.capture import message_class
from r2rgen_ros.nodes.stream_plan import LATCHED_ROLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from r2rgen_ros.nodes.capture import Message
    from r2rgen_ros.nodes.stream_monitor import StreamMonitor
    from r2rgen_ros.nodes.stream_plan import Planned

_KEPT_TF = 2000
_CAMERA_ROLES = ('depth', 'colour', 'camera_info', 'cloud')


@dataclass(frozen=True)
class Limits:
    """What is still sane.

    Attributes:
        base_frame: Frame of the robot's base; empty: not checked.
        end_effectors: Frames of the end effectors.
        camera_min_hz: Least rate of camera topics.
        joint_min_hz: Least rate of joints and transforms.
        latency_s: Largest difference of arrival and stamp.

    """

    base_frame: str
    end_effectors: tuple[str, ...]
    camera_min_hz: float
    joint_min_hz: float
    latency_s: float


@dataclass
class Sample:
    """What was heard of a topic while configuring: its first message, or all of a transform topic.

    Attributes:
        planned: The topic.
        monitor: Its rate and delay.
        raw: Messages as CDR.

    """

    planned: Planned
    monitor: StreamMonitor
    raw: list[bytes] = field(default_factory=list)

    def add(self, message: Message) -> None:
        """Count a message, and keep it if it is needed."""
        self.monitor.add(message.arrived_ns, message.stamp_ns, len(message.raw))
        limit = _KEPT_TF if self.planned.stream.type == messages.TF else 1
        if len(self.raw) < limit:
            self.raw.append(message.raw)

    def decoded(self) -> list[Any]:
        """Return the kept messages."""
        kind = message_class(self.planned.stream.type)
        return [deserialize_message(raw, kind) for raw in self.raw]


def check(samples: Sequence[Sample], limits: Limits, now_ns: int) -> list[str]:
    """Return what is wrong, each with its remedy; empty if a recording may begin.

    Args:
        samples: What was heard.
        limits: What is sane.
        now_ns: This machine's clock, at the end of listening.

    """
    faults = [fault for sample in samples for fault in _stream_faults(sample, limits, now_ns)]
    heads = {s.planned.stream.topic: s.decoded()[0] for s in samples if s.raw}
    faults += _size_faults([s for s in samples if s.raw], heads)
    tree = _Tree(samples)
    faults += tree.faults
    frames = {
        s.planned.stream.topic: heads[s.planned.stream.topic].header.frame_id
        for s in samples
        if s.raw and s.planned.role in _CAMERA_ROLES
    }
    return faults + _frame_faults(frames, tree, limits)


def _stream_faults(sample: Sample, limits: Limits, now_ns: int) -> list[str]:
    topic, role, monitor = sample.planned.stream.topic, sample.planned.role, sample.monitor
    if sample.planned.stream.latched or role in ('other', *LATCHED_ROLES):
        return []
    if not monitor.messages:
        return [f'{topic} ({role}) has a publisher but nothing arrives; check its driver and QoS']
    faults = []
    least = limits.camera_min_hz if role in _CAMERA_ROLES else limits.joint_min_hz
    rate = monitor.rate_hz(now_ns)
    if role != 'gripper' and rate < least:
        faults.append(
            f'{topic} ({role}) arrives at {rate:.1f} Hz, expected at least {least:g}; check its '
            'driver, its bus and the network'
        )
    if monitor.jumped_s > 0.0:
        faults.append(
            f'the stamps of {topic} go back by {monitor.jumped_s:.2f} s; two publishers, or a '
            'clock that was set: stop one, or restart the driver'
        )
    delay = monitor.skew_s(now_ns)
    if not math.isnan(delay) and abs(delay) > limits.latency_s:
        faults.append(
            f'the stamps of {topic} are {abs(delay):.1f} s {"behind" if delay > 0 else "ahead of"} '
            'this clock; synchronise the clocks '
            '(chrony), or set use_sim_time'
        )
    return faults


def _size_faults(samples: Sequence[Sample], heads: Mapping[str, Any]) -> list[str]:
    """Depth, colour and camera_info of a camera must have one size."""
    sizes: dict[str, dict[str, tuple[int, int]]] = {}
    for sample in samples:
        head = heads[sample.planned.stream.topic]
        if sample.planned.role in ('depth', 'colour', 'camera_info') and hasattr(head, 'width'):
            size = head.width, head.height
            sizes.setdefault(sample.planned.role, {})[sample.planned.stream.topic] = size
    depths, faults = sizes.get('depth', {}), []
    is_only_camera = len(depths) == 1 and len(sizes.get('colour', {})) <= 1
    for role in ('colour', 'camera_info'):
        for topic, (w, h) in sizes.get(role, {}).items():
            depth = _of_same_camera(topic, depths, is_only_camera=is_only_camera)
            if depth is not None and depths[depth] != (w, h):
                width, height = depths[depth]
                faults.append(
                    f'{topic} ({role}) is {w}x{h} but the depth is {width}x{height}; switch on '
                    'the alignment of depth to colour in the camera driver'
                )
    return faults


def _of_same_camera(topic: str, depths: Iterable[str], *, is_only_camera: bool) -> str | None:
    """The depth topic in the nearest namespace; None where none shares one with the topic."""
    near = {depth: len(os.path.commonpath([topic, depth])) for depth in depths}
    best = max(near, key=lambda depth: near[depth], default=None)
    return best if best is not None and (near[best] > 1 or is_only_camera) else None


def _frame_faults(frames: Mapping[str, str], tree: _Tree, limits: Limits) -> list[str]:
    faults = [
        f'{topic} names no frame (header.frame_id is empty); set the frame in its driver'
        for topic, frame in frames.items()
        if not frame
    ]
    if not limits.base_frame or tree.faults:
        return faults
    asked = {frame: topic for topic, frame in frames.items() if frame}
    asked.update(dict.fromkeys(limits.end_effectors, 'end_effector_frames'))
    for frame, why in sorted(asked.items()):
        if not tree.connected(limits.base_frame, frame):
            faults.append(
                f'no transform leads from {limits.base_frame} to {frame} ({why}); '
                f"{tree.known(limits.base_frame, frame)}publish the missing one (the camera's "
                'extrinsics, say) with static_transform_publisher, or correct the frame'
            )
    return faults


class _Tree:
    """The tree of transforms that was heard."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self._parents: dict[str, str] = {}
        self.faults: list[str] = []
        double = set()
        for sample in samples:
            if sample.planned.stream.type != messages.TF:
                continue
            for message in sample.decoded():
                for transform in message.transforms:
                    child, parent = transform.child_frame_id, transform.header.frame_id
                    if self._parents.setdefault(child, parent) != parent:
                        double.add(child)
        self.faults += [
            f'frame {child} has two parents in TF; stop one of the publishers'
            for child in sorted(double)
        ]
        self.faults += self._loops()

    def _loops(self) -> list[str]:
        for start in sorted(self._parents):
            chain, frame = [start], start
            while frame in self._parents:
                frame = self._parents[frame]
                if frame in chain:
                    ring = ' -> '.join([*chain[chain.index(frame) :], frame])
                    return [f'the transforms form a loop: {ring}; correct one of their publishers']
                chain.append(frame)
        return []

    def connected(self, one: str, other: str) -> bool:
        """Whether two frames hang together."""
        return self._root(one) == self._root(other)

    def known(self, *frames: str) -> str:
        """A remark on those of some frames that TF does not know at all."""
        here = set(self._parents) | set(self._parents.values())
        missing = [frame for frame in frames if frame not in here]
        if not missing:
            return ''
        have = ', '.join(sorted(here)[:12]) or 'none'
        return f'TF does not know {" and ".join(missing)} (frames: {have}); '

    def _root(self, frame: str) -> str:
        seen = {frame}
        while frame in self._parents:
            frame = self._parents[frame]
            if frame in seen:
                break
            seen.add(frame)
        return frame
