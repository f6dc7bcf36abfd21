# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Faults of drivers, made on demand, to try out what watches them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from rclpy.serialization import deserialize_message, serialize_message

from r2rgen_ros.bags import messages

if TYPE_CHECKING:
    from collections.abc import Callable

    from r2rgen_ros.nodes.virtual_performance import Part

NONE = 'none'
CLOCK_STEP_NS = 5_000_000_000
"""How far the clock jumps backward."""
SLOWER = 10
"""A slow stream sends one message of so many."""
_DEPTHS = {'16UC1': np.uint16, 'mono16': np.uint16, '32FC1': np.float32}


class Fault:
    """Turns each message into what a faulty driver publishes instead.

    Args:
        kind: A key of `FAULTS`, or `NONE`.
        topic: What the fault `slow_stream` is about.
        at_once: Whether the fault is there from the beginning.

    """

    def __init__(self, kind: str, topic: str, *, at_once: bool) -> None:
        self.kind = kind
        self.topic = '/' + topic.lstrip('/')
        self.from_ns: int | None = 0 if at_once else None
        """Stamp from which it is there; None: not yet known."""
        self._count = 0

    def is_there(self, stamp: int) -> bool:
        """Whether it affects messages of a stamp, nanoseconds."""
        return self.kind != NONE and self.from_ns is not None and stamp >= self.from_ns

    def alter(self, part: Part, stamp: int, raw: bytes) -> list[bytes]:
        """Return what to publish for a message as recorded, with a stamp in nanoseconds."""
        if not self.is_there(stamp):
            return [part.moved(raw, stamp)]
        return FAULTS[self.kind](self, part, stamp, raw)

    def _camera_stops(self, part: Part, stamp: int, raw: bytes) -> list[bytes]:
        return [] if part.is_camera else [part.moved(raw, stamp)]

    def _slow_stream(self, part: Part, stamp: int, raw: bytes) -> list[bytes]:
        if part.topic == self.topic:
            self._count += 1
            if self._count % SLOWER:
                return []
        return [part.moved(raw, stamp)]

    def _clock_back(self, part: Part, stamp: int, raw: bytes) -> list[bytes]:
        return [part.moved(raw, stamp - CLOCK_STEP_NS)]

    def _tf_missing(self, part: Part, stamp: int, raw: bytes) -> list[bytes]:
        return [] if part.type == messages.TF else [part.moved(raw, stamp)]

    def _tf_loop(self, part: Part, stamp: int, raw: bytes) -> list[bytes]:
        good = part.moved(raw, stamp)
        if part.type != messages.TF or part.latched:
            return [good]
        looped = deserialize_message(good, part.message_class)
        # Its parent has no parent so far: now that is its own child.
        back = looped.transforms[0]
        back.header.frame_id, back.child_frame_id = back.child_frame_id, back.header.frame_id
        looped.transforms = [back]
        return [good, bytes(serialize_message(looped))]

    def _size_mismatch(self, part: Part, stamp: int, raw: bytes) -> list[bytes]:
        good = part.moved(raw, stamp)
        if part.type == messages.IMAGE:
            image = deserialize_message(good, part.message_class)
            if image.encoding in _DEPTHS:
                return [bytes(serialize_message(_halved(image)))]
        return [good]


def _halved(image: Any) -> Any:
    """Keep every second pixel of a depth image."""
    kind = _DEPTHS[image.encoding]
    rows = np.frombuffer(image.data, np.uint8).reshape(image.height, image.step)
    width = image.width * np.dtype(kind).itemsize
    pixels = np.ascontiguousarray(rows[:, :width]).view(kind)[::2, ::2]
    image.height, image.width = pixels.shape
    image.step = image.width * pixels.itemsize
    image.data = pixels.tobytes()
    return image


FAULTS: dict[str, Callable[[Fault, Part, int, bytes], list[bytes]]] = {
    'camera_stops': Fault._camera_stops,
    'slow_stream': Fault._slow_stream,
    'clock_back': Fault._clock_back,
    'tf_missing': Fault._tf_missing,
    'tf_loop': Fault._tf_loop,
    'size_mismatch': Fault._size_mismatch,
}
