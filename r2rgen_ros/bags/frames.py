# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which frame is the robot's base and which its hand: told, or found by name and by tree."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from r2rgen_ros.bags import keys
from r2rgen_ros.model.errors import R2RGenError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from r2rgen_ros.bags.streams import StreamSelection
    from r2rgen_ros.bags.transforms import TransformBuffer

BASES = (r'.*_link0$', r'^link0$', r'.*base_link$', r'^base$', r'.*_base$', r'^link_base$')
"""Names of base frames, best first: Franka, xArm, REP-105 and others."""
HANDS = (
    r'.*hand_tcp$', r'^tcp$', r'.*_tcp$', r'.*tool0$', r'.*tool0_controller$', r'^link_tcp$',
    r'.*hand$', r'.*ee_link$', r'.*end_effector(_link)?$', r'.*_ee$', r'^ee$', r'.*gripper_base$',
    r'.*gripper_link$', r'.*flange$', r'.*link_?8$', r'.*gripper$',
)  # fmt: skip
"""Names of end-effector frames, best first."""
CALIBRATE = (
    'publish the hand-eye calibration with static_transform_publisher, and record /tf_static; of a '
    'base that drives beside the camera, record the odometry on /tf as well'
)
"""What to do where no transform leads to the camera."""
NO_HAND = re.compile(r'finger|knuckle|optical|camera|color|depth|infra|imu|_sc$|pad|inertia|led')


def find_base(
    buffer: TransformBuffer,
    wanted: StreamSelection,
    custom_data: Mapping[str, str],
    hands: Sequence[str] = (),
    *,
    camera: str | None = None,
) -> str | None:
    """The frame that everything is to be expressed in.

    Args:
        buffer: All transforms.
        wanted: What a person chose.
        custom_data: What the bag says of itself.
        hands: End effectors that must hang below it, if known.
        camera: Frame of the camera's data; the base where there are no transforms at all.

    Returns:
        The frame chosen or stated; else the frame with a well-known name that is nearest above
        all hands; else the root of the tree. None where nothing is known.

    Raises:
        R2RGenError: The frame that was chosen is unknown.

    """
    told = wanted.base_frame or custom_data.get(keys.BASE_FRAME)
    if told is not None:
        return told if told == camera and not buffer.frames else buffer.check(told)
    if not hands:
        return buffer.roots[0] if len(buffer.roots) == 1 else camera
    chains = [buffer.chain(hand)[1:] for hand in hands]
    common = [frame for frame in chains[0] if all(frame in chain for chain in chains)]
    for pattern in BASES:
        for frame in common:
            if re.match(pattern, frame):
                return frame
    return common[-1] if common else None


def find_hands(
    buffer: TransformBuffer, wanted: StreamSelection, custom_data: Mapping[str, str]
) -> tuple[tuple[tuple[str, str], ...], str]:
    """The end effectors, as pairs of arm name and frame.

    Returns:
        The pairs, and a note on how they were found; both empty where there is no candidate.

    Raises:
        R2RGenError: A frame that was chosen is unknown, or several frames could be meant.

    """
    told = custom_data.get(keys.END_EFFECTOR) or custom_data.get(keys.END_EFFECTOR_FRAME) or ''
    pairs = wanted.end_effectors or keys.parse_end_effectors(told)
    if pairs:
        return tuple((arm, buffer.check(frame)) for arm, frame in pairs), ''
    for pattern in HANDS:
        found = [
            frame
            for frame in buffer.frames
            if re.match(pattern, frame) and _moves(buffer, frame) and not NO_HAND.search(frame)
        ]
        if len(found) == 1:
            return (('arm', found[0]),), f'the end effector is taken to be "{found[0]}"'
        if found:
            return _arms(found), f'the end effectors are taken to be {found}'
    return _longest(buffer)


def _moves(buffer: TransformBuffer, frame: str) -> bool:
    above = buffer.chain(frame)
    still = {edge.child for edge in buffer.edges if edge.is_static}
    return any(child not in still for child in above[:-1])


def _arms(frames: list[str]) -> tuple[tuple[str, str], ...]:
    """Name arms after what tells their frames apart: left_tcp and right_tcp are left and right."""
    names = []
    for frame in frames:
        side = re.search(r'left|right', frame)
        names.append(side.group(0) if side else frame.split('_')[0])
    if len(set(names)) < len(frames):
        raise R2RGenError(
            f'several frames could be the end effector: {frames}',
            'one per arm',
            'choose with --ee-frame ARM=FRAME',
        )
    return tuple(zip(names, frames, strict=True))


def _longest(buffer: TransformBuffer) -> tuple[tuple[tuple[str, str], ...], str]:
    leaves = [
        frame for frame in buffer.leaves if _moves(buffer, frame) and not NO_HAND.search(frame)
    ]
    if not leaves:
        return (), ''
    hand = max(leaves, key=lambda frame: len(buffer.chain(frame)))
    note = f'no frame has the name of an end effector: "{hand}", the end of the longest chain, is'
    return (('arm', hand),), f'{note} taken'
