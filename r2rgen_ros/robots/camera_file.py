# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Descriptions of mounted cameras: small YAML files, or presets of this package by name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.transform import Rotation

from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.camera import PinholeCamera
from r2rgen_ros.model.deployment import TOPICS, MountedCamera
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.model.yaml_file import YamlSection

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

FORMAT = 'r2rgen/camera/1'
_PRESETS = Path(__file__).with_name('cameras')
_LIMIT_M = 10.0
_MOST_PIXELS = 10_000


def camera_names() -> tuple[str, ...]:
    """Names of the presets, sorted."""
    return tuple(sorted(path.stem for path in _PRESETS.glob('*.yaml')))


def load_camera(name: str | Path) -> MountedCamera:
    """Read a camera: a preset by its name, or a file.

    Raises:
        R2RGenError: There is none, or the file is wrong: naming file and line.

    """
    if str(name) in camera_names():
        return read_camera(_PRESETS / f'{name}.yaml')
    path = Path(name)
    if not path.is_file():
        raise R2RGenError(
            f'there is no camera "{name}"', f'a file, or one of {list(camera_names())}'
        )
    return read_camera(path)


def read_camera(path: Path) -> MountedCamera:
    """Read a camera file.

    Raises:
        R2RGenError: Naming the file and the line.

    """
    root = YamlSection.read(path)
    root.keys(['format', 'image', 'pose', 'frame'], ['name', 'mount', 'topics', 'range_m'])
    if root['format'].data != FORMAT:
        raise root['format'].error(f'format is {root["format"].data!r}', f'"{FORMAT}"')
    optional: dict[str, Any] = {}
    if 'topics' in root:
        names = root['topics'].keys([], TOPICS)
        optional['topics'] = {name: root['topics'][name].text() for name in names}
    if 'range_m' in root:
        near, far = root['range_m'].numbers(2, 0.001, 100.0, 'm')
        optional['range_m'] = (near, far)
    try:
        return MountedCamera(
            root['name'].text() if 'name' in root else path.stem,
            _image(root['image']),
            root['mount'].text() if 'mount' in root and root['mount'].data != '' else '',
            _pose(root['pose']),
            root['frame'].text(),
            **optional,
        )
    except ValueError as error:
        raise root['image'].error(str(error)) from None
    except R2RGenError as error:
        if str(path) in error.found:
            raise
        raise R2RGenError(f'{path}: {error.found}', error.expected, error.fix) from None


def _image(part: YamlSection) -> PinholeCamera:
    part.keys(['width', 'height', 'fx', 'fy', 'cx', 'cy'], [])
    width, height = (part[key].whole(1, _MOST_PIXELS) for key in ('width', 'height'))
    fx, fy = (part[key].number(1.0, 1e5, 'pixels') for key in ('fx', 'fy'))
    cx, cy = (part[key].number(-1e5, 1e5, 'pixels') for key in ('cx', 'cy'))
    return PinholeCamera(width, height, fx, fy, cx, cy)


def _pose(part: YamlSection) -> NDArray[np.float64]:
    """Pose (4, 4) of the optical frame: a place, and one of three ways to say the direction."""
    part.keys(['position_m'], ['quaternion_xyzw', 'rpy_deg', 'look_at_m'])
    place = part['position_m'].numbers(3, -_LIMIT_M, _LIMIT_M, 'm')
    ways = [key for key in ('quaternion_xyzw', 'rpy_deg', 'look_at_m') if key in part]
    if len(ways) != 1:
        raise part.error(
            f'the direction is given by {ways}' if ways else 'no direction is given',
            'one of quaternion_xyzw, rpy_deg and look_at_m',
        )
    if ways == ['quaternion_xyzw']:
        values = np.array(part[ways[0]].numbers(4, -1.0, 1.0))
        length = float(np.linalg.norm(values))
        if abs(length - 1.0) > 1e-2:
            raise part[ways[0]].error(f'its length is {length:.3f}', '1')
        return se3.compose(Rotation.from_quat(values / length).as_matrix(), place)
    if ways == ['rpy_deg']:
        # Fixed axes x, y, z in turn, as in a URDF.
        angles = part[ways[0]].numbers(3, -360.0, 360.0, 'degrees')
        return se3.compose(Rotation.from_euler('xyz', angles, degrees=True).as_matrix(), place)
    target = part[ways[0]].numbers(3, -_LIMIT_M, _LIMIT_M, 'm')
    return _looking(part[ways[0]], np.array(place), np.array(target))


def _looking(part: YamlSection, place: Any, target: Any) -> NDArray[np.float64]:
    """Pose at a place that looks at a target; the image's up is as near to the mount's z as can be.

    Where it looks along z itself, the image's right is the mount's y.
    """
    forward = target - place
    length = float(np.linalg.norm(forward))
    if length < 1e-6:
        raise part.error('the camera would look at itself', 'another place than position_m')
    forward /= length
    right = np.cross(forward, [0.0, 0.0, 1.0])
    if np.linalg.norm(right) < 1e-6:
        right = np.array([0.0, 1.0, 0.0])
    right /= np.linalg.norm(right)
    return se3.compose(np.stack([right, np.cross(forward, right), forward], axis=1), place)
