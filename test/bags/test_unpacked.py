# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Messages that are fetched from compressed chunks are those that are read, and chunks are kept."""

from __future__ import annotations

import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.rosbag2.enums import CompressionFormat, CompressionMode

from r2rgen_ros.bags import messages, unpacked
from r2rgen_ros.bags.chunks import ChunkWriter, Compression
from r2rgen_ros.bags.reader import BagReader
from r2rgen_ros.bags.writer import BagWriter
from r2rgen_ros.model.errors import R2RGenError

COUNT, SIDE = 40, 300
CHOICES = [Compression(), Compression('lz4', chunk_mib=1), Compression('zstd', chunk_mib=1)]


def record(path, choice=CHOICES[2], *, shuffled=False, seed=5):
    """Two topics of random images, three of an instant each, in chunks of about eleven."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(COUNT) if shuffled else np.arange(COUNT)
    with BagWriter(path, compression=choice) as bag:
        for topic in '/a', '/b':
            bag.add_topic(topic, messages.IMAGE)
        for number in order.tolist():
            for topic in '/a', '/b':
                pixels = rng.integers(0, 256, (SIDE, SIDE), dtype=np.uint8)
                raw = messages.serialize(messages.image(number, 'camera', pixels, 'mono8'))
                bag.write(topic, 100 + number // 3, raw)
    return path


def join(folder, other):
    """Make two recordings one, of two files."""
    (file,), (more,) = folder.glob('*.mcap'), other.glob('*.mcap')
    more.rename(folder / 'more.mcap')
    text = (folder / 'metadata.yaml').read_text()
    named = next(line for line in text.splitlines() if line.strip() == f'- {file.name}')
    both = f'{named}\n{named.replace(file.name, "more.mcap")}'
    (folder / 'metadata.yaml').write_text(text.replace(named, both, 1))
    return folder


def check_all(reader):
    """Whatever is fetched, alone or with others, is what is read."""
    index = [(entry, message.data) for entry, message in reader.indexed()]
    rng = np.random.default_rng(1)
    for place in rng.permutation(len(index)):
        entry, data = index[place]
        assert np.array_equal(reader.fetch(entry).data, data)
    for places in rng.integers(0, len(index), (30, 3)):
        found = reader.fetch_together([index[place][0] for place in places])
        for place, message in zip(places, found, strict=True):
            assert np.array_equal(message.data, index[place][1])
    return len(index)


@pytest.fixture
def opened(monkeypatch):
    """The chunks that are unpacked, as they are."""
    inner, out = unpacked.msgsrc, []

    def counted(chunk, *more):
        out.append(chunk.chunk_start_offset)
        return inner(chunk, *more)

    monkeypatch.setattr(unpacked, 'msgsrc', counted)
    return out


@pytest.mark.parametrize('choice', CHOICES, ids=lambda choice: choice.kind)
@pytest.mark.parametrize('shuffled', [False, True])
def test_what_is_fetched_in_any_order_is_what_is_read(tmp_path, choice, shuffled):
    with BagReader(record(tmp_path / 'bag', choice, shuffled=shuffled)) as reader:
        assert check_all(reader) == 2 * COUNT


def test_so_it_is_where_files_overlap_in_time(tmp_path):
    folders = [record(tmp_path / str(n), shuffled=True, seed=n) for n in range(2)]
    with BagReader(join(*folders)) as reader:
        assert reader._unpacked is not None
        assert check_all(reader) == 4 * COUNT


def test_so_it_is_of_a_single_file_and_of_one_without_metadata(tmp_path, opened):
    path = record(tmp_path / 'bag')
    (file,) = path.glob('*.mcap')
    (path / 'metadata.yaml').unlink()
    for place in (file, path):
        with BagReader(place) as reader:
            assert check_all(reader) == 2 * COUNT
    assert opened


def test_so_it_is_where_a_writer_left_some_chunks_as_they_were(tmp_path, opened, monkeypatch):
    inner = ChunkWriter._put

    def put(self, chunk):
        plain = len(self.chunks) % 2 == 0
        self.compression = '' if plain else 'zstd'
        self.compressor = bytes if plain else CHOICES[2].compressor()
        inner(self, chunk)

    monkeypatch.setattr(ChunkWriter, '_put', put)
    with BagReader(record(tmp_path / 'bag')) as reader:
        assert check_all(reader) == 2 * COUNT
    assert opened


def test_files_of_a_split_bag_are_told_apart(tmp_path):
    folder, other = tmp_path / 'bag', tmp_path / 'other'
    for path, texts in ((folder, 'ab'), (other, 'cd')):
        writer = Writer(path, version=9, storage_plugin=StoragePlugin.MCAP)
        writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
        with writer:
            topic = writer.add_connection('/a', messages.STRING, typestore=messages.store())
            for text in texts:
                writer.write(topic, 5, messages.serialize(messages.string(text)))
    join(folder, other)
    with BagReader(folder) as reader:
        index = [(entry, message.data) for entry, message in reader.indexed()]
        assert [data for _, data in index] == list('abcd')
        assert reader._unpacked is not None
        assert [reader.fetch(entry).data for entry, _ in index[::-1]] == list('dcba')


def test_a_chunk_is_unpacked_once_while_frames_near_each_other_are_read(tmp_path, opened):
    with BagReader(record(tmp_path / 'bag')) as reader:
        for entry in [entry for entry, _ in reader.indexed()]:
            reader.fetch(entry)
    assert 5 <= len(opened) == len(set(opened)) <= 10


def test_chunks_without_a_wanted_topic_stay_packed(tmp_path, opened):
    pixels = np.random.default_rng(0).integers(0, 256, (40, SIDE, SIDE), dtype=np.uint8)
    with BagWriter(tmp_path / 'bag', compression=CHOICES[2]) as bag:
        for topic in '/a', '/b':
            bag.add_topic(topic, messages.IMAGE)
            for number, each in enumerate(pixels):
                raw = messages.serialize(messages.image(number, 'camera', each, 'mono8'))
                bag.write(topic, 100, raw)
    with BagReader(tmp_path / 'bag') as reader:
        index = [entry for entry, _ in reader.indexed(['/a'])]
        for entry in index:
            reader.fetch(entry)
        every = reader._unpacked._files[0].chunks
        assert 2 <= len(set(opened)) <= len(every) // 2 + 1


@pytest.mark.parametrize('chunks', [1, 3])
def test_those_used_last_stay_unpacked(tmp_path, opened, monkeypatch, chunks):
    monkeypatch.setattr(unpacked, 'MOST_BYTES', int((chunks + 0.5) * 2**20))
    with BagReader(record(tmp_path / 'bag')) as reader:
        index = [entry for entry, _ in reader.indexed()]
        first, second, third, fourth = index[0], index[20], index[40], index[60]
        for entry in (first, second, third, first, fourth):
            reader.fetch(entry)
        kept = reader._unpacked._kept.values()
        assert len(kept) <= chunks
        assert reader._unpacked._held == sum(size for _, size in kept) <= unpacked.MOST_BYTES
        opened.clear()
        reader.fetch(first)
        reader.fetch(second)
    assert len(opened) == (1 if chunks == 3 else 2)  # the first was used after the second


def test_a_chunk_that_is_too_large_does_not_stay(tmp_path, opened, monkeypatch):
    monkeypatch.setattr(unpacked, 'MOST_BYTES', 2**20)
    with BagReader(record(tmp_path / 'bag')) as reader:
        index = [entry for entry, _ in reader.indexed()]
        reader.fetch(index[0])
        reader.fetch(index[0])
        assert not reader._unpacked._kept
    assert len(opened) == 2


def test_messages_that_are_compressed_each_are_no_chunks(tmp_path):
    writer = Writer(tmp_path / 'bag', version=9, storage_plugin=StoragePlugin.MCAP)
    writer.set_compression(CompressionMode.MESSAGE, CompressionFormat.ZSTD)
    with writer:
        # Its chunks are compressed as well.
        writer.storage.compression, writer.storage.compressor = 'zstd', CHOICES[2].compressor()
        topic = writer.add_connection('/a', messages.STRING, typestore=messages.store())
        for number, text in enumerate('abc'):
            writer.write(topic, number, messages.serialize(messages.string(text)))
    with BagReader(tmp_path / 'bag') as reader:
        index = [(entry, message.data) for entry, message in reader.indexed()]
        assert [reader.fetch(entry).data for entry, _ in index] == list('abc')


def test_a_bag_that_is_damaged_meanwhile_is_told(tmp_path):
    path = record(tmp_path / 'bag')
    with BagReader(path) as reader:
        index = [entry for entry, _ in reader.indexed()]
        (file,) = path.glob('*.mcap')
        with file.open('r+b') as out:
            out.seek(file.stat().st_size // 2)
            out.write(bytes(file.stat().st_size // 2))
        with pytest.raises(R2RGenError, match=str(path)) as caught:
            _ = [reader.fetch(entry) for entry in index]
    assert '\n' not in str(caught.value)
