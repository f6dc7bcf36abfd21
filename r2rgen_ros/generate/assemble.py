# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Scene + Variation -> Episode or Rejection: paths, time base, object poses, joints."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.generate.blend import BlendPlanner
from r2rgen_ros.generate.carried import carrier
from r2rgen_ros.generate.collisions import CollisionCheck
from r2rgen_ros.generate.course import ArmModel, Refusal, Surroundings, skills_at
from r2rgen_ros.generate.drives import require_drivable, while_driving
from r2rgen_ros.generate.feasibility import PlaneCheck
from r2rgen_ros.generate.joint_line import JointLinePlanner
from r2rgen_ros.generate.led import LedPlanner
from r2rgen_ros.generate.motion import MovedPath, episode_stamps, step_limits
from r2rgen_ros.generate.passable import Fields
from r2rgen_ros.generate.sampled import SampledPlanner
from r2rgen_ros.generate.stays import Upright
from r2rgen_ros.generate.synchrony import stages_of
from r2rgen_ros.generate.unchecked import is_usable, unchecked
from r2rgen_ros.generate.visibility import ViewCheck
from r2rgen_ros.generate.workspace import WorkspaceCheck
from r2rgen_ros.geometry import se3
from r2rgen_ros.model.deployment import MountedCamera
from r2rgen_ros.model.episode import Episode, Rejection, Variation
from r2rgen_ros.parse.robot import robot_of
from r2rgen_ros.robots.camera_file import load_camera
from r2rgen_ros.robots.joint_planner import load_ompl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from r2rgen_ros.generate.config import GenerateConfig
    from r2rgen_ros.generate.course import Course, MotionPlanner
    from r2rgen_ros.generate.motion import Limits
    from r2rgen_ros.generate.synchrony import Stage
    from r2rgen_ros.model.scene import Scene

    Floats = NDArray[np.float64]


def object_changes(scene: Scene, transforms: NDArray[np.float64]) -> NDArray[np.float64]:
    """World transform of each object at each source frame, where it is not in a hand.

    Before it is touched an object has the transform of its first skill, afterwards that of the
    last skill of its groups that has begun; an object of no group stays.

    Args:
        scene: The parsed demonstration.
        transforms: (S, 4, 4) per skill.

    Returns:
        (K, T, 4, 4).

    """
    out = np.tile(np.eye(4), (len(scene.objects), len(scene.demo), 1, 1))
    for place, item in enumerate(scene.objects):
        first = True
        for skill, transform in zip(scene.annotation.skills, transforms, strict=True):
            if item.name in skill.group:
                out[place, 0 if first else skill.first :] = transform
                first = False
    return out


@dataclass(frozen=True)
class Assembler:
    """Turns variations of one scene into episodes.

    Attributes:
        scene: The parsed demonstration.
        config: Limits and checks.
        plane: The checks on the support plane.
        arms: The arms' kinematics and limits; none where the source has no URDF or joints.
        planners: What leads the arms, in the order in which they are tried.
        stages: What every arm moves with, and when.
        collisions: What the robot might run into; None where that cannot be told.
        workspace: Where hands and objects have to stay; None for anywhere.
        view: What the camera has to see; None where there is none.

    """

    scene: Scene
    config: GenerateConfig
    plane: PlaneCheck
    arms: tuple[ArmModel, ...]
    planners: tuple[MotionPlanner, ...]
    stages: tuple[tuple[Stage, ...], ...]
    collisions: CollisionCheck | None = None
    workspace: WorkspaceCheck | None = None
    view: ViewCheck | None = None

    @classmethod
    def create(cls, scene: Scene, config: GenerateConfig) -> Assembler:
        """Measure the source once."""
        require_drivable(scene, config)
        stages, collisions = stages_of(scene), None
        arms = ArmModel.of(scene.demo, config)
        if arms and config.feasibility.collisions:
            collisions = CollisionCheck.create(scene, config)
        asked = config.feasibility
        return cls(
            scene,
            config,
            PlaneCheck.create(scene, asked),
            arms,
            _planners(scene, config, arms, stages, collisions),
            stages,
            collisions,
            WorkspaceCheck.create(scene, asked.workspace),
            _view_check(scene, config),
        )

    @property
    def arm(self) -> ArmModel | None:
        """The first arm; None where the source has no URDF or joints."""
        return self.arms[0] if self.arms else None

    @property
    def unchecked(self) -> tuple[str, ...]:
        """What nobody checks though it was asked for, and why: a sentence each for a person."""
        return unchecked(self.scene.demo, self.config, self.arms, self.collisions)

    def assemble(self, variation: Variation, *, forced: bool = False) -> Episode | Rejection:
        """Return the episode of a variation, or why there is none.

        Args:
            variation: What to change.
            forced: Whether the arm shall try what it cannot reach, do safely or fast enough. That
                is for finding out whether it really cannot; what the plane forbids stays forbidden.

        """
        changes = object_changes(self.scene, variation.transforms)
        failed = self._before(variation, changes)
        if failed is not None:
            return failed
        paths = [self._path(variation, arm) for arm in range(len(self.scene.demo.arms))]
        judged: list[tuple[Course, Episode | Rejection]] = []

        def judge(course: Course) -> Episode | Rejection:
            for other, verdict in judged:
                if other is course:
                    return verdict
            episode = self._episode(variation, changes, course)
            judged.append((course, (None if forced else self._after(episode)) or episode))
            return judged[-1][1]

        around = Surroundings(
            variation,
            partial(self._objects, variation, changes),
            lambda course: _refusal(judge(course)),
        )
        first: Rejection | None = None
        for planner in self.planners:
            course = planner.plan(paths, around, forced=forced)
            found = _rejected(variation, course) if isinstance(course, Refusal) else judge(course)
            if isinstance(found, Episode):
                return found
            if first is None:  # why the motion that is wanted most does not work
                first = found
                why = course if isinstance(course, Refusal) else _refusal(found)
                around = replace(around, failed=why)
        assert first is not None
        return first

    def _episode(self, variation: Variation, changes: Floats, course: Course) -> Episode:
        """Return the episode in which the arms do something."""
        times, moved, demo = course.times, list(course.ee2base), self.scene.demo
        nearest = np.ceil(times - 0.5).astype(np.int64)
        return Episode(
            variation=variation,
            stamps=episode_stamps(demo.stamps, times),
            source=times,
            ee2base={arm.name: poses for arm, poses in zip(demo.arms, moved, strict=True)},
            gripper={arm.name: arm.gripper[nearest] for arm in demo.arms},
            object2base=self._objects(variation, changes, times, moved),
            skill=skills_at(times, _spans(self.scene)),
            joints=course.joints,
        )

    def _before(self, variation: Variation, changes: Floats) -> Rejection | None:
        """What is wrong before anything is worked out."""
        for check in (self.plane.check, *(c.before for c in (self.workspace, self.view) if c)):
            failed = check(variation, changes)
            if failed is not None:
                return failed
        return None

    def _after(self, episode: Episode) -> Rejection | None:
        """What is wrong with an episode."""
        if self.workspace is not None:
            failed = self.workspace.check(episode)
            if failed is not None:
                return failed
        failed = self._collision(episode)
        if failed is not None or self.view is None:
            return failed
        return self.view.check(episode)

    def _collision(self, episode: Episode) -> Rejection | None:
        """Where the robot, or what it holds, would run into something."""
        if self.collisions is None or episode.joints is None:
            return None
        found = self.collisions.check(episode)
        if found is None:
            return None
        frame = episode.source[found.frame]
        why = Refusal(found.reason, found.detail, frame, found.amount)
        return _rejected(episode.variation, why)

    def _path(self, variation: Variation, arm: int) -> MovedPath:
        track = self.scene.demo.arms[arm]
        skills = [
            (stage, variation.base2base @ variation.transforms[stage.skill])
            for stage in self.stages[arm]
        ]
        all_skills = self.scene.annotation.skills
        still = while_driving(self.scene.demo, all_skills, self.stages[arm], arm)
        skills = sorted(
            [*skills, *((stage, np.eye(4)) for stage in still)], key=lambda pair: pair[0].first
        )
        # The arm starts from its own rest pose, which goes with the base.
        return MovedPath.create(track.ee2base, self.scene.support.normal, skills, np.eye(4))

    def _objects(
        self,
        variation: Variation,
        changes: NDArray[np.float64],
        times: NDArray[np.float64],
        moved: Sequence[NDArray[np.float64]],
    ) -> NDArray[np.float64]:
        """Poses (K, M, 4, 4): rigid with the hand that holds, else with the skill's transform."""
        nearest = np.ceil(times - 0.5).astype(np.int64)
        floor = np.floor(times).astype(np.int64)
        # Of whole frames: halfway between two poses in a turning hand an object would slip in it.
        hands = [
            poses @ se3.inverse(arm.ee2base[nearest])
            for poses, arm in zip(moved, self.scene.demo.arms, strict=True)
        ]
        out = np.empty((len(self.scene.objects), len(times), 4, 4))
        for place, item in enumerate(self.scene.objects):
            change = variation.base2base @ changes[place, floor]
            out[place] = change @ se3.interpolate(item.object2base, times)
            held = item.held[nearest]
            for arm, hand in enumerate(hands):
                inside = held == arm
                out[place, inside] = hand[inside] @ item.object2base[nearest[inside]]
        return out


def _view_check(scene: Scene, config: GenerateConfig) -> ViewCheck | None:
    """What the camera of the episodes must see; None where it is not known."""
    demo, wanted = scene.demo, config.camera.render_for
    if config.camera.mode == 'off' or demo.sensor is None:
        return None
    robot, sensor = robot_of(demo), demo.sensor
    if wanted:
        camera = load_camera(wanted)
    elif sensor.is_static or demo.has_images:
        mount, pose = carrier(sensor, demo, robot)
        camera = MountedCamera(sensor.frame, sensor.camera, mount, pose, sensor.frame)
    else:
        return None
    return ViewCheck.create(scene, config.feasibility, camera, robot)


def _planners(
    scene: Scene,
    config: GenerateConfig,
    arms: tuple[ArmModel, ...],
    stages: tuple[tuple[Stage, ...], ...],
    collisions: CollisionCheck | None,
) -> tuple[MotionPlanner, ...]:
    """The planners that are asked for, without those that need what nobody knows."""
    demo = scene.demo
    period = demo.period_ns * 1e-9
    limits = tuple(step_limits(track.ee2base, period, config.motion) for track in demo.arms)
    if 'sampled' in config.motion.planners:
        load_ompl()  # where it is missing, that is said before any work is done
    spans = tuple(tuple((one.first, one.last) for one in own) for own in stages)
    blend = BlendPlanner(demo, limits, spans, arms)
    out: list[MotionPlanner] = []
    for name in config.motion.planners:
        if name == 'blend':
            out.append(blend)
        elif is_usable(name, demo, arms, collisions):
            each = _leaders(name, scene, arms, limits, collisions)
            out.append(each[0] if len(arms) == 1 else LedPlanner(demo, limits, spans, arms, each))
    # Without kinematics there is no other.
    return tuple(out) or (blend,)


def _leaders(
    name: str,
    scene: Scene,
    arms: tuple[ArmModel, ...],
    limits: tuple[Limits, ...],
    collisions: CollisionCheck | None,
) -> tuple[JointLinePlanner | SampledPlanner, ...]:
    """What leads each arm along its joints."""
    uprights = []
    for arm in arms:
        mine = [item.held == arm.place for item in scene.objects]
        loaded = np.broadcast_to(np.array(mine).any(axis=0), (len(scene.demo),))
        uprights.append(Upright(arm, loaded, scene.support.normal))
    if name == 'line' or collisions is None:
        return tuple(
            JointLinePlanner(arm, limits[arm.place], upright, rights=len(arms) > 1)
            for arm, upright in zip(arms, uprights, strict=True)
        )
    fields = Fields.of(collisions)
    return tuple(
        SampledPlanner(arm, limits[arm.place], upright, collisions, fields)
        for arm, upright in zip(arms, uprights, strict=True)
    )


def _spans(scene: Scene) -> tuple[tuple[int, int], ...]:
    return tuple((skill.first, skill.last) for skill in scene.annotation.skills)


def _rejected(variation: Variation, why: Refusal) -> Rejection:
    frame = round(float(why.frame))
    return Rejection(
        variation.index, why.reason, why.detail, frame, why.amount, variation, variation.moves
    )


def _refusal(found: Episode | Rejection) -> Refusal | None:
    if isinstance(found, Episode):
        return None
    return Refusal(found.reason, found.detail, found.frame, found.amount)
