# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Noise models as small YAML files, and presets of this package by name."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.model.noise import AxialNoise, EdgeNoise, HoleNoise, NoiseModel, ShadowNoise
from r2rgen_ros.model.yaml_file import YamlSection
from r2rgen_ros.parse.plugins import installed, load_plugin
from r2rgen_ros.sense.noise import DEPTH_NOISE, DepthNoise, ParametricNoise

if TYPE_CHECKING:
    from collections.abc import Collection

FORMAT = 'r2rgen/noise/1'
_PRESETS = Path(__file__).with_name('noises')
_PARTS = {'axial': AxialNoise, 'edges': EdgeNoise, 'holes': HoleNoise, 'shadow': ShadowNoise}
_RANGES = ('grazing_deg', 'range_m')
_LIMIT = 1000.0
_HEAD = """\
# The noise of a depth camera, for camera.noise of generate.yaml. {about}
# docs/reference.md explains every number; one that is left out is 0, or has no effect.
"""


def noise_names() -> tuple[str, ...]:
    """Names of the presets, sorted."""
    return tuple(sorted(path.stem for path in _PRESETS.glob('*.yaml')))


def load_noise(name: str | Path, scale: float = 1.0) -> DepthNoise:
    """Return a noise model: a preset by its name, a file, or a plug-in.

    Args:
        name: Of a preset or of an installed plug-in, `module:attribute`, or a path.
        scale: See `NoiseModel.scaled`.

    Raises:
        R2RGenError: There is none, the file is wrong (naming file and line), or a plug-in is to be
            scaled, which only it could do.

    """
    text = str(name)
    if text in noise_names():
        return ParametricNoise(read_noise(_PRESETS / f'{text}.yaml').scaled(scale))
    if Path(name).is_file():
        return ParametricNoise(read_noise(Path(name)).scaled(scale))
    if text not in installed(DEPTH_NOISE) and ':' not in text:
        raise R2RGenError(
            f'there is no noise model "{name}"',
            f'off, fitted, a file, a plug-in, or one of {list(noise_names())}',
            'correct camera.noise',
        )
    if scale != 1.0:
        raise R2RGenError(
            f'the noise model "{name}" is a plug-in, and noise_scale is {scale:g}',
            'noise_scale 1 for a plug-in',
            'set noise_scale: 1, and scale it in the plug-in',
        )
    return cast('DepthNoise', load_plugin(text, DEPTH_NOISE, 'noise model', 'start'))


def read_noise(path: Path) -> NoiseModel:
    """Read a noise file.

    Raises:
        R2RGenError: Naming the file and the line.

    """
    root = YamlSection.read(path)
    root.keys(['format'], ['name', 'step_1_m', *_PARTS])
    if root['format'].data != FORMAT:
        raise root['format'].error(f'format is {root["format"].data!r}', f'"{FORMAT}"')
    values: dict[str, Any] = {key: _part(root[key], kind) for key, kind in _PARTS.items()}
    if 'step_1_m' in root:
        values['step_1_m'] = root['step_1_m'].number(0.0, 0.1, '1/m')
    return NoiseModel(root['name'].text() if 'name' in root else path.stem, **values)


def _part(section: YamlSection, kind: Any) -> Any:
    if section.data is None:
        return kind()
    values: dict[str, Any] = {}
    for key in section.keys([], [item.name for item in fields(kind)]):
        if key in _RANGES:
            values[key] = section[key].numbers(2, -_LIMIT, _LIMIT)
        else:
            values[key] = section[key].number(-_LIMIT, _LIMIT)
    try:
        return kind(**values)
    except (R2RGenError, TypeError) as error:
        raise section.error(str(error)) from None


def dump_noise(model: NoiseModel, about: str, assumed: Collection[str] = ()) -> str:
    """Return a noise file as text.

    Args:
        model: The model.
        about: A sentence that says where its numbers come from.
        assumed: Dotted names of numbers that were not measured; a comment says so.

    """
    # Text in quotes as of JSON is YAML too, whatever the recording is called.
    name = json.dumps(model.name, ensure_ascii=False)
    lines = [*_HEAD.format(about=about).splitlines(), f'format: {FORMAT}', f'name: {name}']
    for key, kind in _PARTS.items():
        lines.append(f'{key}:')
        for item in fields(kind):
            value = getattr(getattr(model, key), item.name)
            lines.append(f'  {item.name}: {_shown(value)}{_note(f"{key}.{item.name}", assumed)}')
    lines.append(f'step_1_m: {_shown(model.step_1_m)}{_note("step_1_m", assumed)}')
    return '\n'.join(lines) + '\n'


def _note(name: str, assumed: Collection[str]) -> str:
    return '  # not measured' if name in assumed else ''


def _shown(value: float | tuple[float, ...]) -> str:
    if isinstance(value, tuple):
        return f'[{", ".join(_shown(part) for part in value)}]'
    text = repr(float(value))
    # YAML 1.1 takes 1e-05 for text.
    return text.replace('e', '.0e') if 'e' in text and '.' not in text else text
