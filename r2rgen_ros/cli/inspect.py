# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Say what a bag or a dataset holds; of a bag also what a demonstration would still need.

BAG is a rosbag2 folder, a .mcap or .db3 file, a ROS 1 .bag, or a folder that holds one of them.
Of a dataset only the manifest is read. Nothing is changed. --robot compares the bag with what is
known of a robot: a preset (panda, ur5e, xarm7, baxter, dual_panda, tiago, tiago_hey5) or a file of
that kind.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from r2rgen_ros.bags.inspection import CameraReport, Inspection, TopicReport, inspect_bag
from r2rgen_ros.bags.recorded_robot import read_robot
from r2rgen_ros.bags.streams import StreamSelection
from r2rgen_ros.cli import console
from r2rgen_ros.cli.streams import add_stream_arguments, selected_streams
from r2rgen_ros.generate.dataset import Dataset, is_dataset
from r2rgen_ros.model.errors import R2RGenError, require
from r2rgen_ros.robots.inspection import inspect_robot, selection_of
from r2rgen_ros.robots.profile import load_profile

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping

    from r2rgen_ros.robots.findings import ArmReport, RobotInspection


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument('bag', metavar='BAG', type=Path, help='a recording, or a dataset')
    parser.add_argument(
        '--robot',
        metavar='NAME|FILE',
        help='a preset of a robot, or a profile: say whether it fits the bag',
    )
    parser.add_argument(
        '--mesh-folder',
        action='append',
        default=[],
        type=Path,
        metavar='FOLDER',
        help="a folder with the packages of the robot's meshes; may be repeated; with --robot",
    )
    add_stream_arguments(parser)


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Inspect a bag, print the findings, and return them."""
    wanted, robot = selected_streams(args), None
    if is_dataset(args.bag):
        require(
            args.robot is None and not args.mesh_folder and wanted == StreamSelection(),
            f'{args.bag} is a dataset, which is listed from its manifest',
            'no other option but --json',
            'inspect one of its episodes with these options',
        )
        return _dataset(args.bag)
    if args.robot is None and args.mesh_folder:
        raise R2RGenError('--mesh-folder is given without --robot', '', 'name the robot as well')
    if args.robot is not None:
        profile = load_profile(args.robot)
        recorded = read_robot(args.bag, wanted.joint_states)
        wanted = selection_of(profile, recorded, wanted)
        robot = inspect_robot(profile, recorded, args.mesh_folder)
    found = inspect_bag(args.bag, wanted)
    for line in describe(found):
        console.say(line)
    if robot is None:
        return found.to_json()
    for line in describe_robot(robot):
        console.say(line)
    return {**found.to_json(), 'robot': robot.to_json()}


def _dataset(folder: Path) -> dict[str, Any]:
    """Say what a dataset holds, from its manifest."""
    dataset = Dataset.open(folder)
    entries = list(dataset.outcomes())
    made = [entry for entry in entries if entry.accepted]
    reasons = Counter(entry.reason for entry in entries if not entry.accepted)
    source = dataset.info.get('source', {})
    frames = sum(entry.frames for entry in made)
    console.say(
        f'{folder}: a dataset of {len(made)} episodes ({frames} frames), {len(entries)} attempts'
    )
    console.say(f'  source {source.get("bag", "?")}, seed {dataset.info.get("seed", "?")}')
    for reason, count in reasons.most_common():
        console.say(f'  rejected: {count} {reason}')
    if made:
        last = f' to {dataset.place(made[-1].index)}' if len(made) > 1 else ''
        console.say(f'  episodes: {dataset.place(made[0].index)}{last}')
    return {
        'path': str(folder),
        'format': 'dataset',
        'accepted': len(made),
        'attempts': len(entries),
        'frames': frames,
        'reasons': dict(reasons),
        'episodes': [dataset.place(entry.index) for entry in made],
    }


def describe(found: Inspection) -> Iterator[str]:
    """The lines that a person reads."""
    count = sum(topic.count for topic in found.topics)
    yield f'{found.path}: {found.format}, {found.duration_s:.2f} s, {count} messages'
    for topic in found.topics:
        yield from _topic(topic)
    for camera in found.cameras:
        yield _camera(camera)
    if found.frames['pairs']:
        yield _tree(found.frames)
    if found.base_frame and found.end_effectors:
        yield f'  base frame {found.base_frame}, end effector {", ".join(found.end_effectors)}'
    for note in found.notes:
        yield f'  note: {note}'
    yield from _verdict(found)


def _topic(topic: TopicReport) -> Iterator[str]:
    rate = f', {topic.rate_hz:.4g} Hz' if topic.rate_hz == topic.rate_hz else ''
    role = f' [{topic.role}]' if topic.role else ''
    yield f'  {topic.name}{role}: {topic.count} x {topic.type}{rate}'
    summary = ', '.join(_details(topic.details))
    if summary:
        yield f'      {summary}'
    for problem in topic.problems:
        yield f'      ! {problem}'


def _camera(camera: CameraReport) -> str:
    if camera.is_main:
        return f'  main camera {camera.name}: another with --topic depth=TOPIC'
    found = f'not in episodes: {camera.trouble}' if camera.trouble else 'rendered into episodes'
    return f'  further camera {camera.name}: {found}'


def _details(details: Mapping[str, Any]) -> Iterator[str]:
    left = dict(details)
    if 'width' in left:
        yield f'{left.pop("width")} x {left.pop("height")}'
    for key, value in left.items():
        words = key.replace('_', ' ')
        if key.endswith('share'):
            yield f'{words} {value:.0%}'
        elif isinstance(value, bool):
            yield words.removeprefix('is ') if value else f'not {words.removeprefix("is ")}'
        elif isinstance(value, list):
            yield f'{words}: {" ".join(map(str, value))}'
        elif isinstance(value, float):
            yield f'{words} {value:.6g}'
        else:
            yield f'{words} {value}'


def _tree(frames: Mapping[str, Any]) -> str:
    chain = frames['longest_chain']
    return (
        f'  frames: {frames["pairs"]} pairs ({frames["moving_pairs"]} moving), roots'
        f' {" ".join(frames["roots"])}, longest chain {frames["depth"]} deep:'
        f' {chain[0]} ... {chain[-1]}'
    )


def _verdict(found: Inspection) -> Iterator[str]:
    needed = [lack for lack in found.lacks if lack.is_needed]
    useful = [lack for lack in found.lacks if not lack.is_needed]
    if found.is_demonstration:
        yield 'This is a demonstration: annotate it next.'
    else:
        yield 'This is no demonstration yet.'
    for title, lacks in (('missing', needed), ('useful, but missing', useful)):
        for lack in lacks:
            yield f'  {title}: {lack.what} ({lack.why}); to fix: {lack.fix}'
    if found.obstacle:
        yield f'  in the way: {found.obstacle}'


def describe_robot(found: RobotInspection) -> Iterator[str]:
    """The lines that a person reads of a robot."""
    yield f'robot {found.robot}: {found.base_type} base {found.base_frame}'
    for arm in found.arms:
        yield from _arm(arm)
    for name, frame in found.cameras:
        yield f'  camera {name}: {frame}'
    if found.meshes_named:
        yield f'  meshes: {found.meshes_found} of {found.meshes_named} found'
    for fault in found.faults:
        yield f'  {"!" if fault.is_needed else "useful:"} {fault}'
    yield 'The robot fits the bag.' if found.fits else 'The robot does not fit the bag yet.'


def _arm(arm: ArmReport) -> Iterator[str]:
    joints = f': {arm.joints[0]} ... {arm.joints[-1]}' if arm.joints else ''
    yield f'  arm {arm.name}: end effector {arm.end_effector}, {len(arm.joints)} joints{joints}'
    if arm.knows_speed is not None:
        known = {True: 'known', False: 'not known'}
        yield (
            f'      limits of speed {known[bool(arm.knows_speed)]},'
            f' of acceleration {known[bool(arm.knows_acceleration)]}'
        )
    if arm.agreement is None:
        yield '      kinematics could not be compared with the transforms'
    else:
        yield (
            f'      kinematics {"agree" if arm.agreement else "disagree"} with the transforms: at'
            f' most {arm.agreement.largest_mm:.2g} mm and {arm.agreement.largest_deg:.2g} degrees'
            f' apart in {arm.agreement.instants} instants'
        )
