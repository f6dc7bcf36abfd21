# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The zarr files of DemoGen and of 3D Diffusion Policy: arrays of all episodes, end to end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from r2rgen_ros.geometry.cloud import Cloud
from r2rgen_ros.model.errors import R2RGenError, check_array, check_finite, require

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

ARRAYS = ('data/point_cloud', 'data/state', 'data/action', 'meta/episode_ends')


@dataclass(frozen=True)
class DemoGenEpisode:
    """One episode as it lies in the file.

    Attributes:
        episode: Its number, from 0.
        episodes: How many the file holds.
        clouds: (T, N, 6) float32: x, y, z in metres, robot base frame; red, green, blue 0 to 255.
        state: (T, 7) float64: x, y, z in metres, three angles in radians, gripper (-1 open, 1
            closed).
        action: (T, 7) float64: the change of the first six since the frame before, and the gripper.

    """

    episode: int
    episodes: int
    clouds: NDArray[np.float32]
    state: NDArray[np.float64]
    action: NDArray[np.float64]

    def __post_init__(self) -> None:
        """Check shapes, that poses are finite, and that colours fit a byte."""
        clouds = check_array('data/point_cloud', self.clouds, (None, None, 6), np.float32)
        count = len(clouds)
        require(count >= 2, f'episode {self.episode} has {count} frames', 'at least 2')
        state = check_array('data/state', self.state, (count, 7))
        action = check_array('data/action', self.action, (count, 7))
        colours = clouds[..., 3:]
        with np.errstate(invalid='ignore'):
            fits = bool(((colours >= 0.0) & (colours <= 255.0)).all())
        require(
            fits, 'data/point_cloud holds colours outside 0 to 255', 'red, green, blue 0 to 255'
        )
        object.__setattr__(self, 'clouds', clouds)
        object.__setattr__(self, 'state', check_finite('data/state', state))
        object.__setattr__(self, 'action', check_finite('data/action', action))

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.clouds)

    def cloud(self, frame: int) -> Cloud:
        """Return the cloud of one frame, robot base frame."""
        values = self.clouds[frame]
        return Cloud.from_arrays(values[:, :3], np.rint(values[:, 3:]))


def read_demogen(path: Path, episode: int = 0) -> DemoGenEpisode:
    """Read one episode.

    Args:
        path: The zarr folder (format 2 or 3).
        episode: Number of the episode, from 0.

    Raises:
        R2RGenError: zarr is not installed, the folder is no such file, or it has no such episode.

    """
    arrays = _open_arrays(path)
    ends = _episode_ends(path, arrays)
    if not 0 <= episode < len(ends):
        raise R2RGenError(
            f'{path} has no episode {episode}',
            f'0 to {len(ends) - 1}',
            'choose one of them with --episode',
        )
    span = slice(ends[episode - 1] if episode else 0, ends[episode])
    try:
        clouds, state, action = (np.asarray(arrays[name][span]) for name in ARRAYS[:3])
    except Exception as error:
        # zarr passes on whatever the codec of a damaged chunk raises.
        raise R2RGenError(
            f'{path} cannot be read ({error})', 'whole chunks', 'copy it again from its source'
        ) from error
    return DemoGenEpisode(episode, len(ends), clouds, state, action)


def _open_arrays(path: Path) -> dict[str, Any]:
    try:
        import zarr
    except ImportError:
        raise R2RGenError(
            'reading DemoGen files needs zarr, which is not installed',
            '',
            'run: pip install zarr',
        ) from None
    require(path.is_dir(), f'there is no zarr folder at {path}', 'a folder', 'check the path')
    arrays = {}
    for name in ARRAYS:
        try:
            arrays[name] = zarr.open_array(str(path / name), mode='r')
        except Exception as error:
            # zarr 2 and 3 raise different types for a folder that holds no array.
            raise R2RGenError(
                f'{path} holds no array "{name}" ({type(error).__name__})',
                'a DemoGen or DP3 zarr with the arrays ' + ', '.join(ARRAYS),
            ) from error
    return arrays


def _episode_ends(path: Path, arrays: dict[str, Any]) -> list[int]:
    ends = [int(end) for end in np.asarray(arrays['meta/episode_ends'][:]).ravel()]
    frames = min(int(arrays[name].shape[0]) for name in ARRAYS[:3])
    rising = all(before < after for before, after in zip([0, *ends], ends, strict=False))
    require(
        bool(ends) and rising and ends[-1] <= frames,
        f'meta/episode_ends of {path} is {ends[:8]} for {frames} frames',
        'rising numbers up to the number of frames',
    )
    return ends
