# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How large an episode is, and how long its frames take to write and to read, by compression.

Episodes are generated once and written again and again: of the virtual robot (640x480 depth and
colour), with exact depth and with the noise of a stereo camera fitted and drawn anew, each also
without images and with 4096 points (`output.images: false`), and of a real recording of clouds;
beside them four real captures of depth and colour, which hold what a real colour camera does to a
frame. Times are of one core's processor, the least of some repetitions, with serialized messages on
one side and a closed bag on the other; what the disk takes is not in.

`choices` are lossless and leave topics as they are. `codecs` change the type of a topic: an episode
of a recording that has them has them as well, and no other has.
"""

from __future__ import annotations

import shutil
import tempfile
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

from benchmarks.flower import flower_job, real_recording
from r2rgen_ros.bags import messages
from r2rgen_ros.bags.chunks import Compression
from r2rgen_ros.bags.images import ImageCoding, decode_colour, decode_depth, encode_colour
from r2rgen_ros.bags.images import encode_depth as encode_depth_image
from r2rgen_ros.bags.load import load_demo
from r2rgen_ros.bags.reader import BagReader
from r2rgen_ros.bags.writer import BagWriter
from r2rgen_ros.generate.config import (
    CameraConfig,
    FeasibilityConfig,
    GenerateConfig,
    OutputConfig,
)
from r2rgen_ros.generate.job import Job
from r2rgen_ros.generate.run import generate
from r2rgen_ros.parse.propose import propose
from r2rgen_ros.parse.scene import survey
from r2rgen_ros.simulate import record

if TYPE_CHECKING:
    import argparse

    from numpy.typing import NDArray

REPEATS = 3
CHOICES: dict[str, Compression] = {
    'none': Compression(),
    'lz4': Compression('lz4'),
    **{f'zstd {level}': Compression('zstd', level) for level in (-7, -5, -3, -1, 1, 2, 3, 6)},
    **{f'zstd 1, chunks of {mib} MiB': Compression('zstd', 1, mib) for mib in (1, 4, 8, 64)},
}
"""By name; chunks of 16 MiB where the name says nothing."""
DEFAULT = 'zstd 1'
FORMER = 'rosbags: zstd 3, chunks of 1 MiB'
CAPTURES = ('blue_mug', 'cheezit', 'green_bowl', 'red_mug')
_POLICY_POINTS = 4096
_TYPES = (messages.IMAGE, messages.POINT_CLOUD)


class Message(NamedTuple):
    """One message of an episode."""

    topic: str
    msgtype: str
    log_ns: int
    raw: bytes


@dataclass(frozen=True)
class Taped:
    """An episode in memory.

    Attributes:
        messages: In the order of their log times.
        frames: How many.

    """

    messages: tuple[Message, ...]
    frames: int

    @classmethod
    def of(cls, bag: Path) -> Taped:
        """Read a bag."""
        with BagReader(bag) as reader:
            types = {topic.name: topic.type for topic in reader.topics}
            found = tuple(
                Message(topic, types[topic], log, bytes(raw))
                for topic, log, raw in reader.messages()
            )
            frames = max(topic.count for topic in reader.topics if topic.type in _TYPES)
        return cls(found, frames)

    @property
    def bytes(self) -> int:
        """Of all messages."""
        return sum(len(message.raw) for message in self.messages)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this benchmark."""
    parser.add_argument('--task', default='place-bottle', help='(default: %(default)s)')
    parser.add_argument('--seed', type=int, default=0, help='(default: %(default)s)')


def measure(task: str = 'place-bottle', seed: int = 0) -> dict[str, Any]:
    """Return all figures of the benchmark."""
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        taped = {
            **virtual_episodes(scratch / 'exact', task, seed, noisy=False),
            **virtual_episodes(scratch / 'noisy', task, seed, noisy=True),
            'clouds': cloud_episode(scratch / 'clouds'),
        }
        captures = captured()
        if captures is not None:
            taped['captures'] = captures
        choices = {key: compare(item, scratch) for key, item in taped.items()}
        codecs = {key: convert(item) for key, item in taped.items()}
    return {
        'against_former': {
            key: {
                what: round(rows[DEFAULT][what] / rows[FORMER][what], 3)
                for what in ('mb_per_episode', 'write_ms_per_frame', 'read_ms_per_frame')
            }
            for key, rows in choices.items()
        },
        'choices': choices,
        'codecs': codecs,
        'frames': {key: item.frames for key, item in taped.items()},
        'real_data': real_recording() is not None,
    }


def virtual_episodes(folder: Path, task: str, seed: int, *, noisy: bool) -> dict[str, Taped]:
    """Record the virtual robot, generate an episode with images and one without, and read them.

    Args:
        folder: Scratch folder.
        task: Of the virtual robot.
        seed: Of the task.
        noisy: Whether the recording camera is noisy, and the episode's as well.

    Returns:
        The episodes, by what they are.

    """
    folder.mkdir()
    bag = folder / 'demo'
    options = record.Options(sensor_noise='stereo' if noisy else 'none', with_truth=False)
    record.write(record.act(task, seed), bag, options=options)
    name = 'virtual, camera.noise' if noisy else 'virtual'
    outputs = {
        name: OutputConfig(compression='none'),
        f'{name}, no images': OutputConfig(
            compression='none', images=False, labelled_count=_POLICY_POINTS
        ),
    }
    return {
        name: _generated(bag, GenerateConfig(
            camera=CameraConfig(noise='fitted' if noisy else 'off'),
            output=output,
            # Which attempts are accepted has nothing to do with sizes.
            feasibility=FeasibilityConfig(collisions=False),
        ), folder / f'dataset_{number}')
        for number, (name, output) in enumerate(outputs.items())
    }  # fmt: skip


def _generated(bag: Path, config: GenerateConfig, dataset: Path) -> Taped:
    annotation = propose(survey(load_demo(bag)), bag)
    generate(Job.prepare(bag, annotation, bag, config, seed=0), dataset, 1)
    return Taped.of(min(dataset.glob('shard_*/episode_*')))


def cloud_episode(folder: Path) -> Taped:
    """Generate one episode of the real recording of clouds (or one of its size) and read it."""
    folder.mkdir()
    generate(flower_job(folder), folder / 'dataset', 1)
    return Taped.of(min((folder / 'dataset').glob('shard_*/episode_*')))


def captured() -> Taped | None:
    """Real captures of one camera as frames of one topic each; None where they are absent."""
    real = real_recording()
    if real is None:
        return None
    out = []
    for number, name in enumerate(CAPTURES):
        with np.load(real.parents[1] / 'tabletop_realsense' / f'{name}.npz') as data:
            depth, colour = np.where(data['depth_m'] > 0, data['depth_m'], np.nan), data['rgb']
        pair = (
            ('/depth', encode_depth_image(depth.astype(np.float32), '16UC1', 'camera', number)),
            ('/colour', encode_colour(colour, 'rgb8', 'camera', number)),
        )
        for topic, message in pair:
            out.append(Message(topic, messages.IMAGE, number, bytes(messages.serialize(message))))
    return Taped(tuple(out), len(CAPTURES))


def compare(taped: Taped, scratch: Path) -> dict[str, dict[str, float]]:
    """Write and read an episode with every choice.

    Args:
        taped: The episode.
        scratch: Folder to write to; nothing stays.

    Returns:
        By choice: sizes and times.

    Raises:
        AssertionError: A message came back as another.

    """
    rows = {name: _row(taped, scratch, _writer(choice)) for name, choice in CHOICES.items()}
    rows[FORMER] = _row(taped, scratch, write_as_before)
    for row in rows.values():
        row['share_of_none'] = round(row['mb_per_episode'] / rows['none']['mb_per_episode'], 4)
    return rows


def _writer(choice: Compression) -> Callable[[Taped, Path], None]:
    def write(taped: Taped, path: Path) -> None:
        with BagWriter(path, compression=choice) as bag:
            for topic, msgtype in _topics(taped):
                bag.add_topic(topic, msgtype)
            for message in taped.messages:
                bag.write(message.topic, message.log_ns, message.raw)

    return write


def write_as_before(taped: Taped, path: Path) -> None:
    """Write with the storage of rosbags as it is, which was the default before."""
    writer = Writer(path, version=8, storage_plugin=StoragePlugin.MCAP)
    writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
    with writer:
        connections = {
            topic: writer.add_connection(topic, msgtype, typestore=messages.store())
            for topic, msgtype in _topics(taped)
        }
        for message in taped.messages:
            writer.write(connections[message.topic], message.log_ns, message.raw)


def _topics(taped: Taped) -> list[tuple[str, str]]:
    return sorted({(message.topic, message.msgtype) for message in taped.messages})


def _row(taped: Taped, scratch: Path, write: Callable[[Taped, Path], None]) -> dict[str, float]:
    path = scratch / 'bag'
    writing, reading = [], []
    size = 0
    for _ in range(REPEATS):
        begin = time.process_time()
        write(taped, path)
        writing.append(time.process_time() - begin)
        size = sum(file.stat().st_size for file in path.iterdir())
        begin = time.process_time()
        with BagReader(path) as reader:
            found = [(topic, log, raw) for topic, log, raw in reader.messages()]
        reading.append(time.process_time() - begin)
        shutil.rmtree(path)
        assert found == [(item.topic, item.log_ns, item.raw) for item in taped.messages]
    return {
        'mb_per_episode': round(size / 1e6, 3),
        'kb_per_frame': round(size / taped.frames / 1e3, 2),
        'write_ms_per_frame': round(1e3 * min(writing) / taped.frames, 3),
        'write_mb_per_s': round(taped.bytes / 1e6 / min(writing), 1),
        'read_ms_per_frame': round(1e3 * min(reading) / taped.frames, 3),
    }


class Codec(NamedTuple):
    """A way to code what a message holds.

    Attributes:
        encode: Of an array, bytes.
        is_lossless: Whether all comes back.

    """

    encode: Callable[[NDArray[Any]], bytes]
    is_lossless: bool


def _depth_coded(form: str) -> Codec:
    coding = ImageCoding('16UC1', f'16UC1; compressedDepth {form}', prefix=True)
    return Codec(lambda depth: bytes(encode_depth_image(depth, coding, '', 0).data), True)


def _colour_coded(form: str) -> Codec:
    coding = ImageCoding('rgb8', f'rgb8; {form} compressed rgb8')
    return Codec(lambda colour: bytes(encode_colour(colour, coding, '', 0).data), form == 'png')


DEPTH_CODECS = {
    'compressedDepth png': _depth_coded('png'),
    'compressedDepth rvl': _depth_coded('rvl'),
}
COLOUR_CODECS = {'png': _colour_coded('png'), 'jpeg 95': _colour_coded('jpeg')}


def cloud_codecs() -> dict[str, Codec]:
    """What point_cloud_transport codes clouds with, as far as it is installed here."""
    codecs = {
        'zlib': Codec(lambda data: zlib.compress(data.tobytes(), 6), True),
        'zstd': Codec(lambda data: Compression('zstd').compressor()(data.tobytes()), True),
    }
    if find_spec('DracoPy') is not None:
        dracopy = import_module('DracoPy')

        def draco(data: NDArray[Any]) -> bytes:
            xyz = np.ascontiguousarray(data[:, :12]).view('<f4')
            xyz = xyz[np.isfinite(xyz).all(axis=1)]
            packed: bytes = dracopy.encode(xyz, quantization_bits=14, compression_level=7)
            return packed

        codecs['draco, points only, 14 bits'] = Codec(draco, False)
    return codecs


def convert(taped: Taped) -> dict[str, dict[str, float | bool]]:
    """Size and time of each codec of the types of messages that an episode has.

    Args:
        taped: The episode.

    Returns:
        By type and codec: per frame kB and ms, and whether nothing is lost.

    """
    depths, colours, clouds = [], [], []
    for item in taped.messages:
        if item.msgtype not in _TYPES or len(item.raw) < 1000:
            continue
        message: Any = messages.store().deserialize_cdr(item.raw, item.msgtype)
        if item.msgtype == messages.POINT_CLOUD:
            if not item.topic.startswith('/r2rgen'):
                clouds.append(message.data.reshape(-1, message.point_step))
        elif ImageCoding.of(message).is_depth:
            depths.append(decode_depth(message))
        else:
            colours.append(decode_colour(message))
    kinds: tuple[tuple[str, dict[str, Codec], Sequence[NDArray[Any]]], ...] = (
        ('depth', DEPTH_CODECS, depths),
        ('colour', COLOUR_CODECS, colours),
        ('cloud', cloud_codecs(), clouds),
    )
    return {
        f'{kind}: {name}': _coded(codec, arrays)
        for kind, codecs, arrays in kinds
        if arrays
        for name, codec in codecs.items()
    }


def _coded(codec: Codec, arrays: Sequence[NDArray[Any]]) -> dict[str, float | bool]:
    codec.encode(arrays[0])  # compiled, where it is compiled
    seconds = []
    size = 0
    for _ in range(REPEATS):
        begin = time.process_time()
        size = sum(len(codec.encode(array)) for array in arrays)
        seconds.append(time.process_time() - begin)
    return {
        'kb_per_frame': round(size / len(arrays) / 1e3, 2),
        'write_ms_per_frame': round(1e3 * min(seconds) / len(arrays), 3),
        'is_lossless': codec.is_lossless,
    }
