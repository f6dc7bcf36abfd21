# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whether a profile, a robot description and a bag speak of the same robot, and how to mend it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.robots.agreement import compare, worst_edge
from r2rgen_ros.robots.arms import arm_limits
from r2rgen_ros.robots.description import (
    PREFIX,
    check_description,
    listed,
    mesh_names,
    missing_names,
    nearest,
)
from r2rgen_ros.robots.findings import ArmReport, Fault, RobotInspection
from r2rgen_ros.robots.kinematics import Robot
from r2rgen_ros.robots.mesh_files import INSTALL, can_read
from r2rgen_ros.robots.meshes import MeshFinder
from r2rgen_ros.robots.mounts import base_faults, camera_faults

if TYPE_CHECKING:
    import xml.etree.ElementTree as ET
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from r2rgen_ros.bags.recorded_robot import RecordedRobot
    from r2rgen_ros.bags.streams import StreamSelection
    from r2rgen_ros.robots.agreement import Agreement
    from r2rgen_ros.robots.arms import JointLimits
    from r2rgen_ros.robots.profile import RobotProfile
    from r2rgen_ros.robots.profile_parts import ArmProfile

RECORD_TF = 'record /tf and /tf_static of this robot, or name its frames as they do in the profile'
RECORD_JOINTS = (
    'record the joint states of this arm as well, or name its joints as they do in the profile and'
    ' in the URDF'
)


def selection_of(
    profile: RobotProfile, recorded: RecordedRobot, wanted: StreamSelection
) -> StreamSelection:
    """Add a profile's frames to what a person chose, where the bag's transforms have them."""
    frames = recorded.transforms
    base, hands = wanted.base_frame, wanted.end_effectors
    if base is None and profile.base.frame in frames:
        base = profile.base.frame
    if not hands and all(arm.end_effector in frames for arm in profile.arms):
        hands = tuple((arm.name, arm.end_effector) for arm in profile.arms)
    return replace(wanted, base_frame=base, end_effectors=hands)


def inspect_robot(
    profile: RobotProfile, recorded: RecordedRobot, folders: Sequence[Path | str] = ()
) -> RobotInspection:
    """Compare a profile with what a bag holds of the robot.

    Args:
        profile: What a person says of the robot.
        recorded: What the bag holds of it.
        folders: Each holds packages of meshes and descriptions, or is one.

    Raises:
        R2RGenError: A folder does not exist.

    """
    return _Inspector(profile, recorded, MeshFinder(folders), folders).inspect()


class _Inspector:
    def __init__(
        self,
        profile: RobotProfile,
        recorded: RecordedRobot,
        finder: MeshFinder,
        folders: Sequence[Path | str],
    ) -> None:
        self._profile = profile
        self._recorded = recorded
        self._finder = finder
        self._folders = folders
        self._faults: list[Fault] = []
        self._meshes = (0, 0)

    def inspect(self) -> RobotInspection:
        root, robot = self._description()
        self._faults += self._frame_faults()
        arms = tuple(self._arm(arm, robot) for arm in self._profile.arms)
        self._faults += self._clashes(arms)
        self._faults += self._shared_joints(arms) if robot is not None else ()
        self._faults += base_faults(self._profile, self._recorded)
        self._faults += camera_faults(self._profile, self._recorded)
        if root is not None and robot is not None:
            self._faults += self._link_faults(robot)
            self._faults += self._mesh_faults(root)
        profile, base = self._profile, self._profile.base
        return RobotInspection(
            robot=profile.name,
            base_frame=base.frame,
            base_type=base.type,
            arms=arms,
            cameras=tuple((camera.name, camera.frame) for camera in profile.cameras),
            meshes_named=self._meshes[0],
            meshes_found=self._meshes[1],
            faults=tuple(sorted(dict.fromkeys(self._faults), key=lambda item: not item.is_needed)),
        )

    def _description(self) -> tuple[ET.Element | None, Robot | None]:
        """The URDF and the kinematics; None for what cannot be had."""
        texts = self._recorded.descriptions
        if self._profile.urdf is None and len(set(texts.values())) > 1:
            self._add(
                f'the bag has {len(texts)} robot descriptions: {", ".join(texts)}',
                'put both arms into one URDF, each with a prefix, and name the file in the profile:'
                ' "urdf: PATH"',
            )
            return None, None
        try:
            text = self._profile.description(self._recorded.description, self._folders)
            root = check_description(text)
            base = self._profile.base.frame
            links = [str(link.get('name')) for link in root.findall('link')]
            if base not in links:
                name = missing_names([base], links)
                self._add(
                    f'the robot description has no base frame {name}; its links begin with'
                    f' {listed(links)}',
                    f'name it as the URDF does, in the profile "{self._profile.name}"',
                )
                return root, None
            return root, Robot.from_urdf(text, base, base)
        except R2RGenError as error:
            fix = error.fix or 'run "check_urdf" on it, which says what is wrong, and mend it'
            self._faults.append(Fault.of(R2RGenError(error.found, error.expected, fix)))
            return None, None

    def _frame_faults(self) -> Iterator[Fault]:
        profile, frames = self._profile, self._recorded.transforms
        if not frames.frames:
            yield Fault('the bag has no transforms', 'record "/tf /tf_static"')
            return
        wanted = {profile.base.frame: 'base frame'}
        wanted |= {arm.end_effector: f'end effector of arm "{arm.name}"' for arm in profile.arms}
        for frame, what in wanted.items():
            if frame not in frames:
                name = missing_names([frame], frames.frames)
                yield Fault(f"the bag's transforms have no frame {name}, the {what}", RECORD_TF)

    def _clashes(self, arms: Sequence[ArmReport]) -> Iterator[Fault]:
        torn = self._recorded.torn_joints()
        own = [joint for arm in arms for joint in arm.joints]
        torn = {joint: found for joint, found in torn.items() if joint in own or not own}
        if torn:
            topics = ' and '.join(sorted({topic for found in torn.values() for topic in found}))
            yield Fault(
                f'two arms share the joint names {listed(sorted(torn))}: {topics} told of different'
                ' positions at the same time',
                PREFIX,
            )
        for frame in self._frames_of_arms():
            parents = self._recorded.parents.get(frame, ())
            if len(parents) > 1:
                yield Fault(
                    f'the frame "{frame}" hangs below {listed(parents)}: two arms share its name,'
                    ' or two nodes publish it',
                    PREFIX,
                )

    def _frames_of_arms(self) -> Iterator[str]:
        """Frames from the end effectors up to the base, without the base, each once."""
        frames, seen = self._recorded.transforms, {self._profile.base.frame}
        for arm in self._profile.arms:
            for frame in frames.chain(arm.end_effector) if arm.end_effector in frames else ():
                if frame in seen:
                    break
                seen.add(frame)
                yield frame

    def _arm(self, arm: ArmProfile, robot: Robot | None) -> ArmReport:
        limits = self._limits(arm, robot)
        joints = arm.joints if limits is None else limits.names
        self._faults += self._joint_faults(arm, joints, robot)
        if limits is None or robot is None:
            return ArmReport(arm.name, arm.end_effector, joints)
        self._faults += self._limit_faults(arm, limits)
        found = self._compared(arm, robot)
        return ArmReport(
            arm.name,
            arm.end_effector,
            joints,
            bool(np.isfinite(limits.speed).all()),
            bool(np.isfinite(limits.acceleration).all()),
            found,
        )

    def _limits(self, arm: ArmProfile, robot: Robot | None) -> JointLimits | None:
        if robot is None:
            return None
        try:
            return arm_limits(self._profile, robot, arm.name)
        except R2RGenError as error:
            self._faults.append(Fault.of(error))
            return None

    def _joint_faults(
        self, arm: ArmProfile, joints: Sequence[str], robot: Robot | None
    ) -> Iterator[Fault]:
        have = self._recorded.joints
        if not have:
            yield Fault('the bag has no joint states', 'record "/joint_states"')
            return
        missing = [joint for joint in joints if joint not in have]
        if missing:
            others = '' if nearest(missing[0], have) else f'; they have {listed(list(have))}'
            yield Fault(
                f"the bag's joint states lack {missing_names(missing, have)}, of arm"
                f' "{arm.name}"{others}',
                RECORD_JOINTS,
            )
        grip = [] if arm.gripper is None else list(arm.gripper.joints)
        if robot is not None:
            unknown = [joint for joint in grip if joint not in robot.joint_names]
            if unknown:
                names = missing_names(unknown, robot.joint_names)
                yield Fault(
                    f'the robot description has no joints {names}, of the gripper of arm'
                    f' "{arm.name}"',
                    'name them as the URDF does, in the profile',
                )
            grip = [j for j in grip if j not in unknown and robot.tree.leader(j) not in have]
        missing = [joint for joint in grip if joint not in have]
        if missing:
            yield Fault(
                f"the bag's joint states lack {missing_names(missing, have)}, of the gripper of arm"
                f' "{arm.name}": its fingers may be anywhere',
                'record the joint states of the gripper as well',
                is_needed=False,
            )

    def _limit_faults(self, arm: ArmProfile, limits: JointLimits) -> Iterator[Fault]:
        stuck = [
            n for n, a, b in zip(limits.names, limits.lower, limits.upper, strict=True) if a == b
        ]
        if stuck:
            yield Fault(
                f'by the robot description {listed(stuck)}, of arm "{arm.name}", cannot move: the'
                ' lower limit is the upper one, or both are left out',
                'add <limit lower="..." upper="..."/> of the data sheet to the URDF',
            )
        for what, values in (('speed', limits.speed), ('acceleration', limits.acceleration)):
            free = [name for name, v in zip(limits.names, values, strict=True) if np.isinf(v)]
            if free:
                yield Fault(
                    f'no largest {what} is known of {listed(free)}, of arm "{arm.name}"',
                    f'write "max_{what}" for this arm into the profile, from its data sheet',
                    is_needed=False,
                )

    def _compared(self, arm: ArmProfile, robot: Robot) -> Agreement | None:
        base, hand = self._profile.base.frame, arm.end_effector
        recorded = self._recorded
        if not recorded.transforms.connected(base, hand):
            return None
        found = compare(robot, recorded, base, hand)
        if found is None and all(j in recorded.joints for j in robot.tree.between(base, hand)):
            self._add(
                f'joint states and transforms of arm "{arm.name}" share no instant',
                'synchronise the clocks of their publishers, and record both together',
            )
        if found is not None and not found:
            edge = worst_edge(robot, recorded, base, hand)
            where = f', most at "{edge[0]}" > "{edge[1]}"' if edge is not None else ''
            self._add(
                f'kinematics and transforms of arm "{arm.name}" differ by up to'
                f' {found.largest_mm:.3g} mm and {found.largest_deg:.3g} degrees{where}',
                'use the URDF that robot_state_publisher had when the bag was recorded, with the'
                ' joint states that it had',
            )
        return found

    def _shared_joints(self, arms: Sequence[ArmReport]) -> Iterator[Fault]:
        for place, arm in enumerate(arms):
            for other in arms[:place]:
                shared = [joint for joint in arm.joints if joint in other.joints]
                if shared:
                    yield Fault(
                        f'the arms "{other.name}" and "{arm.name}" share the joints'
                        f' {listed(shared)}',
                        'list the `joints` of each arm in the profile, without these',
                    )

    def _link_faults(self, robot: Robot) -> Iterator[Fault]:
        """Links of grippers and of pairs that may touch, which the URDF does not have."""
        links: list[str] = []
        for arm in self._profile.arms:
            links += [] if arm.gripper is None else arm.gripper.links
        try:
            links += [link for pair in self._profile.touching(self._folders) for link in pair]
        except R2RGenError as error:
            yield Fault.of(error, is_needed=False)
        missing = [link for link in dict.fromkeys(links) if link not in robot.links]
        if missing:
            yield Fault(
                f'the robot description has no links {missing_names(missing, robot.links)}',
                'name them as the URDF does, in the profile (gripper, never_collide) or the SRDF',
                is_needed=False,
            )

    def _mesh_faults(self, root: ET.Element) -> Iterator[Fault]:
        names = mesh_names(root)
        lost = [name for name in names if self._finder.find(name) is None]
        self._meshes = len(names), len(names) - len(lost)
        if not names and root.find('link//geometry') is None:
            yield Fault(
                'the robot description has no shapes: neither the surface of the robot nor'
                ' collisions with it are known',
                'use a URDF with visual and collision geometry',
                is_needed=False,
            )
        if lost:
            yield Fault(
                f'{len(lost)} of {len(names)} meshes of the robot are not found: {listed(lost)}',
                'give the folder that holds their packages with --mesh-folder, or source the'
                ' workspace that has them',
                is_needed=False,
            )
        blind = [name for name in names if (path := self._finder.find(name)) and not can_read(path)]
        if blind:
            yield Fault(
                f'{len(blind)} meshes of the robot cannot be read: {listed(blind)}',
                INSTALL,
                is_needed=False,
            )

    def _add(self, what: str, fix: str) -> None:
        self._faults.append(Fault(what, fix))
