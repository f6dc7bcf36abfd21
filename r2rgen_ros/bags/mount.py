# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where a mobile base stands: its odometry in transforms and messages, and what moving it changes.

A move of the base enters the tree of transforms in one place: the first moving edge above the base,
which REP-105 calls odom > base_link. What localisation says of odom in map is left as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from r2rgen_ros.bags.series import fractional_index
from r2rgen_ros.geometry import se3
from r2rgen_ros.model.demo import BasePath

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from r2rgen_ros.bags import tracks
    from r2rgen_ros.bags.transforms import TransformBuffer

    Floats = NDArray[np.float64]


class BaseMount(NamedTuple):
    """The edge of the tree of transforms that says where the base is.

    Attributes:
        edge: Parent, such as odom, and child, such as base_footprint.
        base2child: (4, 4) the base frame in that child.

    """

    edge: tuple[str, str]
    base2child: Floats


def find_mount(
    buffer: TransformBuffer, base: str, riders: Iterable[str], warnings: list[str]
) -> BaseMount | None:
    """Find the edge.

    Args:
        buffer: All transforms.
        base: The base frame.
        riders: Frames that should ride on the base: the camera's, and hands.
        warnings: Takes a note where one of them does not.

    Returns:
        None where the base is fixed, or something that should ride on it hangs in a frame above it.

    """
    edge = moving_edge(buffer, base)
    if edge is None:
        return None
    parent, child = edge
    for rider in riders:
        if buffer.connected(base, rider) and any(
            edge.child == child for edge in buffer.path(base, rider)
        ):
            warnings.append(
                f'"{rider}" hangs in "{parent}" and not on the base "{base}": odometry is left as'
                ' recorded, and moves of the base (sampling.base) would take it along all the same'
            )
            return None
    base2child = np.eye(4) if child == base else buffer.lookup(child, base, [0])[0]
    return BaseMount(edge, base2child)


def moving_edge(buffer: TransformBuffer, frame: str) -> tuple[str, str] | None:
    """Find the first transform above a frame that may change, as parent and child; None if none."""
    if frame not in buffer:
        return None
    still = {edge.child for edge in buffer.edges if edge.is_static}
    child = next((above for above in buffer.chain(frame) if above not in still), None)
    parent = None if child is None else buffer.parent(child)
    return None if child is None or parent is None else (parent, child)


def base_paths(
    buffer: TransformBuffer,
    base: str,
    mount: BaseMount | None,
    odometry: Sequence[tracks.OdometryTrack],
    stamps: NDArray[np.int64],
) -> tuple[BasePath, ...]:
    """Where the base was, in every frame that it moves in and that was recorded all along.

    Args:
        buffer: All transforms.
        base: The base frame.
        mount: Its odometry among them.
        odometry: Odometry as messages, for what is not in the transforms.
        stamps: (T,) nanoseconds, the frames of the camera.

    """
    found: dict[str, BasePath] = {}
    if mount is not None:
        chain = buffer.chain(base)
        for frame in chain[chain.index(mount.edge[1]) + 1 :]:
            span = buffer.time_range(frame, base)
            if span is not None and _within(stamps, *span):
                found[frame] = BasePath(
                    frame, buffer.lookup(frame, base, stamps, tolerance_ns=LONG)
                )
    for track in odometry:
        child2base = fixed_pose(buffer, base, track.child)
        if child2base is None or track.frame_id in found or not len(track):
            continue
        if _within(stamps, int(track.stamps[0]), int(track.stamps[-1])):
            poses = se3.from_quaternion(track.translations, track.quaternions)
            poses = se3.interpolate(poses, fractional_index(track.stamps, stamps))
            found[track.frame_id] = BasePath(track.frame_id, poses @ se3.inverse(child2base))
    return tuple(found.values())


LONG = 2**62
_SLACK_NS = 1_000_000_000
"""Odometry that ends so much earlier than the camera still tells where the base stood."""


def _within(stamps: NDArray[np.int64], first: int, last: int) -> bool:
    return bool(first - _SLACK_NS <= stamps[0] and stamps[-1] <= last + _SLACK_NS)


def fixed_pose(buffer: TransformBuffer, base: str, frame: str) -> Floats | None:
    """Pose frame2base (4, 4) of a frame that is fixed to the base; None for any other."""
    if frame == base:
        return np.eye(4)
    if not buffer.connected(base, frame):
        return None
    if not all(edge.is_static for edge in buffer.path(base, frame)):
        return None
    return np.asarray(buffer.lookup(base, frame, [0])[0])


def moved_with(frame2base: Floats, base2base: Floats) -> Floats:
    """What the pose of a frame on the base, in odom, is multiplied by from the right.

    With F = frame2base and M = base2base^-1, the pose of the new base in the old one, base2odom
    becomes base2odom M, and frame2odom = base2odom F becomes frame2odom (F^-1 M F).

    Args:
        frame2base: (4, 4) the frame.
        base2base: (4, 4) as in `Variation`.

    """
    if np.array_equal(base2base, np.eye(4)):
        return np.eye(4)  # without rounding
    return np.asarray(se3.inverse(frame2base) @ se3.inverse(base2base) @ frame2base)
