# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""/tf and /tf_static as one buffer that is asked for many instants at once.

The graph of frames is pytransform3d's `TemporalTransformManager`. It is handed whole nanoseconds
counted from the first transform, which float64 seconds since 1970 could not hold, and transforms
that interpolate as tf2 does: positions linearly, rotations along the shortest arc.
"""

from __future__ import annotations

import difflib
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from pytransform3d.transform_manager import TemporalTransformManager, TimeVaryingTransform

from r2rgen_ros.bags.messages import stamp_ns
from r2rgen_ros.bags.series import fractional_index
from r2rgen_ros.geometry import se3
from r2rgen_ros.model.errors import R2RGenError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import ArrayLike, NDArray

    Stamps = NDArray[np.int64]
    Poses = NDArray[np.float64]

TOLERANCE_NS = 100_000_000
"""How far outside a transform's recorded time it still counts: 0.1 s."""


class Edge(NamedTuple):
    """A child frame and its parent."""

    parent: str
    child: str
    is_static: bool


def frame_name(name: str) -> str:
    """A frame's name as tf2 has it, without the leading slash of tf."""
    return name.lstrip('/')


@dataclass(frozen=True)
class EdgeSamples:
    """What was recorded of one edge.

    Attributes:
        parent: Parent frame.
        child: Child frame.
        is_static: Whether it holds for all time.
        stamps: (N,) int64 nanoseconds, rising.
        poses: (N, 4, 4) child to parent.

    """

    parent: str
    child: str
    is_static: bool
    stamps: Stamps
    poses: Poses


class _Track(TimeVaryingTransform):  # type: ignore[misc]
    """Recorded poses of one edge, evaluated at int64 nanoseconds."""

    def __init__(self, samples: EdgeSamples) -> None:
        self.samples = samples

    def as_matrix(self, query_time: Any) -> Poses:
        """Poses (Q, 4, 4) at times (Q,); before the first and after the last they stand still."""
        if self.samples.is_static or len(self.samples.stamps) == 1:
            still: Poses = np.broadcast_to(self.samples.poses[-1], (len(query_time), 4, 4))
            return still
        at = fractional_index(self.samples.stamps, query_time)
        poses: Poses = se3.interpolate(self.samples.poses, at)
        return poses

    def check_transforms(self) -> _Track:
        """Nothing to do: samples are checked when they come in."""
        return self


class TransformBuffer:
    """All transforms of a recording.

    Frames with a leading slash are those without. A child with several parents keeps its static
    one, else the one recorded most often. Of transforms with the same stamp the first counts, as
    in tf2; those out of order are put in order; those without a valid rotation are left out. What
    was mended is said in `notes`.

    Args:
        samples: Per edge, what was recorded.
        notes: What was mended.

    """

    def __init__(self, samples: Iterable[EdgeSamples], notes: Iterable[str] = ()) -> None:
        self._samples = {item.child: item for item in samples}
        self.notes = tuple(notes)

    @classmethod
    def from_messages(cls, dynamic: Iterable[Any], static: Iterable[Any] = ()) -> TransformBuffer:
        """Build the buffer from tf2_msgs/TFMessage (or tf/tfMessage) objects.

        Args:
            dynamic: Messages of /tf.
            static: Messages of /tf_static.

        """
        builder = TransformBuilder()
        for messages, is_static in ((dynamic, False), (static, True)):
            for message in messages:
                for item in message.transforms:
                    builder.add(item, is_static=is_static)
        return builder.build()

    @cached_property
    def frames(self) -> tuple[str, ...]:
        """Names of all frames, sorted."""
        names = set(self._samples) | {item.parent for item in self._samples.values()}
        return tuple(sorted(names))

    @property
    def edges(self) -> tuple[Edge, ...]:
        """All edges, by parent and child."""
        return tuple(sorted(Edge(x.parent, x.child, x.is_static) for x in self._samples.values()))

    def __contains__(self, frame: str) -> bool:
        return frame_name(frame) in self.frames

    def parent(self, frame: str) -> str | None:
        """The parent of a frame; None for a root."""
        samples = self._samples.get(frame_name(frame))
        return None if samples is None else samples.parent

    def chain(self, frame: str) -> tuple[str, ...]:
        """A frame and its ancestors, up to its root.

        Raises:
            R2RGenError: The frame is unknown.

        """
        frame = self.check(frame)
        out = [frame]
        while (above := self.parent(out[-1])) is not None and above not in out:
            out.append(above)
        return tuple(out)

    @property
    def roots(self) -> tuple[str, ...]:
        """Frames without a parent, sorted."""
        return tuple(frame for frame in self.frames if self.parent(frame) is None)

    @property
    def leaves(self) -> tuple[str, ...]:
        """Frames without a child, sorted."""
        parents = {item.parent for item in self._samples.values()}
        return tuple(frame for frame in self.frames if frame not in parents)

    def connected(self, first: str, second: str) -> bool:
        """Whether both frames are known and hang in the same tree."""
        if first not in self or second not in self:
            return False
        return self.chain(first)[-1] == self.chain(second)[-1]

    def path(self, target_frame: str, source_frame: str) -> tuple[Edge, ...]:
        """The edges between two frames, from the target's side on.

        Raises:
            R2RGenError: A frame is unknown, or no path joins them.

        """
        up = self.chain(source_frame)
        down = self.chain(target_frame)
        common = next((frame for frame in up if frame in down), None)
        if common is None:
            raise self._no_path(target_frame, source_frame)
        children = [*down[: down.index(common)], *reversed(up[: up.index(common)])]
        found = [self._samples[child] for child in children]
        return tuple(Edge(x.parent, x.child, x.is_static) for x in found)

    def edge_samples(self, parent: str, child: str) -> tuple[Stamps, Poses]:
        """Stamps (N,) and poses (N, 4, 4), child to parent, of one edge.

        Raises:
            R2RGenError: There is no such edge.

        """
        samples = self._samples.get(frame_name(child))
        if samples is None or samples.parent != frame_name(parent):
            pairs = [f'{x.parent} > {x.child}' for x in self._samples.values()]
            near = difflib.get_close_matches(f'{parent} > {child}', pairs)
            raise R2RGenError(
                f'there is no transform {parent} > {child}', f'one as {near or pairs[:8]}'
            )
        return samples.stamps, samples.poses

    def check(self, frame: str) -> str:
        """Return a frame's name without a leading slash.

        Raises:
            R2RGenError: No transform names the frame.

        """
        name = frame_name(frame)
        if name not in self.frames:
            near = difflib.get_close_matches(name, self.frames, n=5, cutoff=0.5)
            raise R2RGenError(
                f'the frame "{name}" is unknown',
                f'one of {list(near or self.frames[:12])}',
                'choose with --base-frame or --ee-frame, or record /tf and /tf_static',
            )
        return name

    def time_range(self, target_frame: str, source_frame: str) -> tuple[int, int] | None:
        """First and last instant at which every moving edge between two frames was recorded.

        Returns:
            Nanoseconds; None where no edge moves. The last may come before the first.

        Raises:
            R2RGenError: A frame is unknown, or no path joins them.

        """
        moving = [
            self._samples[edge.child].stamps
            for edge in self.path(target_frame, source_frame)
            if not edge.is_static
        ]
        if not moving:
            return None
        return max(int(s[0]) for s in moving), min(int(s[-1]) for s in moving)

    def lookup(
        self,
        target_frame: str,
        source_frame: str,
        stamps_ns: ArrayLike,
        *,
        tolerance_ns: int = TOLERANCE_NS,
    ) -> Poses:
        """Poses of one frame in another at many instants.

        Args:
            target_frame: Frame of the result.
            source_frame: Frame whose pose is wanted.
            stamps_ns: (T,) int64 nanoseconds.
            tolerance_ns: How far outside the recorded time the nearest transform still counts.

        Returns:
            source2target (T, 4, 4).

        Raises:
            R2RGenError: A frame is unknown, no path joins the two, or an instant lies outside what
                was recorded by more than the tolerance.

        """
        stamps = np.asarray(stamps_ns, dtype=np.int64).reshape(-1)
        target, source = self.check(target_frame), self.check(source_frame)
        self._check_times(target, source, stamps, tolerance_ns)
        poses = self._manager.get_transform_at_time(source, target, stamps)
        return np.array(np.broadcast_to(poses, (len(stamps), 4, 4)))

    def _check_times(self, target: str, source: str, stamps: Stamps, tolerance: int) -> None:
        for edge in self.path(target, source):
            if edge.is_static or not stamps.size:
                continue
            own = self._samples[edge.child].stamps
            early = int(own[0] - stamps.min())
            late = int(stamps.max() - own[-1])
            if max(early, late) > tolerance:
                side = 'before it was first' if early >= late else 'after it was last'
                raise R2RGenError(
                    f'{edge.parent} > {edge.child} is asked for {max(early, late) / 1e9:.3f} s'
                    f' {side} recorded',
                    f'at most {tolerance / 1e9:g} s',
                    'start recording before the motion and stop after it; check that the clocks'
                    ' of the camera and the robot agree',
                )

    @cached_property
    def _manager(self) -> TemporalTransformManager:
        manager = TemporalTransformManager(check=False)
        for item in self._samples.values():
            manager.add_transform(item.child, item.parent, _Track(item))
        return manager

    def _no_path(self, target: str, source: str) -> R2RGenError:
        trees = f'"{self.chain(target)[-1]}" and "{self.chain(source)[-1]}"'
        return R2RGenError(
            f'no path of transforms joins "{frame_name(source)}" to "{frame_name(target)}": they'
            f' hang in the trees of {trees}',
            'one tree',
            'publish the missing transform (for a camera, its calibration) to /tf_static',
        )


class TransformBuilder:
    """Collects transforms message by message."""

    def __init__(self) -> None:
        self._stamps: dict[Edge, list[int]] = {}
        self._values: dict[Edge, list[tuple[float, ...]]] = {}
        self._slashes = 0

    def add(self, item: Any, *, is_static: bool) -> None:
        """Add one geometry_msgs/TransformStamped."""
        parent, child = item.header.frame_id, item.child_frame_id
        self._slashes += parent.startswith('/') or child.startswith('/')
        edge = Edge(frame_name(parent), frame_name(child), is_static)
        place, turn = item.transform.translation, item.transform.rotation
        self._stamps.setdefault(edge, []).append(stamp_ns(item.header))
        self._values.setdefault(edge, []).append(
            (place.x, place.y, place.z, turn.x, turn.y, turn.z, turn.w)
        )

    def build(self) -> TransformBuffer:
        """Put everything in order and return the buffer."""
        notes = Counter[str]()
        if self._slashes:
            notes['had a leading slash in a frame name'] = self._slashes
        chosen = self._one_parent_each(notes)
        samples = [found for edge in chosen if (found := self._ordered(edge, notes)) is not None]
        return TransformBuffer(samples, [f'{n} transforms {what}' for what, n in notes.items()])

    def _one_parent_each(self, notes: Counter[str]) -> list[Edge]:
        best: dict[str, Edge] = {}
        for edge, stamps in self._stamps.items():
            if edge.parent == edge.child:
                notes['had one frame as parent and child'] += len(stamps)
                continue
            other = best.get(edge.child)
            if other is None or self._rank(edge) > self._rank(other):
                best[edge.child] = edge
        kept = set(best.values())
        for edge, stamps in self._stamps.items():
            if edge not in kept and edge.parent != edge.child:
                notes[f'gave "{edge.child}" a second parent or were static as well'] += len(stamps)
        return [edge for edge in self._stamps if edge in kept]

    def _rank(self, edge: Edge) -> tuple[bool, int]:
        return edge.is_static, len(self._stamps[edge])

    def _ordered(self, edge: Edge, notes: Counter[str]) -> EdgeSamples | None:
        stamps = np.array(self._stamps[edge], dtype=np.int64)
        values = np.array(self._values[edge])
        length = np.linalg.norm(values[:, 3:], axis=1)
        valid = np.isfinite(values).all(axis=1) & (np.abs(length - 1.0) < 0.01)
        if not valid.all():
            notes['had no valid rotation or position'] += int((~valid).sum())
            stamps, values = stamps[valid], values[valid]
        if not len(stamps):
            return None
        if edge.is_static:
            stamps, values = stamps[-1:], values[-1:]
        if (np.diff(stamps) < 0).any():
            notes['came out of order'] += int((np.diff(stamps) < 0).sum())
        stamps, first = np.unique(stamps, return_index=True)
        if len(first) < len(values):
            notes['repeated a stamp'] += len(values) - len(first)
        poses = se3.from_quaternion(values[first, :3], values[first, 3:])
        return EdgeSamples(edge.parent, edge.child, edge.is_static, stamps, poses)
