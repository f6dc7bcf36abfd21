# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whatever compresses a bag, its messages come back as they were written, and its bytes repeat."""

from __future__ import annotations

import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from rosbags.interfaces import Connection, ConnectionExtRosbag2, MessageDefinition
from rosbags.interfaces import MessageDefinitionFormat as Format
from rosbags.rosbag2.enums import CompressionMode
from rosbags.rosbag2.storage_mcap import McapWriter

from r2rgen_ros.bags import messages
from r2rgen_ros.bags.chunks import MIB, ChunkWriter, Compression
from r2rgen_ros.bags.reader import BagReader
from r2rgen_ros.bags.writer import BagWriter
from r2rgen_ros.model.errors import R2RGenError

FRAMES, HEIGHT, WIDTH = 12, 240, 320
CHOICES = [
    Compression(),
    Compression('lz4', chunk_mib=1),
    Compression('lz4', chunk_mib=8),
    Compression('zstd', -7, chunk_mib=1),
    Compression('zstd'),
    Compression('zstd', 3, chunk_mib=2),
    Compression('zstd', 9, chunk_mib=64),
]


def name_of(choice: Compression) -> str:
    return f'{choice.kind} {choice.level} {choice.chunk_mib}'


def images() -> list[np.ndarray]:
    """A still room, coloured at random, in which a square wanders; depth with noise and holes."""
    rng = np.random.default_rng(3)
    room = rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    out = []
    for frame in range(FRAMES):
        colour = room.copy()
        colour[40:80, 10 * frame : 10 * frame + 40] = 255
        depth = np.rint(rng.normal(900.0, 2.0, (HEIGHT, WIDTH))).astype(np.uint16)
        depth[rng.random(depth.shape) < 0.1] = 0
        out += [depth, colour]
    return out


def record(
    path: Path, choice: Compression, *, overlapped: bool = False
) -> list[tuple[str, int, bytes]]:
    """Write a bag and return what was written, in the order of log times."""
    written = []
    with BagWriter(path, compression=choice, overlapped=overlapped) as bag:
        bag.add_topic('/depth', messages.IMAGE)
        bag.add_topic('/colour', messages.IMAGE)
        for number, pixels in enumerate(images()):
            encoding = 'rgb8' if pixels.ndim == 3 else '16UC1'
            topic = '/colour' if pixels.ndim == 3 else '/depth'
            raw = messages.serialize(messages.image(number, 'camera', pixels, encoding))
            bag.write(topic, 100 + number, raw)
            written.append((topic, 100 + number, bytes(raw)))
        bag.add_topic('/late', messages.STRING)
        raw = messages.serialize(messages.string('declared after the first chunk'))
        bag.write('/late', 1000, raw)
        written.append(('/late', 1000, bytes(raw)))
    return written


def chunks(path: Path) -> list[tuple[str, int]]:
    """Compression and plain size of every chunk, read off the file: https://mcap.dev/spec."""
    data, place, out = path.read_bytes(), 8, []
    while place < len(data) - 8:
        opcode, length = struct.unpack_from('<BQ', data, place)
        place += 9
        if opcode == 0x06:
            _, _, plain, _, name = struct.unpack_from('<QQQII', data, place)
            out.append((data[place + 32 : place + 32 + name].decode(), plain))
        place += length
    return out


@pytest.mark.parametrize('choice', CHOICES, ids=name_of)
def test_messages_come_back_byte_for_byte(tmp_path, choice):
    written = record(tmp_path / 'bag', choice)
    with BagReader(tmp_path / 'bag') as reader:
        assert [(topic, log, bytes(raw)) for topic, log, raw in reader.messages()] == written
        entries = [entry for entry, _ in reader.indexed(['/colour'])]
        last = messages.serialize(reader.fetch(entries[-1]))
    assert bytes(last) == [raw for topic, _, raw in written if topic == '/colour'][-1]


@pytest.mark.parametrize('choice', CHOICES, ids=name_of)
def test_the_same_messages_make_the_same_bytes_in_any_process(tmp_path, choice):
    record(tmp_path / 'a' / 'bag', choice)
    record(tmp_path / 'b' / 'bag', choice)
    code = (
        f'import runpy; own = runpy.run_path({__file__!r});'
        f" own['record'](own['Path']({str(tmp_path / 'c' / 'bag')!r}), eval({repr(choice)!r}, own))"
    )
    root = Path(__file__).resolve().parents[2]
    subprocess.run([sys.executable, '-c', code], cwd=root, check=True, timeout=400)
    found = [(tmp_path / name / 'bag' / 'bag.mcap').read_bytes() for name in 'abc']
    assert found[0] == found[1] == found[2]


def beside() -> list[str]:
    """Names of the threads that write."""
    return [thread.name for thread in threading.enumerate() if thread.name == 'chunks']


@pytest.mark.parametrize('choice', CHOICES, ids=name_of)
def test_a_thread_that_writes_makes_the_same_bytes_and_ends_with_the_bag(tmp_path, choice):
    record(tmp_path / 'a' / 'bag', choice)
    record(tmp_path / 'b' / 'bag', choice, overlapped=True)
    assert beside() == []
    found = [(tmp_path / name / 'bag' / 'bag.mcap').read_bytes() for name in 'ab']
    assert found[0] == found[1]


def write_and_stop(path: Path, stop: type[BaseException]) -> None:
    """Stop while a thread still compresses."""
    data = np.random.default_rng(0).integers(0, 256, (1024, 1024), dtype=np.uint8)
    with BagWriter(path, compression=Compression('zstd', 15, 1), overlapped=True) as bag:
        bag.add_topic('/a', messages.IMAGE)
        for number in range(4):
            bag.write('/a', number, messages.image(number, 'camera', data, 'mono8'))
        assert beside() == ['chunks']
        raise stop


@pytest.mark.parametrize('stop', [KeyboardInterrupt, ValueError])
def test_a_bag_that_is_stopped_while_a_thread_writes_leaves_nothing(tmp_path, stop):
    with pytest.raises(stop):
        write_and_stop(tmp_path / 'bag', stop)
    assert beside() == []
    assert list(tmp_path.iterdir()) == []


def test_a_chunk_waits_while_the_ones_before_it_are_written(tmp_path):
    """However slow the disk is, no more than two chunks wait in memory."""
    (tmp_path / 'bag').mkdir()
    storage = ChunkWriter(tmp_path / 'bag', Compression('zstd', 1, 1), overlapped=True)
    begun, go_on = [], threading.Semaphore(0)

    def slow(plain):
        begun.append(len(plain))
        go_on.acquire()
        return plain[:10]

    storage.compressor = slow
    closed = []

    def fill():
        for _ in range(4):
            storage.chunk.bio.write(b'x' * 100)
            storage.close_chunk()
            closed.append(1)

    filling = threading.Thread(target=fill)
    filling.start()
    while not begun or len(closed) < 2:
        time.sleep(0.001)
    filling.join(0.05)
    assert len(closed) == 2  # one is under way, one waits, and whoever brings the third waits too
    for _ in range(4):
        go_on.release()
    filling.join()
    storage.close(8, 'metadata')
    assert begun == [100] * 4


@pytest.mark.parametrize('choice', CHOICES, ids=name_of)
def test_chunks_are_of_the_kind_and_size_that_was_asked_for(tmp_path, choice):
    record(tmp_path / 'bag', choice)
    found = chunks(tmp_path / 'bag' / 'bag.mcap')
    assert {name for name, _ in found} == {'' if choice.kind == 'none' else choice.kind}
    largest = HEIGHT * WIDTH * 3 + 200
    sizes = [plain for _, plain in found]
    assert all(choice.chunk_bytes < size <= choice.chunk_bytes + largest for size in sizes[:-1])
    assert sizes[-1] <= choice.chunk_bytes + largest
    assert sum(sizes) > FRAMES * HEIGHT * WIDTH * 5


def test_what_repeats_itself_within_a_chunk_is_written_once(tmp_path):
    sizes = {}
    for mib in (1, 16):
        record(tmp_path / str(mib) / 'bag', Compression('zstd', chunk_mib=mib))
        sizes[mib] = (tmp_path / str(mib) / 'bag' / 'bag.mcap').stat().st_size
    # The room is random: alone, a colour image does not shrink at all.
    room, depth = HEIGHT * WIDTH * 3, HEIGHT * WIDTH * 2
    assert sizes[1] > FRAMES * room / 4
    assert sizes[16] < room + FRAMES * (depth + room / 10)
    assert sizes[16] < 0.75 * sizes[1]


def test_plain_chunks_are_the_very_file_that_rosbags_writes(tmp_path):
    """Pieces instead of copies are no other format."""
    text, digest = messages.definition(messages.STRING)
    rng = np.random.default_rng(0)
    sizes = [int(size) for size in rng.integers(0, MIB // 3, 40)]
    for folder, kind in (('ours', ChunkWriter), ('theirs', McapWriter)):
        (tmp_path / folder / 'bag').mkdir(parents=True)
        with_mode = (CompressionMode.NONE,) if kind is McapWriter else ()
        storage = kind(tmp_path / folder / 'bag', *with_mode)
        definition = MessageDefinition(Format.MSG, text)
        extra = ConnectionExtRosbag2('cdr', [])
        one = Connection(1, '/a', messages.STRING, definition, digest, 0, extra, None)
        storage.add_msgtype(one)
        storage.add_connection(one, '')
        for number, size in enumerate(sizes):
            data = bytes([number]) * size
            storage.write(one, 50 - number, memoryview(data) if number % 2 else data)
        storage.close(8, 'metadata')
    ours, theirs = (tmp_path / name / 'bag' / 'bag.mcap' for name in ('ours', 'theirs'))
    assert ours.read_bytes() == theirs.read_bytes()


@pytest.mark.parametrize(
    ('wrong', 'said'),
    [
        ({'kind': 'bzip2'}, 'compression is "bzip2"'),
        ({'kind': 'zstd', 'level': 23}, 'compression level is 23'),
        ({'kind': 'zstd', 'chunk_mib': 0}, 'size of a chunk is 0'),
    ],
)
def test_choices_that_do_not_exist_are_named(wrong, said):
    with pytest.raises(R2RGenError, match=said):
        Compression(**wrong)
