# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""config/generate.yaml -> GenerateConfig, with errors that name the line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from r2rgen_ros.bags.chunks import CHUNK_MIB, LEVELS
from r2rgen_ros.generate.config import (
    CAMERA_MODES,
    COMPRESSIONS,
    DOCKING_SHAPES,
    FAR_M,
    FILLS,
    FORMAT,
    LIMIT_M,
    MODES,
    MOMENTS,
    OTHERS,
    PLANNERS,
    STILL,
    CameraConfig,
    DockingConfig,
    FeasibilityConfig,
    GenerateConfig,
    MotionConfig,
    MoveRange,
    OutputConfig,
    PerturbationConfig,
    SamplingConfig,
    Workspace,
)
from r2rgen_ros.model.episode import PlanarMove
from r2rgen_ros.model.yaml_file import YamlSection
from r2rgen_ros.robots.camera_file import camera_names
from r2rgen_ros.robots.profile import preset_names

if TYPE_CHECKING:
    from collections.abc import Callable


def _radians(degrees: float) -> float:
    return degrees * 0.017453292519943295


def read_config(path: Path) -> GenerateConfig:
    """Read a configuration file; what it leaves out keeps its default.

    Raises:
        R2RGenError: Naming the file and the line.

    """
    config = parse_config(YamlSection.read(path))
    if config.robot and config.robot not in preset_names():
        # A path in a file counts from that file; a mere name without a file is that of a preset.
        place, said = _beside(path, config.robot), Path(config.robot)
        if Path(place).exists() or said.exists() or said.suffix or len(said.parts) > 1:
            config = replace(config, robot=place)
    wanted = config.camera.render_for
    if wanted and wanted not in camera_names():
        camera = replace(config.camera, render_for=_beside(path, wanted))
        config = replace(config, camera=camera)
    noise = config.camera.noise
    if noise.endswith(('.yaml', '.yml')) or '/' in noise:
        config = replace(config, camera=replace(config.camera, noise=_beside(path, noise)))
    return config


def _beside(file: Path, name: str) -> str:
    """A path that is named in a file, in full."""
    return str((file.absolute().parent / name).resolve())


def parse_config(root: YamlSection) -> GenerateConfig:
    """Check and convert the contents of a configuration file.

    Raises:
        R2RGenError: Naming the file and the line.

    """
    parts: dict[str, Callable[[YamlSection], Any]] = {
        'sampling': _sampling,
        'perturbation': _perturbation,
        'motion': _motion,
        'feasibility': _feasibility,
        'camera': _camera,
        'output': _output,
    }
    root.keys(['format'], [*parts, 'robot'])
    if root['format'].data != FORMAT:
        raise root['format'].error(f'format is {root["format"].data!r}', f'"{FORMAT}"')
    values = {key: read(root[key]) for key, read in parts.items() if key in root}
    if 'robot' in root and root['robot'].data != '':
        values['robot'] = root['robot'].text()
    return GenerateConfig(**values)


def _move_range(part: YamlSection, default: MoveRange) -> MoveRange:
    part.keys([], ['x_m', 'y_m', 'yaw_deg'])
    values: dict[str, tuple[float, float]] = {}
    for key, limit, unit in (
        ('x_m', LIMIT_M, 'm'),
        ('y_m', LIMIT_M, 'm'),
        ('yaw_deg', 180.0, ''),
    ):
        if key in part:
            low, high = part[key].numbers(2, -limit, limit, unit)
            if low > high:
                raise part[key].error(f'{key} runs from {low} down to {high}', 'low <= high')
            values[key] = (low, high)
    return replace(default, **values)


def _skill_names(part: YamlSection) -> tuple[str, ...]:
    """Keys of a mapping from names of skills; whether there are such skills shows later."""
    names = part.keys([], list(part.data) if isinstance(part.data, dict) else [])
    for name in names:
        if not isinstance(name, str):
            raise part[str(name)].error(f'{name!r} is no name of a skill', 'text, in quotes')
    return names


def _given(part: YamlSection) -> dict[str, PlanarMove]:
    out = {}
    for name in _skill_names(part):
        move = part[name]
        move.keys([], ['x_m', 'y_m', 'yaw_deg'])
        x, y, yaw = (
            move[key].number(-limit, limit) if key in move else 0.0
            for key, limit in (('x_m', LIMIT_M), ('y_m', LIMIT_M), ('yaw_deg', 180.0))
        )
        out[name] = PlanarMove(x, y, _radians(yaw))
    return out


def _sampling(part: YamlSection) -> SamplingConfig:
    part.keys(
        [], ['mode', 'ranges', 'skills', 'grid', 'given', 'base', 'base_frame', 'docking', 'learn']
    )
    values: dict[str, Any] = {}
    if 'mode' in part:
        values['mode'] = part['mode'].choice(MODES)
    ranges = _move_range(part['ranges'], MoveRange()) if 'ranges' in part else MoveRange()
    if 'skills' in part:
        names = _skill_names(part['skills'])
        values['skills'] = {name: _move_range(part['skills'][name], ranges) for name in names}
    if 'grid' in part:
        cells = part['grid'].items()
        if len(cells) != 3:
            raise part['grid'].error(f'the grid has {len(cells)} entries', '3: x, y, yaw')
        values['grid'] = tuple(cell.whole(1, 1000) for cell in cells)
    if 'given' in part:
        values['given'] = tuple(_given(item) for item in part['given'].items())
    if 'base' in part:
        values['base'] = _move_range(part['base'], STILL)
    if 'base_frame' in part and part['base_frame'].data != '':
        values['base_frame'] = part['base_frame'].text()
    if 'docking' in part:
        values['docking'] = _docking(part['docking'])
    if 'learn' in part:
        values['learn'] = part['learn'].flag()
    if values.get('mode') == 'given' and not values.get('given'):
        raise part['mode'].error('mode is "given" but nothing is given', 'a list under "given"')
    return SamplingConfig(ranges=ranges, **values)


def _docking(part: YamlSection) -> DockingConfig:
    part.keys([], ['shape', 'position_m', 'yaw_deg'])
    values: dict[str, Any] = {}
    if 'shape' in part:
        values['shape'] = part['shape'].choice(DOCKING_SHAPES)
    if 'position_m' in part:
        values['position_m'] = part['position_m'].number(0, 0.5, 'm')
    if 'yaw_deg' in part:
        values['yaw_deg'] = part['yaw_deg'].number(0, 45, 'degrees')
    return DockingConfig(**values)


def _perturbation(part: YamlSection) -> PerturbationConfig:
    part.keys([], ['count', 'translation_m', 'yaw_deg'])
    values: dict[str, Any] = {}
    if 'count' in part:
        values['count'] = part['count'].whole(1, 1000)
    if 'translation_m' in part:
        values['translation_m'] = part['translation_m'].number(0, 1, 'm')
    if 'yaw_deg' in part:
        values['yaw_deg'] = part['yaw_deg'].number(0, 180, 'degrees')
    return PerturbationConfig(**values)


def _motion(part: YamlSection) -> MotionConfig:
    part.keys(
        [],
        [
            'max_speed_m_s',
            'max_turn_deg_s',
            'planners',
            'joint_speed_share',
            'max_joint_acceleration',
        ],
    )
    values: dict[str, Any] = {}
    if 'max_speed_m_s' in part:
        values['max_speed_m_s'] = part['max_speed_m_s'].number(1e-3, 10, 'm/s')
    if 'max_turn_deg_s' in part:
        values['max_turn_deg_s'] = part['max_turn_deg_s'].number(0.1, 3600, 'degrees/s')
    if 'planners' in part:
        values['planners'] = tuple(item.choice(PLANNERS) for item in part['planners'].items())
        if not values['planners']:
            raise part['planners'].error('no planner is named', f'some of {list(PLANNERS)}')
    if 'joint_speed_share' in part:
        values['joint_speed_share'] = part['joint_speed_share'].number(0.01, 1)
    if 'max_joint_acceleration' in part:
        key = 'max_joint_acceleration'
        values[key] = part[key].number(0.01, 1000, 'rad/s^2')
    return MotionConfig(**values)


def _feasibility(part: YamlSection) -> FeasibilityConfig:
    part.keys(
        [],
        ['clearance_m', 'support_margin_m', 'min_visible_share', 'min_shown_share', 'visible_at',
         'workspace', 'attempts_per_episode', 'collisions', 'collision_clearance_m'],
    )  # fmt: skip
    values: dict[str, Any] = {}
    if 'clearance_m' in part:
        values['clearance_m'] = part['clearance_m'].number(0, 1, 'm')
    if 'support_margin_m' in part:
        values['support_margin_m'] = part['support_margin_m'].number(-1, 1, 'm')
    if 'min_visible_share' in part:
        values['min_visible_share'] = part['min_visible_share'].number(0, 1)
    if 'min_shown_share' in part:
        values['min_shown_share'] = part['min_shown_share'].number(0, 1)
    if 'visible_at' in part:
        values['visible_at'] = _moments(part['visible_at'])
    if 'workspace' in part:
        values['workspace'] = _workspace(part['workspace'])
    if 'attempts_per_episode' in part:
        values['attempts_per_episode'] = part['attempts_per_episode'].whole(1, 100_000)
    if 'collisions' in part:
        values['collisions'] = part['collisions'].flag()
    if 'collision_clearance_m' in part:
        values['collision_clearance_m'] = part['collision_clearance_m'].number(0, 0.04, 'm')
    return FeasibilityConfig(**values)


def _moments(part: YamlSection) -> str | tuple[int, ...]:
    """A word, or a list of source frames."""
    if not isinstance(part.data, list):
        return part.choice(MOMENTS)
    return tuple(item.whole(0, 10_000_000) for item in part.items())


def _workspace(part: YamlSection) -> Workspace:
    values: dict[str, tuple[float, float]] = {}
    for key in part.keys([], ['x_m', 'y_m', 'z_m']):
        low, high = part[key].numbers(2, -FAR_M, FAR_M, 'm')
        if low >= high:
            raise part[key].error(f'{key} runs from {low} to {high}', 'low < high')
        values[key] = (low, high)
    return Workspace(**values)


def _camera(part: YamlSection) -> CameraConfig:
    part.keys(
        [],
        [
            'mode',
            'radius_px',
            'delta_m',
            'support_px',
            'fill',
            'max_unseen_share',
            'render_for',
            'others',
            'noise',
            'noise_scale',
        ],
    )
    values: dict[str, Any] = {}
    if 'mode' in part:
        values['mode'] = part['mode'].choice(CAMERA_MODES)
    if 'radius_px' in part:
        values['radius_px'] = part['radius_px'].whole(0, 64)
    if 'delta_m' in part:
        values['delta_m'] = part['delta_m'].number(0, 1, 'm')
    if 'support_px' in part:
        values['support_px'] = part['support_px'].whole(1, 9)
    if 'fill' in part:
        values['fill'] = part['fill'].choice(FILLS)
    if 'render_for' in part and part['render_for'].data != '':
        values['render_for'] = part['render_for'].text()
    if 'max_unseen_share' in part:
        values['max_unseen_share'] = part['max_unseen_share'].number(0, 1)
    if 'others' in part:
        values['others'] = part['others'].choice(OTHERS)
    if 'noise' in part:
        # YAML 1.1 reads off as false.
        values['noise'] = 'off' if part['noise'].data is False else part['noise'].text()
    if 'noise_scale' in part:
        values['noise_scale'] = part['noise_scale'].number(0, 10)
    return CameraConfig(**values)


def _output(part: YamlSection) -> OutputConfig:
    numbers = {
        'compression_level': LEVELS,
        'chunk_mib': CHUNK_MIB,
        'labelled_count': (0, 10_000_000),
    }
    flags = ('images', 'labelled_points', 'joint_trajectory')
    part.keys([], ['compression', *flags, *numbers])
    values: dict[str, Any] = {}
    if 'compression' in part:
        values['compression'] = part['compression'].choice(COMPRESSIONS)
    for key in flags:
        if key in part:
            values[key] = part[key].flag()
    for key, (least, most) in numbers.items():
        if key in part:
            values[key] = part[key].whole(least, most)
    return OutputConfig(**values)
