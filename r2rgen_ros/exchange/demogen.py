# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""DemoGen's recordings as demonstration bags.

The files hold neither stamps nor absolute orientations, so two things are assumed and written into
the bag's provenance:

- the frame rate;
- that the three accumulated angles are yaw, pitch and roll, that is turns about the hand's own z,
  then y, then x axis as they were when all three were zero, along the base's axes. The recorded
  clouds bear the first two out: the rigid motion that carries the hand and the flowers it holds
  from frame to frame turns about the base's z axis while the first angle grows, and about
  (-0.997, 0.07, 0.06) while the second one does after a yaw of 1.5 rad, where this reading says
  (-0.997, 0.07, 0); it passes within 2 cm of the recorded position. The third hardly moves.

At zero the fingers point down and open along the base's y axis, as they are seen to do. Positions,
clouds, colours and gripper commands are the recorded ones.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml
from PIL import Image
from scipy.spatial.transform import Rotation

from r2rgen_ros import __version__
from r2rgen_ros.bags import keys, messages
from r2rgen_ros.bags.clouds import STANDARD, encode_cloud
from r2rgen_ros.bags.writer import LATCHED_TF, RELIABLE, SENSOR, TF, BagWriter
from r2rgen_ros.exchange import demogen_published as published
from r2rgen_ros.exchange.demogen_zarr import DemoGenEpisode, read_demogen
from r2rgen_ros.geometry import se3
from r2rgen_ros.model.errors import R2RGenError, check_range, require
from r2rgen_ros.model.paths import os_errors, require_new, sync

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

BASE_FRAME = 'panda_link0'
HAND_FRAME = 'panda_hand_tcp'
OPTICAL_FRAME = 'camera_color_optical_frame'

POINTS = '/camera/depth/color/points'
CAMERA_INFO = '/camera/color/camera_info'
JOINTS = '/gripper/joint_states'
COMMAND = '/cartesian_command'

START_NS = 1_000_000_000
"""Stamp of the first frame: 1 s, for nothing real is known, and 0 means "no time" to ROS."""
MASK_FOLDER = 'masks'
SOURCE_PICTURE = 'source.jpg'
SKILLS_HINT = 'skills_hint.yaml'


@dataclass(frozen=True)
class Imported:
    """What an import wrote.

    Attributes:
        path: The demonstration's folder.
        episode: Number of the episode.
        episodes: How many the file holds.
        frames: Number of frames.
        masks: Names of the objects that came with a mask.
        notes: What a person should know.

    """

    path: Path
    episode: int
    episodes: int
    frames: int
    masks: tuple[str, ...]
    notes: tuple[str, ...]


def import_demogen(
    zarr_path: Path,
    out: Path,
    *,
    episode: int | None = None,
    rate_hz: float = 10.0,
    masks: Path | None = None,
    published_skills: bool = False,
) -> Imported:
    """Write one episode of a DemoGen zarr as a demonstration bag.

    Args:
        zarr_path: The zarr folder.
        out: Folder of the demonstration to make.
        episode: Number of the episode, from 0; None takes the first.
        rate_hz: Frame rate to assume, Hz.
        masks: Folder with `source.jpg` and one binary picture per object; None looks for
            `sam_mask/<task>/<episode>` beside the zarr and does without where it is absent.
        published_skills: Whether to write the skill boundaries that the authors published into
            `skills_hint.yaml`.

    Returns:
        What was written.

    Raises:
        R2RGenError: The zarr, the episode or the masks are missing or damaged, or `out` exists.

    """
    rate_hz = check_range('rate', rate_hz, 0.1, 1000.0, 'Hz')
    require_new(out)
    recorded = read_demogen(zarr_path, episode or 0)
    pictures = _find_masks(zarr_path, recorded.episode, masks)
    hint = _skills_hint(zarr_path.stem, len(recorded)) if published_skills else None
    with _whole_folder(out) as folder:
        _write_bag(folder, recorded, zarr_path, rate_hz)
        names = _copy_masks(pictures, folder) if pictures else ()
        if hint:
            (folder / SKILLS_HINT).write_text(hint, encoding='utf-8')
    return Imported(
        out, recorded.episode, recorded.episodes, len(recorded), names, _notes(rate_hz, names)
    )


def _notes(rate_hz: float, masks: tuple[str, ...]) -> tuple[str, ...]:
    notes = [
        f'the file has no stamps: {rate_hz:g} frames a second are assumed',
        'the file has no absolute orientations: at zero angles the fingers are taken to point down',
    ]
    if not masks:
        notes.append('no masks were found beside the file: objects have to be pointed at')
    return tuple(notes)


@contextlib.contextmanager
def _whole_folder(out: Path) -> Iterator[Path]:
    """Yield a folder of the right name in a temporary place, and move it to `out` at the end."""
    around = out.absolute().parent / f'.{out.name}.tmp-{os.getpid()}'
    with os_errors(f'cannot write {out}'):
        around.mkdir(parents=True)
        try:
            yield around / out.name
            for item in (around / out.name).rglob('*'):
                sync(item)
            require_new(out)
            (around / out.name).rename(out)
            sync(out.absolute().parent)
        finally:
            shutil.rmtree(around, ignore_errors=True)


def hand_poses(state: NDArray[np.float64]) -> NDArray[np.float64]:
    """Poses (T, 4, 4) of the point between the fingertips in the base frame, of states (T, 7).

    z points where the fingers point, and y is the axis along which they open, as in the frame
    panda_hand_tcp of Franka's description.
    """
    turned = Rotation.from_euler('ZYX', state[:, 3:6]) * Rotation.from_euler('x', np.pi)
    return se3.compose(turned.as_matrix(), state[:, :3])


def _provenance(recorded: DemoGenEpisode, zarr_path: Path, rate_hz: float) -> dict[str, str]:
    return {
        keys.VERSION: __version__,
        'r2rgen.kind': 'imported',
        'r2rgen.source': zarr_path.name,
        'r2rgen.source_format': 'demogen',
        'r2rgen.source_episode': str(recorded.episode),
        keys.BASE_FRAME: BASE_FRAME,
        keys.END_EFFECTOR: HAND_FRAME,
        'r2rgen.assumed_rate_hz': f'{rate_hz:g}',
        'r2rgen.assumed_orientation': 'yaw, pitch, roll; fingers down, opening along y, at zero',
        keys.GRIPPER_OPEN: '-1',
        keys.GRIPPER_CLOSED: '1',
    }


def _write_bag(folder: Path, recorded: DemoGenEpisode, zarr_path: Path, rate_hz: float) -> None:
    with BagWriter(folder, custom_data=_provenance(recorded, zarr_path, rate_hz)) as bag:
        bag.add_topic('/tf_static', messages.TF, LATCHED_TF)
        bag.add_topic('/tf', messages.TF, TF)
        bag.add_topic(CAMERA_INFO, messages.CAMERA_INFO, SENSOR)
        bag.add_topic(POINTS, messages.POINT_CLOUD, SENSOR)
        bag.add_topic(JOINTS, messages.JOINT_STATE, RELIABLE)
        bag.add_topic(COMMAND, messages.POSE_STAMPED, RELIABLE)
        pose = published.camera2base(zarr_path.resolve().stem)
        camera = messages.transform_matrix(START_NS, BASE_FRAME, OPTICAL_FRAME, pose)
        bag.write('/tf_static', START_NS, messages.tf_message([camera]))
        poses = hand_poses(recorded.state)
        for frame, pose in enumerate(poses):
            stamp = START_NS + round(frame * 1e9 / rate_hz)
            for topic, message in _frame_messages(recorded, frame, pose, stamp):
                bag.write(topic, stamp, message)


def _frame_messages(
    recorded: DemoGenEpisode, frame: int, pose: NDArray[np.float64], stamp: int
) -> list[tuple[str, Any]]:
    place, turn = se3.to_quaternion(pose)
    gripper = recorded.state[frame, 6:]
    hand = messages.transform(stamp, BASE_FRAME, HAND_FRAME, place, turn)
    return [
        ('/tf', messages.tf_message([hand])),
        (JOINTS, messages.joint_state(stamp, ['gripper'], gripper)),
        (COMMAND, messages.pose_stamped(stamp, BASE_FRAME, place, turn)),
        (CAMERA_INFO, messages.camera_info(stamp, OPTICAL_FRAME, published.CAMERA)),
        (POINTS, encode_cloud(recorded.cloud(frame), STANDARD, BASE_FRAME, stamp)),
    ]


def _find_masks(zarr_path: Path, episode: int, given: Path | None) -> list[Path]:
    """Return the pictures of the objects' masks; empty where there are none."""
    resolved = zarr_path.absolute()
    folder = given or resolved.parent / 'sam_mask' / resolved.stem / str(episode)
    if not folder.is_dir():
        require(given is None, f'there is no folder of masks at {folder}', '', 'check the path')
        return []
    pictures = sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in {'.jpg', '.jpeg', '.png'} and path.name != SOURCE_PICTURE
    )
    require(
        bool(pictures) or given is None,
        f'{folder} holds no masks',
        'one .jpg or .png per object',
    )
    return pictures


def _copy_masks(pictures: list[Path], folder: Path) -> tuple[str, ...]:
    """Write the masks as black and white PNGs named after their objects, and the picture."""
    target = folder / MASK_FOLDER
    target.mkdir()
    names = []
    for picture in pictures:
        name = '_'.join(picture.stem.split())
        require(name not in names, f'two masks are named "{name}"', 'one mask for each object')
        names.append(name)
        _as_mask(picture).save(target / f'{name}.png')
    source = pictures[0].parent / SOURCE_PICTURE
    if source.is_file():
        shutil.copyfile(source, folder / SOURCE_PICTURE)
    return tuple(names)


def _as_mask(picture: Path) -> Image.Image:
    try:
        with Image.open(picture) as opened:
            grey = np.asarray(opened.convert('L'))
    except (OSError, Image.DecompressionBombError) as error:
        raise R2RGenError(
            f'the mask {picture} cannot be read ({error})', 'a picture', 'copy it again'
        ) from None
    size = (published.CAMERA.height, published.CAMERA.width)
    require(
        grey.shape == size,
        f'the mask {picture.name} is {grey.shape[1]} x {grey.shape[0]} pixels',
        f'{size[1]} x {size[0]}, as the camera',
    )
    # JPEG rings around edges; the masks themselves are 0 and 255.
    return Image.fromarray(np.where(grey > 127, 255, 0).astype(np.uint8))


def _skills_hint(task: str, frames: int) -> str:
    """Return the text of the hint file."""
    spans = published.SKILL_SPANS.get(task)
    if spans is None:
        raise R2RGenError(
            f'no skill boundaries are published for "{task}"',
            f'one of {sorted(published.SKILL_SPANS)}',
            'import without them',
        )
    ends = [frames - 1 if last is None else last for _, last in spans]
    require(max(ends) < frames, f'the published skills reach frame {max(ends)}', f'below {frames}')
    skills = [
        {'name': f'skill-{number}', 'first': first, 'last': last}
        for number, ((first, _), last) in enumerate(zip(spans, ends, strict=True), start=1)
    ]
    head = '# Skill boundaries as published by the authors of DemoGen; first and last included.\n'
    body = {'format': 'r2rgen/skills_hint/1', 'skills': skills}
    return head + str(yaml.safe_dump(body, sort_keys=False))
