# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A bag in the rerun viewer: clouds, images, hands and grippers over time."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from r2rgen_ros.bags import keys
from r2rgen_ros.bags.clouds import decode_cloud
from r2rgen_ros.bags.load import load_demo
from r2rgen_ros.bags.messages import stamp_ns
from r2rgen_ros.bags.reader import BagReader
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.model.paths import require_new

if TYPE_CHECKING:
    from pathlib import Path

    from r2rgen_ros.model.demo import Arm, Demo

TIMELINE = 'bag_time'
_AXIS_M = 0.08
_PATH_COLOUR = (90, 90, 90)


def view_bag(path: Path, *, save: Path | None = None) -> int:
    """Show a recorded or a generated demonstration in rerun.

    Args:
        path: The bag.
        save: Recording (.rrd) to write instead of opening the viewer.

    Returns:
        Number of frames shown.

    Raises:
        R2RGenError: rerun is not installed, the bag is no demonstration, or `save` exists.

    """
    try:
        import rerun
    except ImportError:
        raise R2RGenError(
            'viewing needs rerun, which is not installed', '', 'run: pip install rerun-sdk'
        ) from None
    demo = load_demo(path)
    stream = rerun.RecordingStream(f'r2rgen {demo.name}')
    if save is None:
        _spawn(stream)
        _log_demo(rerun, stream, demo)
        _log_labelled(rerun, stream, path)
        stream.flush()
        return len(demo)
    require_new(save)
    save.parent.mkdir(parents=True, exist_ok=True)
    temporary = save.with_name(f'.{save.name}.tmp-{os.getpid()}')
    try:
        stream.save(str(temporary))
        _log_demo(rerun, stream, demo)
        _log_labelled(rerun, stream, path)
        stream.flush()
        stream.disconnect()
        temporary.replace(save)
    finally:
        temporary.unlink(missing_ok=True)
    return len(demo)


def _spawn(stream: Any) -> None:
    if not (os.environ.get('DISPLAY') or os.environ.get('WAYLAND_DISPLAY')):
        raise R2RGenError(
            'there is no screen to open the viewer on',
            '',
            'save a recording with --save FILE.rrd and open it elsewhere with "rerun FILE.rrd"',
        )
    stream.spawn()


def _log_demo(rerun: Any, stream: Any, demo: Demo) -> None:
    stream.log('base', rerun.ViewCoordinates.RIGHT_HAND_Z_UP, static=True)
    for arm in demo.arms:
        places = arm.ee2base[:, :3, 3]
        path = rerun.LineStrips3D([places], colors=[_PATH_COLOUR])
        stream.log(f'base/path/{arm.name}', path, static=True)
    for index, stamp in enumerate(demo.stamps.tolist()):
        stream.set_time(TIMELINE, timestamp=np.datetime64(stamp, 'ns'))
        _log_frame(rerun, stream, demo, index)
        for arm in demo.arms:
            _log_arm(rerun, stream, arm, index)


def _log_frame(rerun: Any, stream: Any, demo: Demo, index: int) -> None:
    frame, sensor = demo.frames[index], demo.sensor
    if frame.cloud is not None:
        points = rerun.Points3D(frame.cloud.points, colors=frame.cloud.colours)
        stream.log('base/points', points)
    if sensor is None:
        return
    pose = sensor.camera2base[index]
    stream.log('base/camera', rerun.Transform3D(translation=pose[:3, 3], mat3x3=pose[:3, :3]))
    camera = sensor.camera
    pinhole = rerun.Pinhole(
        image_from_camera=camera.matrix,
        resolution=[camera.width, camera.height],
        camera_xyz=rerun.ViewCoordinates.RDF,
    )
    stream.log('base/camera/image', pinhole)
    if frame.depth is not None:
        stream.log('base/camera/image/depth', rerun.DepthImage(np.nan_to_num(frame.depth), meter=1))
    if frame.colour is not None:
        stream.log('base/camera/image/colour', rerun.Image(frame.colour))


def _log_arm(rerun: Any, stream: Any, arm: Arm, index: int) -> None:
    pose = arm.ee2base[index]
    axes = rerun.Arrows3D(
        origins=np.repeat(pose[None, :3, 3], 3, axis=0),
        vectors=_AXIS_M * pose[:3, :3].T,
        colors=[[200, 60, 50], [60, 150, 80], [50, 100, 200]],
    )
    stream.log(f'base/hand/{arm.name}', axes)
    if np.isfinite(arm.gripper[index]):
        stream.log(f'gripper/{arm.name}', rerun.Scalars(float(arm.gripper[index])))


def _log_labelled(rerun: Any, stream: Any, path: Path) -> None:
    """Log the labelled clouds of a generated episode; a recorded bag has none."""
    with BagReader(path) as reader:
        if keys.LABELLED_POINTS not in {topic.name for topic in reader.topics}:
            return
        for _, _, message in reader.decoded([keys.LABELLED_POINTS]):
            cloud, _ = decode_cloud(message)
            stamp = stamp_ns(message.header)
            stream.set_time(TIMELINE, timestamp=np.datetime64(stamp, 'ns'))
            points = rerun.Points3D(cloud.points, colors=cloud.colours)
            stream.log('base/labelled_points', points)
