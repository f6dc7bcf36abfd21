# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Scene + Variation -> Episode or Rejection: paths, time base, object poses, joints."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.generate.collisions import CollisionCheck
from r2rgen_ros.generate.feasibility import PlaneCheck
from r2rgen_ros.generate.joint_limits import Excess, JointCheck
from r2rgen_ros.generate.motion import (
    Limits,
    MovedPath,
    episode_stamps,
    source_times,
    step_limits,
)
from r2rgen_ros.geometry import se3
from r2rgen_ros.model.episode import Episode, Reason, Rejection, Variation
from r2rgen_ros.parse.robot import robot_of
from r2rgen_ros.robots.kinematics import POSITION_TOLERANCE_M, ROTATION_TOLERANCE_RAD
from r2rgen_ros.robots.profile import load_profile

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from r2rgen_ros.generate.config import GenerateConfig
    from r2rgen_ros.geometry.camera import PinholeCamera
    from r2rgen_ros.model.scene import Scene
    from r2rgen_ros.robots.kinematics import IkPath, Robot

    Floats = NDArray[np.float64]

_ROUNDS = 6
_AT_LIMIT = 1e-6


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
        limits: Largest step per arm.
        robot: Kinematics of the arm; None where the source has no URDF or joints.
        joint_limits: Of that arm; None without it.
        collisions: What the robot might run into; None where that cannot be told.

    """

    scene: Scene
    config: GenerateConfig
    plane: PlaneCheck
    limits: tuple[Limits, ...]
    robot: Robot | None
    joint_limits: JointCheck | None = None
    collisions: CollisionCheck | None = None

    @classmethod
    def create(cls, scene: Scene, config: GenerateConfig) -> Assembler:
        """Measure the source once."""
        robot = robot_of(scene.demo)
        period = scene.demo.period_ns * 1e-9
        limits = tuple(step_limits(arm.ee2base, period, config.motion) for arm in scene.demo.arms)
        profile = load_profile(config.robot) if config.robot else None
        joints = None
        if robot is not None:
            joints = JointCheck.create(robot, scene.demo, config.motion, profile)
        plane = PlaneCheck.create(scene, config.feasibility)
        collisions = None
        if robot is not None and config.feasibility.collisions:
            touching = () if profile is None else profile.touching(scene.mesh_folders)
            collisions = CollisionCheck.create(scene, config.feasibility, touching)
        return cls(scene, config, plane, limits, robot, joints, collisions)

    @cached_property
    def _hand2joints(self) -> Floats:
        """What the recorded joints and transforms differ by (T, 4, 4).

        It is the recording's own; it is kept, so that where nothing moves the joints stay as
        recorded.
        """
        demo = self.scene.demo
        assert self.robot is not None
        assert demo.joints is not None
        reached = self.robot.forward(demo.joints.names, demo.joints.positions)
        return np.asarray(se3.inverse(demo.arms[0].ee2base) @ reached)

    def assemble(self, variation: Variation, *, forced: bool = False) -> Episode | Rejection:
        """Return the episode of a variation, or why there is none.

        Args:
            variation: What to change.
            forced: Whether the arm shall try what it cannot reach, do safely or fast enough. That
                is for finding out whether it really cannot; what the plane forbids stays forbidden.

        """
        changes = object_changes(self.scene, variation.transforms)
        failed = self.plane.check(variation, changes) or self._out_of_view(variation, changes)
        if failed is not None:
            return failed
        paths = [self._path(variation, arm) for arm in range(len(self.scene.demo.arms))]
        timed = self._timed(variation, paths, forced)
        if isinstance(timed, Rejection) and any(path.winds for path in paths):
            timed = self._timed(variation, [replace(p, unwound=True) for p in paths], forced)
        if isinstance(timed, Rejection):
            return timed
        times, moved, joints = timed
        demo = self.scene.demo
        nearest = np.ceil(times - 0.5).astype(np.int64)
        episode = Episode(
            variation=variation,
            stamps=episode_stamps(demo.stamps, times),
            source=times,
            ee2base={arm.name: poses for arm, poses in zip(demo.arms, moved, strict=True)},
            gripper={arm.name: arm.gripper[nearest] for arm in demo.arms},
            object2base=self._objects(variation, changes, times, moved),
            skill=self._skills(times),
            joints=joints,
        )
        return (None if forced else self._collision(episode)) or episode

    def _collision(self, episode: Episode) -> Rejection | None:
        """Where the robot, or what it holds, would run into something."""
        if self.collisions is None or episode.joints is None:
            return None
        found = self.collisions.check(episode)
        if found is None:
            return None
        frame = episode.source[found.frame]
        return _rejected(episode.variation, found.reason, found.detail, frame, found.amount)

    def _timed(
        self, variation: Variation, paths: list[MovedPath], forced: bool
    ) -> tuple[Floats, list[Floats], Floats | None] | Rejection:
        """Source frames (M,), paths (M, 4, 4) and joints (M, J), slow enough for the joints."""
        count = len(self.scene.demo)
        slower: Floats | None = None
        for _ in range(_ROUNDS):
            times = source_times(paths, self.limits, count, slower)
            moved = [path.at(times) for path in paths]
            joints = self._joints(variation, times, moved, forced)
            if isinstance(joints, Rejection):
                return joints
            if joints is None or self.joint_limits is None or forced:
                return times, moved, joints
            stamps = episode_stamps(self.scene.demo.stamps, times)
            skill = self._skills(times)
            more = self.joint_limits.slower(joints, stamps, times, skill, count)
            if more is None:
                return times, moved, joints
            if isinstance(more, Excess):
                return _rejected(
                    variation, Reason.TOO_FAST, str(more), times[more.frame], more.share - 1.0
                )
            slower = more if slower is None else np.maximum(slower, more)
        return _rejected(
            variation,
            Reason.TOO_FAST,
            'the joints are too fast however slow the motion is',
            0.0 if slower is None else float(slower.argmax()),
            0.0 if slower is None else float(slower.max()),
        )

    def _path(self, variation: Variation, arm: int) -> MovedPath:
        track = self.scene.demo.arms[arm]
        skills = [
            (skill, variation.base2base @ transform)
            for skill, transform in zip(
                self.scene.annotation.skills, variation.transforms, strict=True
            )
            if skill.arm == track.name
        ]
        # The arm starts from its own rest pose, which goes with the base.
        return MovedPath.create(track.ee2base, self.scene.support.normal, skills, np.eye(4))

    def _objects(
        self,
        variation: Variation,
        changes: NDArray[np.float64],
        times: NDArray[np.float64],
        moved: list[NDArray[np.float64]],
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

    def _skills(self, times: NDArray[np.float64]) -> NDArray[np.int16]:
        out = np.full(len(times), -1, dtype=np.int16)
        for index, skill in enumerate(self.scene.annotation.skills):
            out[(times >= skill.first) & (times <= skill.last)] = index
        return out

    def _joints(
        self, variation: Variation, times: Floats, moved: list[Floats], forced: bool
    ) -> Floats | Rejection | None:
        """Joint positions (M, J) that reach the path, or the first frame that they do not."""
        demo = self.scene.demo
        if self.robot is None:
            return None
        assert demo.joints is not None
        low = np.floor(times).astype(np.int64)
        high = np.minimum(low + 1, len(demo) - 1)
        share = (times - low)[:, None]
        recorded = demo.joints.positions
        seeds = recorded[low] + share * (recorded[high] - recorded[low])
        targets = moved[0] @ se3.interpolate(self._hand2joints, times)
        path = self.robot.solve_path(demo.joints.names, targets, seeds, persist=forced)
        if path.first_failed < 0 or forced:
            return np.asarray(path.positions)
        miss = float(path.position_error_m[path.first_failed])
        return _rejected(
            variation, Reason.UNREACHABLE, self._why(path), times[path.first_failed], miss
        )

    def _why(self, path: IkPath) -> str:
        """Say what keeps the arm from a path."""
        assert self.robot is not None
        assert self.scene.demo.joints is not None
        at = path.first_failed
        miss, turn = path.position_error_m[at], path.rotation_error_rad[at]
        if miss <= POSITION_TOLERANCE_M and turn <= ROTATION_TOLERANCE_RAD:
            return 'the arm would have to jump to another configuration'
        names = list(self.scene.demo.joints.names)
        values = path.positions[at, [names.index(name) for name in self.robot.chain]]
        limits = self.robot.limits(self.robot.chain)
        ends = (values <= limits[:, 0] + _AT_LIMIT) | (values >= limits[:, 1] - _AT_LIMIT)
        stuck = [name for name, end in zip(self.robot.chain, ends, strict=True) if end]
        missed = (
            f'the arm misses the path by {1e3 * miss:.0f} mm and {np.rad2deg(turn):.0f} degrees'
        )
        return f'{missed}, with {", ".join(stuck)} at the limit' if stuck else missed

    def _out_of_view(self, variation: Variation, changes: NDArray[np.float64]) -> Rejection | None:
        """Objects must begin where the camera sees them."""
        demo = self.scene.demo
        least = self.config.feasibility.min_visible_share
        if demo.sensor is None or least <= 0.0 or self.config.camera.mode == 'off':
            return None
        camera = demo.sensor.camera
        base2camera = se3.inverse(demo.sensor.camera2base[0])
        for place, item in enumerate(self.scene.objects):
            own = base2camera @ item.object2base[0]
            new = base2camera @ variation.base2base @ changes[place, 0] @ item.object2base[0]
            share, recorded = (
                _share_inside(camera.project(se3.apply(pose, item.cloud.points)), camera)
                for pose in (new, own)
            )
            if share < min(least, recorded) - 1e-9:
                return _rejected(
                    variation,
                    Reason.OUT_OF_VIEW,
                    f'only {100 * share:.0f} % of "{item.name}" would be inside the image',
                    0,
                    least - share,
                )
        return None


def _rejected(
    variation: Variation, reason: Reason, detail: str, frame: float, amount: float
) -> Rejection:
    return Rejection(
        variation.index, reason, detail, round(float(frame)), amount, variation, variation.moves
    )


def _share_inside(pixels: NDArray[np.float64], camera: PinholeCamera) -> float:
    """Share of projected points (N, 3) inside the image of a PinholeCamera."""
    width, height = camera.width, camera.height
    with np.errstate(invalid='ignore'):
        inside = (
            (pixels[:, 0] >= -0.5)
            & (pixels[:, 1] >= -0.5)
            & (pixels[:, 0] < width - 0.5)
            & (pixels[:, 1] < height - 0.5)
        )
    return float(inside.mean())
