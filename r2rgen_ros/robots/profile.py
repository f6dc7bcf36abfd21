# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a URDF does not say of a robot: its arms, grippers, base, mounts and limits.

A profile is a small YAML file, or one of the presets of this package by its name.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from r2rgen_ros.model.errors import R2RGenError, require
from r2rgen_ros.model.yaml_file import YamlSection
from r2rgen_ros.robots.description import find_text, nearest, sorted_pairs, touching_pairs
from r2rgen_ros.robots.meshes import MeshFinder
from r2rgen_ros.robots.profile_parts import (
    ANY_JOINT,
    BASE_TYPES,
    LEAST,
    MAX_ACCELERATION,
    MAX_SPEED,
    MAX_WIDTH_M,
    MOUNTS,
    ArmProfile,
    BaseProfile,
    CameraProfile,
    Gripper,
    check_distinct,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FORMAT = 'r2rgen/robot/1'
_PRESETS = Path(__file__).with_name('presets')
_T = TypeVar('_T')


@dataclass(frozen=True)
class RobotProfile:
    """A robot.

    Attributes:
        name: What to call it.
        base: What the arms stand on.
        arms: Its arms.
        cameras: Its cameras; may be empty.
        never_collide: Pairs of links that may touch, or that cannot.
        urdf: Name of the URDF, as `package://PKG/path` or a path; None for the bag's own.
        srdf: Name of the SRDF, likewise; None for none.
        folder: What relative paths count from; None where they are not known.

    """

    name: str
    base: BaseProfile
    arms: tuple[ArmProfile, ...]
    cameras: tuple[CameraProfile, ...] = ()
    never_collide: tuple[tuple[str, str], ...] = ()
    urdf: str | None = None
    srdf: str | None = None
    folder: Path | None = None

    def __post_init__(self) -> None:
        require(bool(self.name), 'the robot has no name', 'a name')
        require(bool(self.arms), f'robot "{self.name}" has no arms', 'at least one')
        fix = 'give each arm names of its own'
        check_distinct('arms', [arm.name for arm in self.arms], fix)
        check_distinct('end effectors', [arm.end_effector for arm in self.arms], fix)
        joints = [joint for arm in self.arms for joint in arm.joints]
        grips = [joint for arm in self.arms if arm.gripper for joint in arm.gripper.joints]
        check_distinct('joints of arms', joints, fix)
        check_distinct('joints of grippers', grips, fix)
        check_distinct('cameras', [camera.name for camera in self.cameras])
        for pair in self.never_collide:
            require(
                len(pair) == 2 and all(pair) and pair[0] != pair[1],
                f'never_collide has {list(pair)}',
                'pairs of two different links',
            )

    def arm(self, name: str) -> ArmProfile:
        """Return an arm by name.

        Raises:
            R2RGenError: There is no such arm.

        """
        for arm in self.arms:
            if arm.name == name:
                return arm
        names = [arm.name for arm in self.arms]
        raise R2RGenError(f'robot "{self.name}" has no arm "{name}"', f'one of {names}')

    def description(self, recorded: str | None, folders: Sequence[Path | str] = ()) -> str:
        """Return the text of the URDF.

        Args:
            recorded: The bag's robot_description, if it has one.
            folders: Each holds packages, or is one.

        Raises:
            R2RGenError: There is none, or it is not found.

        """
        if self.urdf is not None:
            return find_text(self.urdf, MeshFinder(folders, self.folder), 'the URDF')[1]
        require(
            recorded is not None,
            f'neither the bag nor the profile of "{self.name}" has a robot description',
            'a URDF',
            'record /robot_description, or name the file: "urdf: PATH" in the profile',
        )
        return str(recorded)

    def touching(self, folders: Sequence[Path | str] = ()) -> tuple[tuple[str, str], ...]:
        """Pairs of links that may touch, or cannot: the profile's and those of its SRDF, sorted.

        Args:
            folders: Each holds packages, or is one.

        Raises:
            R2RGenError: The SRDF is not found, or is none.

        """
        pairs = [*self.never_collide]
        if self.srdf is not None:
            path, text = find_text(self.srdf, MeshFinder(folders, self.folder), 'the SRDF')
            pairs += touching_pairs(text, path.name)
        return sorted_pairs(pairs)


def preset_names() -> tuple[str, ...]:
    """Names of the presets, sorted."""
    return tuple(sorted(path.stem for path in _PRESETS.glob('*.yaml')))


def load_profile(name_or_path: str | Path) -> RobotProfile:
    """Load a preset by its name, or a profile from a file.

    Raises:
        R2RGenError: There is neither, or the file is wrong: the message names file and line.

    """
    path = Path(name_or_path).expanduser()
    if str(name_or_path) in preset_names():
        return parse_profile(YamlSection.read(_PRESETS / f'{name_or_path}.yaml'))
    is_name = len(path.parts) == 1 and not path.suffix
    if is_name and not path.exists():
        near = nearest(path.name, preset_names(), 1)
        raise R2RGenError(
            f'there is no robot preset "{name_or_path}"'
            + (f' (nearest: "{near[0]}")' if near else ''),
            f'one of {list(preset_names())}, or a file',
        )
    return parse_profile(YamlSection.read(path), path.parent)


def parse_profile(root: YamlSection, folder: Path | None = None) -> RobotProfile:
    """Check and convert the contents of a profile.

    Args:
        root: The contents.
        folder: Folder that paths in it count from.

    Raises:
        R2RGenError: Naming the file and the line.

    """
    keys = ['urdf', 'srdf', 'cameras', 'never_collide']
    root.keys(['format', 'name', 'base', 'arms'], keys)
    if root['format'].data != FORMAT:
        raise root['format'].error(f'format is {root["format"].data!r}', f'"{FORMAT}"')
    name, base = root['name'].text(), _base(root['base'])
    arms = tuple(_arm(part) for part in root['arms'].items())
    # One at a time, so that an error names the line of the one that does not fit.
    for k in range(len(arms)):
        _checked(root['arms'][k], RobotProfile, name, base, arms[: k + 1])
    cameras = tuple(_camera(part) for part in root['cameras'].items())
    texts = {key: root[key].text() for key in ('urdf', 'srdf') if key in root}
    pairs = tuple(_pair(part) for part in root['never_collide'].items())
    profile = _checked(root, RobotProfile, name, base, arms, cameras, pairs, folder=folder, **texts)
    for key, text in texts.items():
        _check_file(root[key], text, folder)
    return profile


def _checked(section: YamlSection, noun: Callable[..., _T], *parts: Any, **named: Any) -> _T:
    """Build a noun from parts already read, and let its own check name the line."""
    try:
        return noun(*parts, **named)
    except R2RGenError as error:
        raise section.error(error.found, error.expected, error.fix) from None


def _check_file(part: YamlSection, name: str, folder: Path | None) -> None:
    """Raise where a plain path leads nowhere; packages are looked for only when they are used."""
    if '://' not in name and MeshFinder((), folder).find(name) is None:
        raise part.error(
            f'there is no file {(folder or Path()) / name}',
            'a file',
            'correct the path, which counts from the folder of the profile, or take the key out',
        )


def _base(part: YamlSection) -> BaseProfile:
    part.keys(['frame', 'type'], ['odom_frame'])
    kind = part['type'].choice(BASE_TYPES)
    odom = _frame(part['odom_frame']) if 'odom_frame' in part else ''
    if kind == 'mobile' and not odom:
        odom = 'odom'  # its name in REP-105
    return _checked(part, BaseProfile, _frame(part['frame']), kind, odom)


def _arm(part: YamlSection) -> ArmProfile:
    part.keys(['name', 'end_effector'], ['joints', 'max_speed', 'max_acceleration', 'gripper'])
    return _checked(
        part,
        ArmProfile,
        part['name'].text(),
        _frame(part['end_effector']),
        part['joints'].words(),
        _joint_values(part['max_speed'], MAX_SPEED, 'rad/s or m/s'),
        _joint_values(part['max_acceleration'], MAX_ACCELERATION, 'rad/s^2 or m/s^2'),
        _gripper(part['gripper']) if 'gripper' in part else None,
    )


def _joint_values(part: YamlSection, most: float, unit: str) -> dict[str, float]:
    """One number for all joints, or a number per joint; null is nothing."""
    if part.data is None:
        return {}
    if not isinstance(part.data, dict):
        return {ANY_JOINT: part.number(LEAST, most, unit)}
    return {str(key): part[key].number(LEAST, most, unit) for key in part.data}


def _gripper(part: YamlSection) -> Gripper:
    part.keys(['joints', 'links'], ['open_width_m', 'closed_width_m'])
    widths = {
        key: part[key].number(0.0, MAX_WIDTH_M, 'm')
        for key in ('open_width_m', 'closed_width_m')
        if key in part
    }
    return _checked(part, Gripper, part['joints'].words(), part['links'].words(), **widths)


def _camera(part: YamlSection) -> CameraProfile:
    part.keys(['name', 'frame', 'mount'])
    mount = part['mount'].choice(MOUNTS)
    return _checked(part, CameraProfile, part['name'].text(), _frame(part['frame']), mount)


def _pair(part: YamlSection) -> tuple[str, str]:
    words = part.words()
    if len(words) != 2 or words[0] == words[1]:
        raise part.error(f'{part.name} is {list(words)}', 'two different links')
    return words[0], words[1]


def _frame(part: YamlSection) -> str:
    """A frame's name as tf2 has it, without a leading slash."""
    return part.text().strip().lstrip('/')
