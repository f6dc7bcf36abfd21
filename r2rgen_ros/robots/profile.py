# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a URDF does not say of a robot: its arms, grippers, base, mounts and limits.

A profile is a small YAML file, or one of the presets of this package by its name.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from r2rgen_ros.model.errors import R2RGenError, check_range, require
from r2rgen_ros.model.yaml_file import YamlSection
from r2rgen_ros.robots.description import find_text, nearest, sorted_pairs, touching_pairs
from r2rgen_ros.robots.meshes import MeshFinder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

FORMAT = 'r2rgen/robot/1'
ANY_JOINT = '*'
"""Stands for every joint of an arm that has no value of its own."""
BASE_TYPES = ('fixed', 'mobile')
MOUNTS = ('external', 'base', 'wrist')
MAX_SPEED = 100.0
MAX_ACCELERATION = 10_000.0
MAX_WIDTH_M = 2.0

_PRESETS = Path(__file__).with_name('presets')
_LEAST = 1e-4
_T = TypeVar('_T')


@dataclass(frozen=True)
class Gripper:
    """What closes on objects.

    Attributes:
        joints: Its joints, those that follow others included.
        links: Links that may touch what is held.
        open_width_m: Distance of the fingers when open; None where not known.
        closed_width_m: Distance of the fingers when closed; None where not known.

    """

    joints: tuple[str, ...]
    links: tuple[str, ...]
    open_width_m: float | None = None
    closed_width_m: float | None = None

    def __post_init__(self) -> None:
        _check_names('joints of the gripper', self.joints)
        _check_names('links of the gripper', self.links)
        for what, width in (('open', self.open_width_m), ('closed', self.closed_width_m)):
            if width is not None:
                check_range(f'the width of the {what} gripper', width, 0.0, MAX_WIDTH_M, 'm')
        if self.open_width_m is not None and self.closed_width_m is not None:
            require(
                self.closed_width_m < self.open_width_m,
                f'the gripper is {self.closed_width_m:g} m wide when closed and'
                f' {self.open_width_m:g} m when open',
                'open wider than closed',
            )


@dataclass(frozen=True)
class ArmProfile:
    """One arm.

    Attributes:
        name: What skills and end effectors call it.
        end_effector: Link between the fingertips.
        joints: Joints that may be moved for it, from the base on; empty for all joints between base
            and end effector.
        max_speed: Largest speed by joint, rad/s (m/s where it slides), instead of the URDF's; the
            key `*` is for all others.
        max_acceleration: Largest acceleration by joint, rad/s^2 or m/s^2, likewise.
        gripper: Its gripper, if it has one.

    """

    name: str
    end_effector: str
    joints: tuple[str, ...] = ()
    max_speed: Mapping[str, float] = field(default_factory=dict)
    max_acceleration: Mapping[str, float] = field(default_factory=dict)
    gripper: Gripper | None = None

    def __post_init__(self) -> None:
        require(bool(self.name), 'an arm has no name', 'a name for each arm')
        require(
            bool(self.end_effector),
            f'arm "{self.name}" has no end effector',
            'the frame between its fingertips',
        )
        _check_names(f'joints of arm "{self.name}"', self.joints)
        for what, values, most in (
            ('max_speed', self.max_speed, MAX_SPEED),
            ('max_acceleration', self.max_acceleration, MAX_ACCELERATION),
        ):
            for joint, value in values.items():
                check_range(f'{what} of joint "{joint}"', value, _LEAST, most)
                near = nearest(joint, self.joints) or list(self.joints)
                require(
                    not self.joints or joint in (ANY_JOINT, *self.joints),
                    f'{what} names "{joint}", which is no joint of arm "{self.name}"',
                    f'one of {near}',
                )


@dataclass(frozen=True)
class BaseProfile:
    """What the arms stand on.

    Attributes:
        frame: Link that everything is expressed in; it carries all arms.
        type: "fixed", or "mobile" where it can drive.
        odom_frame: Frame that a mobile base's odometry is expressed in; empty for a fixed base.

    """

    frame: str
    type: str = 'fixed'
    odom_frame: str = ''

    def __post_init__(self) -> None:
        require(bool(self.frame), 'the base has no frame', 'the link that carries the arms')
        require(
            self.type in BASE_TYPES,
            f'the type of the base is "{self.type}"',
            f'one of {list(BASE_TYPES)}',
        )
        require(
            bool(self.odom_frame) == (self.type == 'mobile'),
            f'a {self.type} base has the odometry frame "{self.odom_frame}"',
            'an odometry frame for a mobile base, and none for a fixed one',
        )
        require(
            self.odom_frame != self.frame,
            f'the odometry frame is the base frame "{self.frame}"',
            'the frame that the base moves in, such as "odom"',
        )

    @property
    def is_mobile(self) -> bool:
        """Whether it can drive."""
        return self.type == 'mobile'


@dataclass(frozen=True)
class CameraProfile:
    """One camera.

    Attributes:
        name: What to call it.
        frame: Its optical frame (REP-103: z forward).
        mount: "external" (stands in the room), "base" (on the base, torso or head), or "wrist".

    """

    name: str
    frame: str
    mount: str

    def __post_init__(self) -> None:
        require(bool(self.name), 'a camera has no name', 'a name for each camera')
        require(bool(self.frame), f'camera "{self.name}" has no frame', 'its optical frame')
        require(
            self.mount in MOUNTS,
            f'the mount of camera "{self.name}" is "{self.mount}"',
            f'one of {list(MOUNTS)}',
        )


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
        _check_distinct('arms', [arm.name for arm in self.arms], fix)
        _check_distinct('end effectors', [arm.end_effector for arm in self.arms], fix)
        joints = [joint for arm in self.arms for joint in arm.joints]
        grips = [joint for arm in self.arms if arm.gripper for joint in arm.gripper.joints]
        _check_distinct('joints of arms', joints, fix)
        _check_distinct('joints of grippers', grips, fix)
        _check_distinct('cameras', [camera.name for camera in self.cameras], '')
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
        return {ANY_JOINT: part.number(_LEAST, most, unit)}
    return {str(key): part[key].number(_LEAST, most, unit) for key in part.data}


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


def _check_names(what: str, names: Sequence[str]) -> None:
    require(all(names), f'the {what} have an empty name', 'names')
    _check_distinct(what, names, '')


def _check_distinct(what: str, names: Iterable[str], fix: str) -> None:
    names = list(names)
    double = sorted({name for name in names if names.count(name) > 1})
    require(not double, f'two {what} are named {double}', 'different names', fix)
