# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the user asks of a generation, checked; `config_file` reads it from config/generate.yaml."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from r2rgen_ros.bags.chunks import CHUNK_MIB, KINDS, LEVELS
from r2rgen_ros.model.episode import PlanarMove
from r2rgen_ros.model.errors import check_range, require

FORMAT = 'r2rgen/generate/1'
MODES = ('ranges', 'grid', 'given')
FILLS = ('none', 'shrink', 'expand')
OTHERS = ('render', 'omit')
MOMENTS = ('start', 'skills')
COMPRESSIONS = ('auto', *KINDS)
PLANNERS = ('blend', 'line', 'sampled')
CAMERA_MODES = ('auto', 'on', 'off')
DOCKING_SHAPES = ('normal', 'uniform')
LIMIT_M = 5.0
FAR_M = 1000.0
_ANYWHERE = (-FAR_M, FAR_M)
_MOMENTS = ', '.join(MOMENTS)


@dataclass(frozen=True)
class MoveRange:
    """Bounds of a move in the support plane: metres and degrees."""

    x_m: tuple[float, float] = (-0.1, 0.1)
    y_m: tuple[float, float] = (-0.1, 0.1)
    yaw_deg: tuple[float, float] = (-45.0, 45.0)

    def __post_init__(self) -> None:
        """Check order and bounds."""
        for name, limit in (('x_m', LIMIT_M), ('y_m', LIMIT_M), ('yaw_deg', 180.0)):
            low, high = getattr(self, name)
            check_range(f'the lower end of {name}', low, -limit, limit)
            check_range(f'the upper end of {name}', high, -limit, limit)
            require(low <= high, f'{name} runs from {low} down to {high}', 'low <= high')

    @property
    def is_wide(self) -> tuple[bool, bool, bool]:
        """Whether x, y and yaw can differ at all."""
        x, y, yaw = (low < high for low, high in (self.x_m, self.y_m, self.yaw_deg))
        return x, y, yaw


STILL = MoveRange((0.0, 0.0), (0.0, 0.0), (0.0, 0.0))


@dataclass(frozen=True)
class DockingConfig:
    """How far from where it should a mobile base comes to a stop, drawn for every attempt.

    Attributes:
        shape: uniform, or normal: with half of the largest error as standard deviation, cut off at
            the largest.
        position_m: Largest error along the base's x and along its y; 0 for none.
        yaw_deg: Largest error of its heading; 0 for none.

    """

    shape: str = 'normal'
    position_m: float = 0.0
    yaw_deg: float = 0.0

    def __post_init__(self) -> None:
        """Check the shape and ranges."""
        known = self.shape in DOCKING_SHAPES
        require(known, f'the docking shape is "{self.shape}"', f'one of {list(DOCKING_SHAPES)}')
        check_range('docking position_m', self.position_m, 0.0, 0.5, 'm')
        check_range('docking yaw_deg', self.yaw_deg, 0.0, 45.0, 'degrees')

    @property
    def is_off(self) -> bool:
        """Whether the base always stops where it should."""
        return self.position_m == 0.0 and self.yaw_deg == 0.0


@dataclass(frozen=True)
class SamplingConfig:
    """How group transforms are chosen.

    Attributes:
        mode: ranges (uniform), grid (cell centres in turn) or given (a list, in turn).
        ranges: Bounds for every sampled skill.
        skills: Bounds for single skills, by name.
        grid: Number of cells along x, y and yaw.
        given: Per configuration, moves by the name of the skill; skills left out stay.
        base: Bounds of the move of the robot's base together with its camera.
        base_frame: Frame along whose axes the base moves, such as odom; empty for the base's own.
        docking: Errors of a mobile base on top of that.
        learn: Whether ranges are drawn from again where the plane's checks, or what the arm was
            found to reach, already say that nothing can come of it.

    """

    mode: str = 'ranges'
    ranges: MoveRange = field(default_factory=MoveRange)
    skills: dict[str, MoveRange] = field(default_factory=dict)
    grid: tuple[int, int, int] = (3, 3, 3)
    given: tuple[dict[str, PlanarMove], ...] = ()
    base: MoveRange = STILL
    base_frame: str = ''
    docking: DockingConfig = field(default_factory=DockingConfig)
    learn: bool = True

    def __post_init__(self) -> None:
        """Check the mode and its data."""
        require(self.mode in MODES, f'sampling mode is "{self.mode}"', f'one of {list(MODES)}')
        require(
            self.mode != 'given' or bool(self.given),
            'sampling mode is "given" but no moves are given',
            'at least one entry under "given"',
        )
        require(min(self.grid) >= 1, f'the grid is {self.grid}', 'at least one cell each way')


@dataclass(frozen=True)
class PerturbationConfig:
    """Small perturbations around each configuration (paper: 3, 1.5 cm, 20 degrees).

    Attributes:
        count: Attempts per configuration; 1 takes the configuration as it is.
        translation_m: Largest move along x and y.
        yaw_deg: Largest turn.

    """

    count: int = 3
    translation_m: float = 0.015
    yaw_deg: float = 20.0

    def __post_init__(self) -> None:
        """Check ranges."""
        check_range('perturbation count', self.count, 1, 1000)
        check_range('perturbation translation_m', self.translation_m, 0.0, 1.0, 'm')
        check_range('perturbation yaw_deg', self.yaw_deg, 0.0, 180.0, 'degrees')


@dataclass(frozen=True)
class MotionConfig:
    """Limits of the motion between skills; the source's own largest step is always allowed.

    Attributes:
        max_speed_m_s: Speed of the end effector.
        max_turn_deg_s: Rate at which it turns.
        joint_speed_share: Share of the speeds in the URDF that joints may use. Controllers
            overshoot what they are told, and an arm stops itself at its full speed.
        max_joint_acceleration: Of every joint of the arm, rad/s^2 or m/s^2; a URDF has none.
        planners: What leads the arm from skill to skill, in the order in which they are tried:
            blend (the recorded motion), line (all joints straight) and sampled (around obstacles).

    """

    max_speed_m_s: float = 0.3
    max_turn_deg_s: float = 90.0
    joint_speed_share: float = 0.95
    max_joint_acceleration: float = 10.0
    planners: tuple[str, ...] = ('blend', 'line')

    def __post_init__(self) -> None:
        """Check ranges."""
        check_range('max_speed_m_s', self.max_speed_m_s, 1e-3, 10.0, 'm/s')
        check_range('max_turn_deg_s', self.max_turn_deg_s, 0.1, 3600.0, 'degrees/s')
        known = bool(self.planners) and set(self.planners) <= set(PLANNERS)
        require(known, f'the planners are {list(self.planners)}', f'some of {list(PLANNERS)}')
        check_range('joint_speed_share', self.joint_speed_share, 0.01, 1.0)
        check_range('max_joint_acceleration', self.max_joint_acceleration, 0.01, 1000.0, 'rad/s^2')


@dataclass(frozen=True)
class Workspace:
    """A box in the base frame, metres; as it is without arguments it bounds nothing."""

    x_m: tuple[float, float] = _ANYWHERE
    y_m: tuple[float, float] = _ANYWHERE
    z_m: tuple[float, float] = _ANYWHERE

    def __post_init__(self) -> None:
        """Check order and bounds."""
        for name in ('x_m', 'y_m', 'z_m'):
            low, high = getattr(self, name)
            check_range(f'the lower end of {name}', low, -FAR_M, FAR_M, 'm')
            check_range(f'the upper end of {name}', high, -FAR_M, FAR_M, 'm')
            require(low < high, f'{name} of the workspace runs from {low} to {high}', 'low < high')


@dataclass(frozen=True)
class FeasibilityConfig:
    """What is rejected.

    Attributes:
        clearance_m: Least gap between the footprints of objects moved differently.
        support_margin_m: How far inside the outline of the support a footprint must stay.
        min_visible_share: Share of an object's points that must lie inside the image.
        min_shown_share: Share of what an object would show alone that nothing else may hide.
        visible_at: When: `start` (all objects, first frame), `skills` (as well the targets of each
            skill as it begins), or source frames (all objects).
        workspace: Box that hands and the middles of objects must stay in.
        attempts_per_episode: Attempts that may be spent per wanted episode.
        collisions: Whether the robot and what it holds must keep clear of everything else; that
            needs the robot's description, joints and meshes.
        collision_clearance_m: How clear; where the source came closer, that is enough.

    """

    clearance_m: float = 0.005
    support_margin_m: float = 0.0
    min_visible_share: float = 0.7
    min_shown_share: float = 0.3
    visible_at: str | tuple[int, ...] = 'skills'
    workspace: Workspace = field(default_factory=Workspace)
    attempts_per_episode: int = 20
    collisions: bool = True
    collision_clearance_m: float = 0.01

    def __post_init__(self) -> None:
        """Check ranges."""
        check_range('clearance_m', self.clearance_m, 0.0, 1.0, 'm')
        check_range('support_margin_m', self.support_margin_m, -1.0, 1.0, 'm')
        check_range('min_visible_share', self.min_visible_share, 0.0, 1.0)
        check_range('min_shown_share', self.min_shown_share, 0.0, 1.0)
        if isinstance(self.visible_at, str):
            known = self.visible_at in MOMENTS
            require(known, f'visible_at is "{self.visible_at}"', f'{_MOMENTS}, or source frames')
        check_range('attempts_per_episode', self.attempts_per_episode, 1, 100_000)
        check_range('collision_clearance_m', self.collision_clearance_m, 0.0, 0.04, 'm')


@dataclass(frozen=True)
class CameraConfig:
    """The camera step: crop, patch-wise z-buffer, fill.

    Attributes:
        mode: auto (on where the camera is known), on or off.
        radius_px: Half width of the z-buffer patch; 0 lets it follow the spacing of the points.
        delta_m: Depth difference from which a nearer point hides a farther one.
        support_px: Pixels of the patch that must hold nearer points; 1 is the paper's rule.
        fill: What to do with the border that a moved environment leaves empty.
        render_for: Name of a camera preset, or path of a camera file, to render for in place of the
            camera that recorded; empty for that one.
        others: render or omit: what becomes of the further cameras of a recording.
        max_unseen_share: Share of any frame's pixels that may look at what the source never saw.
        noise: off, fitted (to the source), or the name of a preset or plug-in, or a path.
        noise_scale: By how much that noise is larger.

    """

    mode: str = 'auto'
    radius_px: int = 0
    delta_m: float = 0.01
    support_px: int = 5
    fill: str = 'shrink'
    render_for: str = ''
    others: str = 'render'
    max_unseen_share: float = 1.0
    noise: str = 'off'
    noise_scale: float = 1.0

    def __post_init__(self) -> None:
        """Check ranges."""
        require(
            not (self.render_for and self.mode == 'off'),
            'render_for is given, but the camera step is off',
            '',
            'set camera mode to auto or on, or leave out render_for',
        )
        require(
            self.mode in CAMERA_MODES, f'camera mode is "{self.mode}"', f'one of {CAMERA_MODES}'
        )
        require(
            self.others in OTHERS,
            f'others is "{self.others}"',
            f'one of {OTHERS}',
        )
        require(self.fill in FILLS, f'fill is "{self.fill}"', f'one of {FILLS}')
        check_range('radius_px', self.radius_px, 0, 64, 'pixels')
        check_range('delta_m', self.delta_m, 0.0, 1.0, 'm')
        check_range('support_px', self.support_px, 1, 9, 'pixels')
        check_range('max_unseen_share', self.max_unseen_share, 0.0, 1.0)
        check_range('noise_scale', self.noise_scale, 0.0, 10.0)


@dataclass(frozen=True)
class OutputConfig:
    """What is written.

    Attributes:
        compression: none, lz4 or zstd, inside the MCAP file; auto is zstd for images, none for
            clouds.
        compression_level: Of zstd, -7 (fast) to 19 (small).
        chunk_mib: Size of what is compressed as one, MiB: frames that repeat each other shrink
            where they lie in one chunk.
        images: Whether images are written; without them an episode holds clouds alone.
        labelled_points: Whether the labelled cloud is written beside the source's topics.
        labelled_count: Points of the labelled cloud; 0 keeps every point.
        joint_trajectory: Whether what controllers would be told is written as well.

    """

    compression: str = 'auto'
    compression_level: int = 1
    chunk_mib: int = 16
    images: bool = True
    labelled_points: bool = True
    labelled_count: int = 8192
    joint_trajectory: bool = True

    def __post_init__(self) -> None:
        """Check ranges."""
        require(
            self.compression in COMPRESSIONS,
            f'compression is "{self.compression}"',
            f'one of {COMPRESSIONS}',
        )
        check_range('compression_level', self.compression_level, *LEVELS)
        check_range('chunk_mib', self.chunk_mib, *CHUNK_MIB, 'MiB')
        check_range('labelled_count', self.labelled_count, 0, 10_000_000)


@dataclass(frozen=True)
class GenerateConfig:
    """All of config/generate.yaml.

    Attributes:
        robot: Name of a robot preset, or path of a profile; empty for none.

    """

    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    perturbation: PerturbationConfig = field(default_factory=PerturbationConfig)
    motion: MotionConfig = field(default_factory=MotionConfig)
    feasibility: FeasibilityConfig = field(default_factory=FeasibilityConfig)
    camera: CameraConfig = field(default_factory=CameraConfig)
    output: OutputConfig = field(default_factory=OutputConfig)
    robot: str = ''

    def to_data(self) -> dict[str, Any]:
        """Return plain data, for dataset.yaml; `parse_config` reads it back the same."""
        data: dict[str, Any] = {'format': FORMAT, **plain(asdict(self))}
        data['sampling']['given'] = [
            {
                name: {'x_m': move.x, 'y_m': move.y, 'yaw_deg': _degrees(move.yaw)}
                for name, move in moves.items()
            }
            for moves in self.sampling.given
        ]
        return data


def plain(value: Any) -> Any:
    """Return dictionaries, lists, text and numbers, as YAML has them, of all else."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, tuple | list):
        return [plain(part) for part in value]
    return value


def _degrees(radians: float) -> float:
    # Rounded far below anything measurable, so that 30 degrees are written as 30.
    return round(radians * 57.29577951308232, 9)
