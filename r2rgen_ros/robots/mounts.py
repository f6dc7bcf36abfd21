# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whether base and cameras are mounted as a profile says, by the bag's tree of frames."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from r2rgen_ros.bags.frames import CALIBRATE
from r2rgen_ros.robots.description import listed, missing_names, nearest
from r2rgen_ros.robots.findings import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from r2rgen_ros.bags.recorded_robot import RecordedRobot
    from r2rgen_ros.robots.profile import RobotProfile
    from r2rgen_ros.robots.profile_parts import CameraProfile


def base_faults(profile: RobotProfile, recorded: RecordedRobot) -> Iterator[Fault]:
    """Whether a mobile base has odometry, and a fixed one stands still."""
    base, frames = profile.base, recorded.transforms
    if base.frame not in frames:
        return
    if not base.is_mobile:
        above = frames.path(frames.chain(base.frame)[-1], base.frame)
        moving = [edge for edge in above if not edge.is_static]
        if moving:
            parent = moving[0].parent
            yield Fault(
                f'the base "{base.frame}" is called fixed, but its transform in "{parent}" is'
                ' recorded as one that moves',
                f'write "type: mobile" and "odom_frame: {parent}" into the profile',
                is_needed=False,
            )
        return
    if not frames.connected(base.odom_frame, base.frame):
        yield Fault(
            f'the base is mobile, but no transform leads from its odometry "{base.odom_frame}" to'
            f' "{base.frame}"',
            _odometry_fix(profile, recorded),
        )


def _odometry_fix(profile: RobotProfile, recorded: RecordedRobot) -> str:
    base, frames = profile.base, recorded.transforms
    above = frames.chain(base.frame)[1:]
    if above:
        near = nearest(base.odom_frame, above, 1)
        named = [frame for frame in above if re.search('odom', frame)] or near or [above[-1]]
        return f'write "odom_frame: {named[0]}" into the profile, or record the odometry\'s own'
    if recorded.odometry:
        return (
            f'let the driver that publishes {recorded.odometry[0]} publish its transform as well,'
            ' and record /tf'
        )
    return (
        'record /tf with the odometry\'s transform, or write "type: fixed" into the profile if the'
        ' base stood still'
    )


def camera_faults(profile: RobotProfile, recorded: RecordedRobot) -> Iterator[Fault]:
    """Whether cameras are there, and mounted as the profile says."""
    frames, base = recorded.transforms, profile.base.frame
    if not frames.frames:
        return
    for camera in profile.cameras:
        if camera.frame not in frames:
            name = missing_names([camera.frame], frames.frames)
            yield Fault(
                f'the bag\'s transforms have no frame {name}, of camera "{camera.name}"',
                f'name its optical frame as the camera driver does, or {CALIBRATE}',
                is_needed=False,
            )
        elif base in frames and not frames.connected(base, camera.frame):
            yield Fault(
                f'no transform leads from "{base}" to "{camera.frame}", of camera "{camera.name}"',
                CALIBRATE,
            )
        elif base in frames:
            found = mounts_of(profile, recorded, camera)
            if camera.mount not in found:
                yield Fault(
                    f'the mount of camera "{camera.name}" is called {camera.mount}, but by the'
                    f' transforms it is {" or ".join(found)}',
                    f'write "mount: {found[0]}" into the profile, or correct the parent of'
                    f' {listed([frames.chain(camera.frame)[0]])} in /tf_static',
                )


def mounts_of(
    profile: RobotProfile, recorded: RecordedRobot, camera: CameraProfile
) -> tuple[str, ...]:
    """Mounts that a camera may have by the tree of frames; on a fixed base, two look the same."""
    frames, base = recorded.transforms, profile.base.frame
    still = {edge.child for edge in frames.edges if edge.is_static}
    below, partly = frames.chain(camera.frame), False
    for arm in profile.arms:
        if arm.end_effector in frames:
            moving = [f for f in frames.chain(arm.end_effector) if f not in still][:-1]
            moving = [f for f in moving if f not in frames.chain(base)]
            if moving and moving[0] in below:
                return ('wrist',)
            # A lifting torso, say, or a forearm: it moves, but not with the hand.
            partly |= any(frame in below for frame in moving)
    if partly:
        return 'base', 'wrist'
    if not profile.base.is_mobile:
        return 'external', 'base'
    return ('base',) if base in below else ('external',)
