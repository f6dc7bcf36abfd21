# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the arms do in an episode, frame by frame, and what plans it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np

from r2rgen_ros.generate.joint_limits import JointCheck
from r2rgen_ros.geometry import se3
from r2rgen_ros.model.episode import Reason
from r2rgen_ros.model.errors import require
from r2rgen_ros.parse.robot import robot_of
from r2rgen_ros.robots.arms import arm_limits
from r2rgen_ros.robots.kinematics import POSITION_TOLERANCE_M, ROTATION_TOLERANCE_RAD
from r2rgen_ros.robots.profile import load_profile

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from r2rgen_ros.generate.config import GenerateConfig
    from r2rgen_ros.generate.motion import MovedPath
    from r2rgen_ros.model.demo import Demo, Joints
    from r2rgen_ros.model.episode import Variation
    from r2rgen_ros.robots.kinematics import IkPath, Robot
    from r2rgen_ros.robots.profile import RobotProfile

    Floats = NDArray[np.float64]

_AT_LIMIT = 1e-6


@dataclass(frozen=True)
class Course:
    """What the arms do.

    Attributes:
        times: (M,) source frame that each frame replays.
        ee2base: Per arm (M, 4, 4).
        joints: (M, J) positions of the demonstration's joints; None without kinematics.

    """

    times: Floats
    ee2base: tuple[Floats, ...]
    joints: Floats | None


@dataclass(frozen=True)
class Refusal:
    """Why there is no course.

    Attributes:
        reason: For counting.
        detail: One sentence for a person.
        frame: Source frame.
        amount: By how much, in metres, radians or as a share; 0 where that has no size.
        arm: Place of the arm that it is about; -1 for all or unknown.

    """

    reason: Reason
    detail: str
    frame: float
    amount: float
    arm: int = -1


@dataclass(frozen=True)
class Surroundings:
    """What is about the arms in an episode.

    Attributes:
        variation: What is changed.
        objects: Poses (K, M, 4, 4) of the objects at source frames (M,) while the hands are at
            poses (M, 4, 4), per arm.
        wrong: Tells why a course is refused once it is worked out; None where it is not.
        failed: Why the first planner has none, or one that is refused; None for that planner.
        rows: (T, N) joints of all arms in the source frames, for who leads one of several; None
            for a single arm.
        hands: Poses (T, 4, 4) of all hands meanwhile.

    """

    variation: Variation
    objects: Callable[[Floats, Sequence[Floats]], Floats]
    wrong: Callable[[Course], Refusal | None]
    failed: Refusal | None = None
    rows: Floats | None = None
    hands: tuple[Floats, ...] = ()


class MotionPlanner(Protocol):
    """Leads the arms through their skills and from each to the next."""

    def plan(
        self, paths: Sequence[MovedPath], surroundings: Surroundings, /, *, forced: bool = False
    ) -> Course | Refusal:
        """Return what the arms do.

        Args:
            paths: The moved path of every arm, whose skills have to be kept as they are.
            surroundings: What is about them, for planners that look.
            forced: Whether the arm shall try what it cannot do.

        """


@dataclass(frozen=True)
class ArmModel:
    """An arm of a demonstration, with its kinematics and limits.

    Attributes:
        demo: The demonstration; it has joints.
        robot: Its kinematics.
        check: Its limits of speed and acceleration.
        place: Its place among the arms of the demonstration.

    """

    demo: Demo
    robot: Robot
    check: JointCheck
    place: int = 0

    @classmethod
    def of(cls, demo: Demo, config: GenerateConfig) -> tuple[ArmModel, ...]:
        """Return the arms of a demonstration; none without URDF or joints.

        Args:
            demo: The demonstration.
            config: Limits, and the robot's profile, which may leave joints out.

        Raises:
            R2RGenError: The URDF is broken, the profile or the joints are not of this robot, or two
                arms share joints.

        """
        out: list[ArmModel] = []
        for place in range(len(demo.arms)):
            robot = robot_of(demo, place)
            if robot is None:
                return ()
            assert demo.joints is not None
            robot.require_joints(demo.joints.names)
            limits = None
            if config.robot:
                profile = load_profile(config.robot)
                limits = arm_limits(profile, robot, arm_of(profile, demo, place))
                robot = robot.only(limits.names)
            robot.require_within(demo.joints.names, demo.joints.positions)
            for other in out:
                _require_apart(demo, other, robot, place)
            check = JointCheck.create(robot, demo, config.motion, limits)
            out.append(cls(demo, robot, check, place))
        return tuple(out)

    @property
    def joints(self) -> Joints:
        """The recorded joints."""
        assert self.demo.joints is not None
        return self.demo.joints

    @cached_property
    def hand2joints(self) -> Floats:
        """What the recorded joints and transforms differ by (T, 4, 4).

        It is the recording's own; it is kept, so that where nothing moves the joints stay as
        recorded.
        """
        reached = self.robot.forward(self.joints.names, self.joints.positions)
        return np.asarray(se3.inverse(self.demo.arms[self.place].ee2base) @ reached)

    def recorded(self, times: Floats) -> Floats:
        """Recorded joint positions (M, J) at fractional source frames (M,)."""
        low = np.floor(times).astype(np.int64)
        high = np.minimum(low + 1, len(self.demo) - 1)
        positions = self.joints.positions
        return np.asarray(
            positions[low] + (times - low)[:, None] * (positions[high] - positions[low])
        )

    def follow(
        self,
        times: Floats,
        ee2base: Floats,
        *,
        forced: bool = False,
        away: Floats | None = None,
        near: Floats | None = None,
    ) -> IkPath:
        """Joints that bring the hand along a path.

        Args:
            times: (M,) source frames.
            ee2base: (M, 4, 4) poses of the hand.
            forced: Whether the arm shall go on where it fails.
            away: (J,) how far from the recorded joints those of the arm shall be, within their
                limits; None for as recorded.
            near: (M, N) joints that they shall be near to, instead of those recorded.

        """
        targets = ee2base @ se3.interpolate(self.hand2joints, times)
        seeds = self.recorded(times) if near is None else near
        if away is not None:
            columns, limits = self.check.columns, self.robot.limits(self.robot.chain).T
            own = seeds[:, columns]
            low, high = np.minimum(limits[0], own), np.maximum(limits[1], own)
            seeds[:, columns] = np.clip(own + away, low, high)
        return self.robot.solve_path(self.joints.names, targets, seeds, persist=forced)

    def hand(self, times: Floats, positions: Floats) -> Floats:
        """Poses (M, 4, 4) of the hand that joint positions (M, J) bring about."""
        reached = self.robot.forward(self.joints.names, positions)
        return np.asarray(reached @ se3.inverse(se3.interpolate(self.hand2joints, times)))

    def refusal(self, path: IkPath, times: Floats) -> Refusal:
        """Say what keeps the arm from a path at source frames (M,), and by how much.

        That is how far it misses the path, metres, or else radians; where it could only jump, how
        far a joint would.
        """
        at = path.first_failed
        miss, turn = float(path.position_error_m[at]), float(path.rotation_error_rad[at])
        if miss <= POSITION_TOLERANCE_M and turn <= ROTATION_TOLERANCE_RAD:
            detail, amount = self._jump(path)
        else:
            detail = self._missed(path)
            amount = miss if miss > POSITION_TOLERANCE_M else turn
        return Refusal(Reason.UNREACHABLE, detail, float(times[at]), amount, self.place)

    def _jump(self, path: IkPath) -> tuple[str, float]:
        """How far the joints would have to go from one frame to the next."""
        at, columns = path.first_failed, self.check.columns
        steps = np.abs(path.positions[at, columns] - path.positions[max(at - 1, 0), columns])
        joint = int(steps.argmax())
        name, far = self.check.names[joint], float(steps[joint])
        said = (
            f'{1e3 * far:.0f} mm'
            if self.robot.tree.slides(name)
            else f'{np.rad2deg(far):.0f} degrees'
        )
        return f'the arm would have to jump to another configuration, {name} by {said}', far

    def _missed(self, path: IkPath) -> str:
        """How far the hand is from the path, and which joints are at their limits."""
        at = path.first_failed
        miss, turn = path.position_error_m[at], path.rotation_error_rad[at]
        names, chain = list(self.joints.names), self.robot.chain
        values = path.positions[at, [names.index(name) for name in chain]]
        low, high = self.robot.limits(chain).T
        ends = (values <= low + _AT_LIMIT) | (values >= high - _AT_LIMIT)
        stuck = [name for name, end in zip(chain, ends, strict=True) if end]
        missed = (
            f'the arm misses the path by {1e3 * miss:.0f} mm and {np.rad2deg(turn):.0f} degrees'
        )
        return f'{missed}, with {", ".join(stuck)} at the limit' if stuck else missed


def _require_apart(demo: Demo, one: ArmModel, robot: Robot, place: int) -> None:
    """Raise where two arms move the same joints, so that neither could go its own way.

    Raises:
        R2RGenError: Naming the arms and the joints.

    """
    both = sorted(set(one.robot.chain) & set(robot.chain))
    require(
        not both,
        f'the arms "{demo.arms[one.place].name}" and "{demo.arms[place].name}" share joints {both}',
        'joints of its own for each arm',
        'choose end effectors of different arms with --ee-frame, or leave what both stand on out of'
        ' the joints of a robot profile (--robot)',
    )


def arm_of(profile: RobotProfile, demo: Demo, place: int = 0) -> str:
    """Return the profile's arm that an arm of a demonstration is: by name, or the only one."""
    names = [arm.name for arm in profile.arms]
    if len(names) == 1 and len(demo.arms) == 1:
        return names[0]
    return profile.arm(demo.arms[place].name).name


def skills_at(times: Floats, spans: Sequence[tuple[int, int]]) -> NDArray[np.int16]:
    """Index (M,) of the skill, of those from first to last frame, at source frames; -1 for none."""
    out = np.full(len(times), -1, dtype=np.int16)
    for index, (first, last) in enumerate(spans):
        out[(times >= first) & (times <= last)] = index
    return out
