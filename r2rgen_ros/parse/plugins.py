# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Mask networks and trackers of other packages, found by name.

A package offers one as an entry point of the group `r2rgen_ros.mask_sources` or
`r2rgen_ros.trackers` (packaging.python.org, "Entry points specification"); what is not installed
is named as `module:attribute`. Either leads to an object that follows the protocol, or to a class
or function that makes one when called without arguments. Nothing of a plug-in is trusted: whatever
it raises or returns amiss becomes an error that names it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

import numpy as np

from r2rgen_ros.geometry import se3
from r2rgen_ros.model.errors import R2RGenError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from r2rgen_ros.geometry.cloud import Cloud
    from r2rgen_ros.model.demo import Demo

    Mask = NDArray[np.bool_]
    Colour = NDArray[np.uint8]
    Depth = NDArray[np.float32]
    Known = NDArray[np.uint8]

MASK_SOURCES = 'r2rgen_ros.mask_sources'
TRACKERS = 'r2rgen_ros.trackers'

_RIGID = 1e-3

PointOrBox = tuple[float, float] | tuple[float, float, float, float]
"""A prompt in pixels: (u, v) on the object, or the box (u0, v0, u1, v1) around it."""


@runtime_checkable
class MaskSource(Protocol):
    """Turns prompts in one image into masks."""

    @property
    def name(self) -> str:
        """What to call it in messages."""

    def masks(
        self, colour: Colour, depth: Depth, prompts: Sequence[PointOrBox], /
    ) -> Sequence[Mask]:
        """Return one mask per prompt.

        Args:
            colour: (H, W, 3) RGB.
            depth: (H, W) metres along the optical axis, NaN where there is none.
            prompts: One per object; those of other objects tell what is not part of it.

        Returns:
            As many (H, W) masks.

        """


@runtime_checkable
class Tracker(Protocol):
    """Follows one object through a demonstration."""

    @property
    def name(self) -> str:
        """What to call it in messages."""

    def track(
        self, demo: Demo, cloud: Cloud, start: NDArray[np.float64], frame: int, /
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the pose of an object in every frame.

        Args:
            demo: The demonstration.
            cloud: The object's surface, in its own frame, metres.
            start: (4, 4) object2base in the frame that is known.
            frame: Which frame that is.

        Returns:
            object2base (T, 4, 4), and the distance (T,) in metres between what was measured and the
            object at its pose, NaN in frames in which it was not seen.

        """


def installed(group: str) -> dict[str, str]:
    """Return the plug-ins of a group: `module:attribute` by name, in alphabetical order."""
    found = {entry.name: entry.value for entry in entry_points(group=group)}
    return dict(sorted(found.items()))


def mask_source(name: str) -> MaskSource:
    """Return the mask source of a name.

    Args:
        name: An installed plug-in, or `module:attribute`.

    Raises:
        R2RGenError: There is none, it cannot be loaded, or it is no mask source.

    """
    return cast('MaskSource', load_plugin(name, MASK_SOURCES, 'mask source', 'masks'))


def tracker(name: str) -> Tracker:
    """Return the tracker of a name; arguments and errors as for `mask_source`."""
    return cast('Tracker', load_plugin(name, TRACKERS, 'tracker', 'track'))


def ask_masks(
    source: MaskSource, colour: Colour, depth: Depth, prompts: Sequence[PointOrBox]
) -> tuple[Mask, ...]:
    """Return the masks (H, W) of a source, one per prompt, checked.

    Raises:
        R2RGenError: The source failed, or returned something else.

    """
    who = f'mask source "{_name(source)}"'
    found = _asked(who, source.masks, colour.copy(), depth.copy(), tuple(prompts))
    return _checked_masks(who, found, len(prompts), depth.shape)


def ask_depth_noise(
    name: str, apply: Callable[[Depth, Known], Depth], depth: Depth, known: Known
) -> Depth:
    """Return the depth (H, W) that a model of depth noise makes of an image, checked.

    Args:
        name: What the model is called.
        apply: What makes it.
        depth: (H, W) float32 metres, NaN where there is none.
        known: (H, W) uint8, how much noise each pixel has.

    Raises:
        R2RGenError: The model failed, or returned something else.

    """
    who = _noise(name)
    found = _asked(who, apply, depth.copy(), known)
    if not isinstance(found, np.ndarray) or found.shape != depth.shape or found.dtype.kind != 'f':
        raise R2RGenError(f'{who} returned {_what(found)}', f'a depth image {depth.shape}, float32')
    return found.astype(np.float32, copy=False)


def begin_depth_noise(name: str, start: Callable[..., Any], *given: Any) -> Any:
    """Return what makes the noise of one episode.

    Raises:
        R2RGenError: The model failed, or returned something else.

    """
    who = _noise(name)
    found = _asked(who, start, *given)
    if not callable(getattr(found, 'apply', None)):
        raise R2RGenError(f'{who} returned {_what(found)}', 'an object with "apply"')
    return found


def ask_tracker(
    source: Tracker, demo: Demo, cloud: Cloud, start: NDArray[np.float64], frame: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return poses object2base (T, 4, 4) and residuals (T,) in metres of a tracker, checked.

    Raises:
        R2RGenError: The tracker failed, or returned something else.

    """
    who = f'tracker "{_name(source)}"'
    answer = _asked(who, source.track, demo, cloud, np.array(start, dtype=np.float64), frame)
    if not (isinstance(answer, tuple | list) and len(answer) == 2):
        raise R2RGenError(f'{who} returned {_what(answer)}', 'a pair of poses and residuals')
    poses = _numbers(who, 'poses', answer[0], (len(demo), 4, 4))
    residual = _numbers(who, 'residuals', answer[1], (len(demo),))
    if not se3.is_transform(poses, _RIGID):
        raise R2RGenError(f'{who} returned poses that are not rigid transforms', 'object2base')
    # Single precision is no fault: the nearest rotation.
    left, _, right = np.linalg.svd(poses[:, :3, :3])
    poses[:, :3, :3] = left @ right
    poses[:, 3] = (0.0, 0.0, 0.0, 1.0)
    if np.isinf(residual).any() or (residual < 0.0).any():
        raise R2RGenError(f'{who} returned residuals below zero or infinite', 'metres, or NaN')
    return poses, residual


def load_plugin(name: str, group: str, kind: str, method: str) -> Any:
    """Load a plug-in and check that it has a name and a method."""
    known = installed(group)
    value = name if ':' in name else known.get(name)
    if value is None:
        have = ', '.join(known) if known else 'none'
        raise R2RGenError(
            f'there is no {kind} "{name}"; installed: {have}',
            'one of these, or module:attribute',
            f'install the package that offers it (entry point group "{group}")',
        )
    module, _, attribute = value.partition(':')
    attribute = attribute.split('[')[0].strip()  # extras may follow
    try:
        thing: Any = import_module(module.strip())
        for part in attribute.split('.'):
            thing = getattr(thing, part)
        if isinstance(thing, type) or not hasattr(thing, method):
            thing = thing()
    except Exception as error:
        raise R2RGenError(
            f'{kind} "{name}" ({value}) cannot be loaded: {type(error).__name__}: {error}'
        ) from error
    if not callable(getattr(thing, method, None)):
        raise R2RGenError(f'{kind} "{name}" ({value}) has no method "{method}"', f'a {kind}')
    if not isinstance(getattr(thing, 'name', None), str):
        raise R2RGenError(f'{kind} "{name}" ({value}) has no name', 'an attribute "name", a string')
    return thing


def _name(source: Any) -> str:
    return str(getattr(source, 'name', type(source).__name__))


def _failed(who: str, error: Exception) -> R2RGenError:
    return R2RGenError(f'{who} failed: {type(error).__name__}: {error}')


def _noise(name: str) -> str:
    return f'noise model "{name}"'


def _asked(who: str, call: Callable[..., Any], *given: Any) -> Any:
    """What a plug-in answers; whatever it raises becomes an error that names it."""
    try:
        return call(*given)
    except Exception as error:
        raise _failed(who, error) from error


def _what(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f'an array {value.shape} of {value.dtype}'
    return f'a {type(value).__name__}'


def _checked_masks(who: str, found: Any, count: int, shape: tuple[int, ...]) -> tuple[Mask, ...]:
    try:
        masks = [np.asarray(mask) for mask in found]
    except Exception as error:
        raise R2RGenError(f'{who} returned {_what(found)}', 'a sequence of masks') from error
    if len(masks) != count:
        raise R2RGenError(f'{who} returned {len(masks)} masks', f'{count}, one per object')
    for mask in masks:
        if mask.shape != shape or mask.dtype != np.bool_:
            raise R2RGenError(f'{who} returned {_what(mask)}', f'a mask {shape} of bool')
    return tuple(masks)


def _numbers(who: str, what: str, value: Any, shape: tuple[int, ...]) -> NDArray[np.float64]:
    try:
        array = np.array(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise R2RGenError(f'{who} returned {what} that are no numbers', f'{shape}') from error
    if array.shape != shape:
        raise R2RGenError(f'{who} returned {what} of shape {array.shape}', f'{shape}')
    return array
