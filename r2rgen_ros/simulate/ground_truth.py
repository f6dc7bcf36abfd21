# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What really happened in a simulated demonstration, for tests and benchmarks only."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from r2rgen_ros.model.annotation import Skill
from r2rgen_ros.model.errors import R2RGenError, check_array

if TYPE_CHECKING:
    from numpy.typing import NDArray

FILE_NAME = 'ground_truth.npz'


@dataclass(frozen=True)
class GroundTruth:
    """The truth at the camera's frames.

    Attributes:
        names: Names of the K objects.
        stamps: (T,) int64 header stamps of the camera frames, nanoseconds.
        object2base: (K, T, 4, 4); an object's origin is the middle of its foot.
        labels: (T, H, W) uint8 in the labels of `model.scene`: environment, robot, objects in the
            order of `names`.
        held: (K, T) whether the fingers were closed on the object.
        joints: (T, 9) joint positions, arm first, then fingers, rad and m; nine per arm.
        ee2base: (T, 4, 4) pose of the (first) end effector.
        camera2base: (4, 4) pose of the optical frame; (T, 4, 4) where the camera moves.
        skills: The skills with their frames, as an annotation has them.
        hands2base: (A, T, 4, 4) poses of the end effectors of several arms; None for one arm.
        held_by: (A, K, T) whether the fingers of each arm were closed on the object; None for one.

    """

    names: tuple[str, ...]
    stamps: NDArray[np.int64]
    object2base: NDArray[np.float64]
    labels: NDArray[np.uint8]
    held: NDArray[np.bool_]
    joints: NDArray[np.float64]
    ee2base: NDArray[np.float64]
    camera2base: NDArray[np.float64]
    skills: tuple[Skill, ...]
    hands2base: NDArray[np.float64] | None = None
    held_by: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        """Check that the lengths agree."""
        things, count = len(self.names), len(self.stamps)
        check_array('true object poses', self.object2base, (things, count, 4, 4))
        check_array('true labels', self.labels, (count, None, None), np.uint8)
        check_array('true grasps', self.held, (things, count), np.bool_)
        check_array('true joints', self.joints, (count, None))
        check_array('true end effector', self.ee2base, (count, 4, 4))
        if self.hands2base is not None:
            check_array('true end effectors', self.hands2base, (None, count, 4, 4))
        if self.held_by is not None:
            check_array('true hands', self.held_by, (None, things, count), np.bool_)

    def save(self, folder: Path) -> None:
        """Write the file into a folder, whole or not at all."""
        draft = folder / f'.{FILE_NAME}.partial'
        several: dict[str, Any] = {'hands2base': self.hands2base, 'held_by': self.held_by}
        words = {'names': self.names, 'skills': [asdict(skill) for skill in self.skills]}
        try:
            with draft.open('wb') as file:
                np.savez_compressed(
                    file,
                    words=np.array(json.dumps(words)),
                    stamps=self.stamps,
                    object2base=self.object2base,
                    labels=self.labels,
                    held=self.held,
                    joints=self.joints,
                    ee2base=self.ee2base,
                    camera2base=self.camera2base,
                    **{key: value for key, value in several.items() if value is not None},
                )
                file.flush()
                os.fsync(file.fileno())
            draft.rename(folder / FILE_NAME)
        finally:
            draft.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: Path | str) -> GroundTruth:
        """Read the truth of a demonstration.

        Args:
            path: The demonstration's folder, or the file itself.

        Raises:
            R2RGenError: There is none, or it cannot be read.

        """
        file = Path(path)
        file = file / FILE_NAME if file.is_dir() else file
        try:
            with np.load(file, allow_pickle=False) as content:
                arrays = dict(content)
            words = json.loads(str(arrays.pop('words')))
            skills = tuple(
                Skill(**{**item, 'targets': tuple(item['targets']),
                         'in_hand': tuple(item['in_hand'])})
                for item in words['skills']
            )  # fmt: skip
            return cls(names=tuple(words['names']), skills=skills, **arrays)
        except FileNotFoundError:
            raise R2RGenError(
                f'there is no {file}', 'the ground truth of a simulated demonstration'
            ) from None
        except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
            raise R2RGenError(f'{file} cannot be read: {error}') from error
