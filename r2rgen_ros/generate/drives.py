# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What an episode keeps of a base that drives: its way, and the arms on it while it drives.

A base that is moved, or docks with an error, begins elsewhere and drives the same way by its
odometry, so that everything else is elsewhere in the frame that it drives in.

The arm takes up the change of a skill after the base has stopped and gives it back before the base
goes on, so that what was free of collisions and within reach on the way stays so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.generate.config import STILL
from r2rgen_ros.generate.synchrony import Stage
from r2rgen_ros.geometry import se3
from r2rgen_ros.model.demo import BasePath
from r2rgen_ros.model.driving import driving_spans
from r2rgen_ros.model.errors import require

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from r2rgen_ros.generate.config import GenerateConfig
    from r2rgen_ros.model.annotation import Skill
    from r2rgen_ros.model.demo import Demo
    from r2rgen_ros.model.scene import Scene

NOTHING = -1
"""In place of the skill, of stages in which the arm moves as recorded."""


def require_drivable(scene: Scene, config: GenerateConfig) -> None:
    """Check that what is asked for can be done with a base that drives.

    Raises:
        R2RGenError: The base is to be moved or to dock with errors, and its camera stands beside
            it; only planners are asked for that do not keep the recorded motion; or a skill goes on
            while the base drives.

    """
    demo, sampling = scene.demo, config.sampling
    if demo.drive is None:
        return
    still = sampling.base == STILL and sampling.docking.is_off
    require(
        still or (demo.sensor is not None and not demo.sensor.is_static),
        f'the base drives in "{demo.name}" before a camera that stands beside it, and the'
        ' configuration moves the base',
        'a camera that rides on the base or on the arm',
        'leave out sampling.base and sampling.docking',
    )
    require(
        'blend' in config.motion.planners,
        f'the base drives in "{demo.name}", and motion.planners is {list(config.motion.planners)}',
        'blend among them, which keeps the recorded motion',
    )
    for skill in scene.annotation.skills:
        path = demo.drive.base2frame[skill.first : skill.last + 1]
        far, turn = BasePath(demo.drive.frame, path).largest_move
        require(
            not BasePath(demo.drive.frame, path).drives,
            f'the base drives while skill "{skill.name}" goes on: {far:.2f} m and'
            f' {np.rad2deg(turn):.0f} degrees in frames {skill.first} to {skill.last}',
            'skills during which the base stands',
            'set their first and last frames, in annotation.yaml or on the page, to before and'
            ' after the drive',
        )


def base_place(scene: Scene) -> NDArray[np.float64]:
    """Return the base (4, 4), seen in the base frame, where its moves are told from.

    That is the base frame itself for a base that stands, and the base as it stands when the first
    skill begins for one that drives.
    """
    drive, skills = scene.demo.drive, scene.annotation.skills
    if drive is None:
        return np.eye(4)
    return np.asarray(drive.base2frame[min((skill.first for skill in skills), default=0)])


def while_driving(
    demo: Demo, skills: Sequence[Skill], stages: Sequence[Stage], arm: int
) -> list[Stage]:
    """Stages in which an arm moves as recorded: while the base drives, and at the end, at home.

    Args:
        demo: The demonstration.
        skills: All skills.
        stages: Those of the arm with skills.
        arm: Its place among the arms.

    Returns:
        None of them for a base that stands; they share no frame with skills.

    """
    if demo.drive is None:
        return []
    free = np.ones(len(demo), dtype=bool)
    for skill in skills:
        free[skill.first : skill.last + 1] = False
    for stage in stages:
        free[stage.first : stage.last + 1] = False
    out = []
    for first, last in driving_spans(demo.drive, demo.stamps):
        frames = np.arange(first, last + 1)
        frames = frames[free[frames]]
        parts = np.split(frames, np.flatnonzero(np.diff(frames) > 1) + 1)
        out += [Stage(NOTHING, int(part[0]), int(part[-1])) for part in parts if part.size]
    end, done = len(demo) - 1, max((stage.last for stage in stages), default=0)
    if free[end] and not any(stage.last == end for stage in out):
        # As `MovedPath.create`, but seen from the base.
        hand = (se3.inverse(demo.drive.base2frame) @ demo.arms[arm].ee2base)[:, :3, 3]
        if np.linalg.norm(hand[end] - hand[0]) < np.linalg.norm(hand[end] - hand[done]):
            out.append(Stage(NOTHING, end, end))
    return out
