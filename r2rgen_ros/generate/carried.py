# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where the camera is that recorded, or is rendered for, in the frames of an episode."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.geometry import se3
from r2rgen_ros.model.deployment import MountedCamera
from r2rgen_ros.model.driving import body_frame
from r2rgen_ros.model.errors import R2RGenError, require

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from r2rgen_ros.model.demo import Demo, Sensor
    from r2rgen_ros.model.episode import Episode
    from r2rgen_ros.robots.kinematics import Robot

    Floats = NDArray[np.float64]

_LOOKS = 8
_NEARER, _FARTHER = 0.9, 1.1
_RIGID = 5e-3
"""How far the camera may be from where a link would carry it, metres and entries of the rotation:
transforms are published apart from joints, and interpolated."""


def camera_path(
    mounted: MountedCamera, episode: Episode, demo: Demo, robot: Robot | None
) -> Floats:
    """Poses camera2base (M, 4, 4) of a mounted camera in the frames of an episode.

    Args:
        mounted: The camera; must have been let through by `require_link`.
        episode: The episode.
        demo: Its source.
        robot: Kinematics.

    """
    return _path(mounted, episode.ee2base, episode.joints, demo, robot)


def camera_path_of_source(mounted: MountedCamera, demo: Demo, robot: Robot | None) -> Floats:
    """Poses camera2base (T, 4, 4) that a mounted camera has in a demonstration, if it were there.

    Args:
        mounted: The camera; must have been let through by `require_link`.
        demo: The demonstration.
        robot: Kinematics.

    """
    joints = None if demo.joints is None else demo.joints.positions
    return _path(mounted, {arm.name: arm.ee2base for arm in demo.arms}, joints, demo, robot)


def _path(
    mounted: MountedCamera,
    ee2base: Mapping[str, Floats],
    joints: Floats | None,
    demo: Demo,
    robot: Robot | None,
) -> Floats:
    """Poses camera2base (M, 4, 4), where the hands (M, 4, 4) and joints (M, J) are these."""
    mount = mount_of(mounted, demo)
    if mount == demo.base_frame:
        return np.broadcast_to(mounted.camera2mount, (len(ee2base[demo.arms[0].name]), 4, 4))
    for arm in demo.arms:
        if mount == arm.end_effector:
            return np.asarray(ee2base[arm.name] @ mounted.camera2mount)
    assert robot is not None
    assert demo.joints is not None
    assert joints is not None
    edge = (demo.base_frame, mount)
    poses = robot.link_poses(demo.joints.names, joints, [edge])[edge]
    return np.asarray(poses @ mounted.camera2mount)


def mount_of(mounted: MountedCamera, demo: Demo) -> str:
    """Return the frame that a camera is mounted on; the base, which may drive, by default."""
    return mounted.mount or body_frame(demo)


def require_link(mounted: MountedCamera, demo: Demo, robot: Robot | None) -> None:
    """Check that the link that a camera is mounted on can be followed.

    Raises:
        R2RGenError: It cannot.

    """
    mount, hands = mount_of(mounted, demo), [arm.end_effector for arm in demo.arms]
    if mount in (demo.base_frame, *hands):
        return
    what = f'camera "{mounted.name}" is mounted on "{mount}"'
    if robot is None:
        raise R2RGenError(
            f'{what}, but "{demo.name}" has no {_lack(demo)}, so nobody knows where that is',
            f'the base "{demo.base_frame}" or an end effector, {hands}',
            'record /joint_states and /robot_description, or mount the camera on one of these',
        )
    require(
        mount in robot.links,
        f'{what}, which is no link of the robot',
        f'one of {[demo.base_frame, *robot.links]}',
        f'correct "mount" in the camera file of "{mounted.name}"',
    )


def _lack(demo: Demo) -> str:
    """What kinematics lack."""
    if demo.joints is None:
        return 'joint states'
    return 'robot_description' if demo.robot_description is None else 'kinematics of several arms'


def own_camera(demo: Demo, robot: Robot | None) -> MountedCamera:
    """Return the camera that recorded, mounted on the link that carries it.

    Args:
        demo: A demonstration of depth images.
        robot: Kinematics.

    Raises:
        R2RGenError: The camera moves, but with no link of the robot.

    """
    sensor = demo.sensor
    assert sensor is not None
    mount, pose = carrier(sensor, demo, robot)
    depths = [
        demo.frames[frame].depth
        for frame in np.unique(np.linspace(0, len(demo) - 1, _LOOKS).astype(int)).tolist()
    ]
    near = min(float(np.nanmin(depth)) for depth in depths if depth is not None)
    far = max(float(np.nanmax(depth)) for depth in depths if depth is not None)
    return MountedCamera(
        sensor.frame,
        sensor.camera,
        mount,
        pose,
        sensor.frame,
        range_m=range_around(near, far),
    )


def range_around(near: float, far: float) -> tuple[float, float]:
    """Return the range of a camera, by the least and largest depth of what it measured, metres."""
    return max(0.001, _NEARER * near), _FARTHER * far


def carrier(sensor: Sensor, demo: Demo, robot: Robot | None) -> tuple[str, Floats]:
    """Return the link that carries a camera, and the camera's pose (4, 4) in it.

    Args:
        sensor: The camera in the demonstration's frames.
        demo: The demonstration.
        robot: Kinematics.

    Returns:
        The link, empty for a base that stands, and the pose.

    Raises:
        R2RGenError: The camera moves, but with no link of the robot.

    """
    if sensor.is_static:
        return '' if demo.drive is None else demo.base_frame, sensor.camera2base[0]
    for link, link2base in _links(demo, robot):
        camera2link = se3.inverse(link2base) @ sensor.camera2base
        middle = camera2link[
            np.abs(camera2link - np.median(camera2link, axis=0)).max(axis=(1, 2)).argmin()
        ]
        if np.abs(camera2link - middle).max() < _RIGID:
            return link, middle
    raise R2RGenError(
        f'a camera of "{demo.name}" moves, but with no link of the robot',
        'a camera fixed to the base or to a link whose joints are recorded',
        'record /joint_states and /robot_description of what carries the camera, or render for'
        ' another camera: "camera: {render_for: FILE}"',
    )


def _links(demo: Demo, robot: Robot | None) -> Iterator[tuple[str, Floats]]:
    """Links and their poses (T, 4, 4) in the base frame, the end effectors first."""
    for arm in demo.arms:
        yield arm.end_effector, arm.ee2base
    if robot is None or demo.joints is None:
        return
    for link in reversed(robot.links):
        edge = (demo.base_frame, link)
        yield link, robot.link_poses(demo.joints.names, demo.joints.positions, [edge])[edge]
