# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Forward and inverse kinematics of a robot given by its URDF; no meshes are needed.

Joint columns are always in the order of the names that the caller passes, usually those of
`sensor_msgs/JointState`, so that a recorded message can be used as it is.
"""

from __future__ import annotations

import copy
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pinocchio as pin

from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.rigid import part_way
from r2rgen_ros.geometry.serial_chain import SerialChain
from r2rgen_ros.model.driving import is_base_joint
from r2rgen_ros.model.errors import R2RGenError, check_array, check_finite, require
from r2rgen_ros.robots.description import check_description, listed, missing_names
from r2rgen_ros.robots.joint_tree import JointTree

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

POSITION_TOLERANCE_M = 5e-4
ROTATION_TOLERANCE_RAD = float(np.deg2rad(0.2))
"""A target is met when the end effector is this close to it."""

_BEYOND_RAD, _BEYOND_M = 0.2, 0.02  # recorded joints may be a little beyond nominal limits
_HOMOTOPY_STEPS = 20


@dataclass(frozen=True)
class IkPath:
    """Joint positions along a path of the end effector.

    Attributes:
        positions: (M, J) rad or m; rows after the first failed one are the seeds.
        position_error_m: (M,) distance from the target; NaN after the first failed frame.
        rotation_error_rad: (M,) angle from the target; NaN after the first failed frame.
        first_failed: First frame that misses its target or jumps; -1 where every frame is met.

    """

    positions: Floats
    position_error_m: Floats
    rotation_error_rad: Floats
    first_failed: int = -1


class Robot:
    """Kinematics of one end effector, from a URDF.

    Attributes:
        base_frame: Name of the link that poses are expressed in.
        end_effector: Name of the link whose pose is asked for.
        joint_names: Movable joints in the order of the URDF's tree, mimic joints included.
        tree: Which joints lie between the links, and which follow others.

    """

    def __init__(self, model: Any, tree: JointTree, base_frame: str, end_effector: str) -> None:
        self.base_frame = base_frame
        self.end_effector = end_effector
        self.tree = tree
        self.joint_names: tuple[str, ...] = tuple(model.names)[1:]
        self._model = model
        self._data = model.createData()
        self._links = {
            frame.name: i
            for i, frame in enumerate(model.frames)
            if frame.type == pin.FrameType.BODY
        }
        self._base = self._frame(base_frame)
        self._ee = self._frame(end_effector)
        above, below = tree.chain(base_frame), tree.chain(end_effector)
        require(
            set(above) <= set(below),
            f'"{base_frame}" is not above "{end_effector}" in the robot description',
            'a base frame that carries the end effector',
        )
        self._chain = tuple(name for name in below if name not in above and not is_base_joint(name))

    @classmethod
    def from_urdf(cls, text: str, base_frame: str, end_effector: str) -> Robot:
        """Build the kinematics from the text of a URDF.

        Args:
            text: The URDF, as on the topic /robot_description.
            base_frame: Link that poses are expressed in.
            end_effector: Link whose pose is asked for, below the base frame.

        Returns:
            The robot.

        Raises:
            R2RGenError: The text is no URDF, or one of the links does not exist.

        """
        check_description(text)  # says what the parser tells standard error alone
        try:
            tree = JointTree(text)
            model = pin.buildModelFromXML(text)
        except (ET.ParseError, ValueError, RuntimeError) as error:
            reason = ' '.join(str(error).split())[:200]
            raise R2RGenError(f'the robot description cannot be read: {reason}', 'a URDF') from None
        return cls(model, tree, base_frame, end_effector)

    @property
    def chain(self) -> tuple[str, ...]:
        """Joints between the base frame and the end effector that may be moved, in order.

        Those of a base that drives (`model.driving`) go as they were recorded.
        """
        return self._chain

    def only(self, joints: Iterable[str]) -> Robot:
        """Return the same robot, of which inverse kinematics moves only some joints of the chain.

        Args:
            joints: Their names; the other joints stay where the seeds have them.

        """
        other = copy.copy(self)
        wanted = set(joints)
        other._chain = tuple(name for name in self._chain if name in wanted)
        return other

    @property
    def links(self) -> tuple[str, ...]:
        """Names of all links."""
        return tuple(self._links)

    def limits(self, names: Sequence[str]) -> Floats:
        """Lower and upper position limits (J, 2) of joints by name, rad or m."""
        out = np.full((len(names), 2), [-np.inf, np.inf])
        for row, name in enumerate(names):
            joint = self._joint(name)
            if joint.nq == 1:
                out[row, 0] = self._model.lowerPositionLimit[joint.idx_q]
                out[row, 1] = self._model.upperPositionLimit[joint.idx_q]
        return out

    def velocity_limits(self, names: Sequence[str]) -> Floats:
        """Velocity limits (J,) of joints by name, rad/s or m/s; infinite where not given."""
        limit = np.array(
            [self._model.velocityLimit[self._joint(name).idx_v] for name in names], dtype=np.float64
        )
        return np.where(limit > 0.0, limit, np.inf)

    def forward(self, names: Sequence[str], positions: ArrayLike) -> Floats:
        """Poses of the end effector in the base frame.

        Args:
            names: J joint names; joints of other devices are ignored.
            positions: (N, J) rad or m.

        Returns:
            ee2base (N, 4, 4).

        Raises:
            R2RGenError: A joint of the chain is missing, or shapes do not agree.

        """
        edge = (self.base_frame, self.end_effector)
        return self.link_poses(names, positions, [edge])[edge]

    def link_poses(
        self, names: Sequence[str], positions: ArrayLike, edges: Sequence[tuple[str, str]]
    ) -> dict[tuple[str, str], Floats]:
        """Poses of links in other links, such as the edges of TF.

        Args:
            names: J joint names; joints of other devices are ignored.
            positions: (N, J) rad or m.
            edges: Pairs of link names (parent, child).

        Returns:
            child2parent (N, 4, 4) per pair.

        Raises:
            R2RGenError: A link is unknown, a joint between two links is missing, or shapes do not
                agree.

        """
        values = self._check(names, positions)
        frames = {link: self._frame(link) for edge in edges for link in edge}
        known = self._known(names)
        for parent, child in edges:
            self._require_joints(self.tree.between(parent, child) - known, names)
        out2world = self._world_poses(names, values, sorted(set(frames.values())))
        return {
            (parent, child): se3.inverse(out2world[frames[parent]]) @ out2world[frames[child]]
            for parent, child in edges
        }

    def screws(self, names: Sequence[str], positions: ArrayLike) -> Floats:
        """Axes of the joints of the chain, about which all that is below them moves.

        By the product of exponentials (Brockett 1984) the pose of a link that k joints carry is
        exp(S_1 a_1) ... exp(S_k a_k) times its pose at these positions, where a_j is how far joint
        j has gone on.

        Args:
            names: N joint names; those of the chain must be among them.
            positions: (N,) rad or m.

        Returns:
            (J, 6) twists in the base frame, linear before angular.

        """
        values = self._check(names, np.asarray(positions, dtype=np.float64)[None])
        model, data = self._model, self._data
        pin.computeJointJacobians(model, data, self._configurations(names, values)[0])
        base = pin.updateFramePlacement(model, data, self._base)
        out = np.empty((len(self._chain), 6))
        for row, name in enumerate(self._chain):
            joint = model.getJointId(name)
            columns = pin.getJointJacobian(model, data, joint, pin.ReferenceFrame.WORLD)
            out[row] = base.actInv(pin.Motion(columns[:, self._joint(name).idx_v])).vector
        return out

    def solve_path(
        self,
        names: Sequence[str],
        targets: ArrayLike,
        seeds: ArrayLike,
        *,
        max_step: ArrayLike = 0.5,
        persist: bool = False,
    ) -> IkPath:
        """Joint positions that bring the end effector along a path.

        By damped least squares (`geometry.serial_chain`), with the rest of the freedom pulling
        towards the seeds. Every frame starts from its own seed plus the correction found for the
        frame before, so a path that the seeds already follow comes back bit for bit. Joints off the
        chain, such as fingers, keep their seeds.

        Args:
            names: J joint names; those of the chain must be among them.
            targets: ee2base (M, 4, 4).
            seeds: (M, J) joint positions of the source at these frames.
            max_step: Largest change of a joint from frame to frame, rad or m, a number or (J,);
                a seed's own larger step is allowed too.
            persist: Whether to go on after a failure, as close to the path as the arm can.

        Returns:
            The positions, the errors left, and the first frame that fails: its target is missed by
            more than 0.5 mm or 0.2 degrees within the joint limits, or a joint jumps.

        Raises:
            R2RGenError: A joint of the chain is missing, or shapes do not agree.

        """
        seeds = self._check(names, seeds)
        targets = check_array('IK targets', targets, (len(seeds), 4, 4))
        require(se3.is_transform(targets), 'an IK target is not a rigid transform')
        self.require_joints(names)
        columns = self._columns(names)
        positions, own = seeds.copy(), np.ascontiguousarray(seeds[:, columns])
        if not len(own):
            return IkPath(positions, np.empty(0), np.empty(0))
        chain = self._serial_chain(names, seeds, own)
        step = np.broadcast_to(np.asarray(max_step, dtype=np.float64), (len(names),))[columns]
        tolerance = POSITION_TOLERANCE_M, ROTATION_TOLERANCE_RAD
        first = _first(chain, own[0], targets[0])
        found, errors, failed = chain.follow(own, targets, first, step, tolerance, persist=persist)
        positions[:, columns] = found
        return IkPath(positions, errors[:, 0], errors[:, 1], failed)

    def require_joints(self, names: Sequence[str]) -> None:
        """Raise unless all joints of the chain are among some names.

        Raises:
            R2RGenError: Naming the joints that are missing.

        """
        self._require_joints(set(self._chain) - set(names), names)

    def require_within(self, names: Sequence[str], positions: ArrayLike) -> None:
        """Raise unless recorded positions are within the limits of the chain, about.

        Args:
            names: J joint names; those of the chain must be among them.
            positions: (M, J) rad or m.

        Raises:
            R2RGenError: A joint is far outside; its limits are not those of this robot.

        """
        columns = np.asarray(positions, dtype=np.float64)[:, self._columns(names)]
        limits = self.limits(self._chain)
        for name, column, (low, high) in zip(self._chain, columns.T, limits, strict=True):
            slides = self.tree.slides(name)
            far = _BEYOND_M if slides else _BEYOND_RAD
            least, most = column.min(initial=np.inf), column.max(initial=-np.inf)
            unit = 'm' if slides else 'rad'
            require(
                least >= low - far and most <= high + far,
                f'{name} was at {least:.2f} to {most:.2f} {unit} in the recording, outside of its '
                f'limits in the robot description',
                f'{low:.2f} to {high:.2f} {unit}',
                'correct its lower and upper limits in the URDF, or the unit of the joint states',
            )

    def reach(self, names: Sequence[str], targets: ArrayLike, starts: ArrayLike) -> Floats | None:
        """Joint positions that bring the end effector to poses near those of given positions.

        Args:
            names: J joint names; those of the chain must be among them.
            targets: ee2base (M, 4, 4), independent of each other.
            starts: (M, J) joint positions to start from.

        Returns:
            (M, J), or None where a target is missed by more than 0.5 mm or 0.2 degrees.

        """
        starts = self._check(names, starts)
        targets = check_array('IK targets', targets, (len(starts), 4, 4))
        columns = self._columns(names)
        positions, own = starts.copy(), np.ascontiguousarray(starts[:, columns])
        chain = self._serial_chain(names, starts, own)
        for index, target in enumerate(targets):
            found, error = chain.reach(index, own[index], own[index], target)
            if _missed(error):
                return None
            positions[index, columns] = found
        return positions

    def _frame(self, link: str) -> int:
        if link not in self._links:
            raise R2RGenError(
                f'the robot description has no link {missing_names([link], self._links)}',
                'the frames of the recording',
                'record the /robot_description of this very robot, or name its frames with '
                '--base-frame and --ee-frame',
            )
        return self._links[link]

    def _joint(self, name: str) -> Any:
        if name not in self.joint_names:
            raise R2RGenError(
                f'the robot description has no joint {missing_names([name], self.joint_names)}',
                f'one of {listed(self.joint_names)}',
            )
        return self._model.joints[self._model.getJointId(name)]

    def _known(self, names: Sequence[str]) -> set[str]:
        follow = {name for name, mimic in self.tree.mimics.items() if mimic.master in names}
        return set(names) | follow

    def _require_joints(self, missing: Iterable[str], names: Sequence[str]) -> None:
        lack = sorted(missing)
        require(
            not lack,
            f'there are no positions of the joints {missing_names(lack, names)}',
            f'them among {listed(names) or "the joint states"}',
            'record the joint_states that the robot_description speaks of, or the '
            'robot_description whose joints have these names',
        )

    def _check(self, names: Sequence[str], positions: ArrayLike) -> Floats:
        double = sorted({name for name in names if list(names).count(name) > 1})
        require(not double, f'joints {double} are named twice', 'one column per joint')
        value = check_array('joint positions', positions, (None, len(names)))
        return check_finite('joint positions', value)

    def _columns(self, names: Sequence[str]) -> NDArray[np.intp]:
        return np.array([list(names).index(name) for name in self._chain], dtype=np.intp)

    def _serial_chain(self, names: Sequence[str], seeds: Floats, own: Floats) -> SerialChain:
        """The chain, whose seeds are (M, C), while all other joints are at the seeds (M, J)."""
        model, data = self._model, self._data
        joints = [self._joint(name) for name in self._chain]
        rows, neutral = self._configurations(names, seeds), pin.neutral(model)
        for joint in joints:
            entries = slice(joint.idx_q, joint.idx_q + joint.nq)
            rows[:, entries] = neutral[entries]
        if not self.tree.between(self.base_frame, self.end_effector) - set(self._chain):
            rows = rows[:1]
        links = np.empty((len(rows), len(joints) + 1, 4, 4))
        for row, q in enumerate(rows):
            pin.forwardKinematics(model, data, q)
            poses = [data.oMi[joint.id] for joint in joints]
            ends = (pin.updateFramePlacement(model, data, at) for at in (self._base, self._ee))
            first, last = (pose.copy() for pose in ends)
            for place, (one, other) in enumerate(pairwise([first, *poses, last])):
                links[row, place] = one.actInv(other).homogeneous
        turns, axes = self._axes(joints)
        limits = self.limits(self._chain)
        # A recorded position just outside a nominal limit was reached, so it is allowed.
        low = np.minimum(limits[:, 0], own.min(axis=0, initial=np.inf))
        high = np.maximum(limits[:, 1], own.max(axis=0, initial=-np.inf))
        return SerialChain(links, axes, turns, low, high)

    def _axes(self, joints: Sequence[Any]) -> tuple[NDArray[np.bool_], Floats]:
        """Which joints (J,) turn, and their axes (J, 3), each in its own frame."""
        model, data = self._model, self._data
        pin.computeJointJacobians(model, data, pin.neutral(model))
        turns, axes = np.zeros(len(joints), dtype=np.bool_), np.empty((len(joints), 3))
        for row, joint in enumerate(joints):
            local = pin.getJointJacobian(model, data, joint.id, pin.ReferenceFrame.LOCAL)
            twist = local[:, joint.idx_v]
            turns[row] = bool(np.abs(twist[3:]).max() > 0.0)
            axes[row] = twist[3:] if turns[row] else twist[:3]
        return turns, axes

    def _configurations(self, names: Sequence[str], values: Floats) -> Floats:
        """Pinocchio's configurations (N, nq) of joint positions (N, J); the rest is neutral."""
        out = np.tile(pin.neutral(self._model), (len(values), 1))
        columns = {name: values[:, i] for i, name in enumerate(names)}
        for name, mimic in self.tree.mimics.items():
            if name not in columns and mimic.master in columns:
                columns[name] = mimic.multiplier * columns[mimic.master] + mimic.offset
        for name, column in columns.items():
            if name not in self.joint_names:
                continue
            joint = self._joint(name)
            if joint.nq == 1:
                out[:, joint.idx_q] = column
            else:  # a continuous joint is a point on the unit circle
                out[:, joint.idx_q] = np.cos(column)
                out[:, joint.idx_q + 1] = np.sin(column)
        return out

    def _world_poses(
        self, names: Sequence[str], values: Floats, frames: Sequence[int]
    ) -> dict[int, Floats]:
        out = {frame: np.empty((len(values), 4, 4)) for frame in frames}
        model, data = self._model, self._data
        for row, q in enumerate(self._configurations(names, values)):
            pin.forwardKinematics(model, data, q)
            for frame in frames:
                out[frame][row] = pin.updateFramePlacement(model, data, frame).homogeneous
        return out


def _first(chain: SerialChain, seed: Floats, target: Floats) -> tuple[Floats, Floats]:
    """Reach the first target of a path; by way of poses in between where it is far away."""
    found, error = chain.reach(0, seed, seed, target)
    if not _missed(error):
        return found, error
    start, found = chain.pose(0, seed), seed
    for part in np.linspace(0.0, 1.0, _HOMOTOPY_STEPS + 1)[1:]:
        found, error = chain.reach(0, seed, found, part_way(start, target, float(part)))
    return found, error


def _missed(error: Floats) -> bool:
    return bool(error[0] > POSITION_TOLERANCE_M or error[1] > ROTATION_TOLERANCE_RAD)
