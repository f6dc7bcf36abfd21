# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What of an episode nobody can check, for want of a robot description, joints or meshes.

An accepted episode is one that the robot can execute, as far as anybody knows; where nobody knows,
that is said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.robots.description import listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from r2rgen_ros.generate.collisions import CollisionCheck
    from r2rgen_ros.generate.config import GenerateConfig
    from r2rgen_ros.generate.course import ArmModel
    from r2rgen_ros.model.demo import Demo


def is_usable(
    planner: str, demo: Demo, arms: Sequence[ArmModel], collisions: CollisionCheck | None
) -> bool:
    """Whether all is known that a planner needs, by its name in `motion.planners`."""
    if planner == 'blend':
        return True
    # Lines of the joints would leave a base that drives.
    known = bool(arms) and demo.drive is None
    return known and (planner != 'sampled' or collisions is not None)


def unchecked(
    demo: Demo,
    config: GenerateConfig,
    arms: Sequence[ArmModel],
    collisions: CollisionCheck | None,
) -> tuple[str, ...]:
    """Say what is not checked, or not done, though it was asked for.

    Args:
        demo: The source.
        config: What was asked for.
        arms: The arms with their kinematics; none where these are not known.
        collisions: What checks collisions; None where nothing does.

    Returns:
        A sentence for each: what, why, and what to do about it.

    """
    if not arms:
        what = 'reach, joint limits, speeds of joints'
        what += ' and collisions' if config.feasibility.collisions else ''
        return f'not checked: {what} ({_unknown(demo)}', *_unused(demo, config, arms, collisions)
    out = []
    for arm in arms:
        free = [
            name
            for name, speed in zip(arm.check.names, arm.check.speed, strict=True)
            if not np.isfinite(speed)
        ]
        if free:
            out.append(
                f'not checked: speeds of {listed(free)} (the robot description gives none); to '
                'fix: write velocity="..." into the limits of the URDF, or max_speed into a '
                'profile of the robot'
            )
    if config.feasibility.collisions:
        out += _collisions(collisions)
    return (*out, *_unused(demo, config, arms, collisions))


def _unknown(demo: Demo) -> str:
    if demo.joints is None:
        return (
            'the recording has no joint positions); to fix: record /joint_states and '
            '/robot_description'
        )
    return (
        'the recording has no robot description); to fix: record /robot_description, or name a '
        'profile of the robot with a "urdf" in the configuration, "robot: PROFILE"'
    )


def _collisions(collisions: CollisionCheck | None) -> list[str]:
    fix = (
        'to fix: install the package of the robot description, or annotate with --mesh-folder, '
        'the folder that holds it'
    )
    if collisions is None:
        return [f'not checked: collisions (no mesh of the robot description is found); {fix}']
    if collisions.bare:
        said = (
            f'not checked: collisions of {listed(collisions.bare)} (their meshes are not found), '
            'nor of anything with the environment, in which what was seen of these links may '
            f'have been left; {fix}'
        )
        return [said]
    return []


def _unused(
    demo: Demo,
    config: GenerateConfig,
    arms: Sequence[ArmModel],
    collisions: CollisionCheck | None,
) -> list[str]:
    names = [name for name in config.motion.planners if not is_usable(name, demo, arms, collisions)]
    default = type(config.motion)().planners
    if not names or config.motion.planners == default:
        return []
    if demo.drive is not None:
        why = 'the base drives'
    elif not arms:
        why = 'they need the joints and the robot description'
    else:
        why = 'it needs feasibility.collisions, and the meshes of the robot description'
    rest = [name for name in config.motion.planners if name not in names] or ['blend']
    return [f'not used: motion.planners {listed(names)} ({why}); in their place: {listed(rest)}']
