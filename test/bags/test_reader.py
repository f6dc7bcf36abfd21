# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import itertools
import os
import pickle
import shutil
import sqlite3
from multiprocessing import get_context
from pathlib import Path

import lz4.frame
import numpy as np
import pytest
import yaml
from rosbags.interfaces import QosDurability
from rosbags.rosbag1 import Writer as Writer1
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from r2rgen_ros.bags import messages
from r2rgen_ros.bags.qos import LATCHED, RELIABLE
from r2rgen_ros.bags.reader import BagReader
from r2rgen_ros.model.errors import R2RGenError

COUNT = 30
MCAP, SQLITE = StoragePlugin.MCAP, StoragePlugin.SQLITE3


def write(
    path: Path,
    storage=MCAP,
    version=9,
    mode=CompressionMode.NONE,
    stamps=tuple(range(100, 100 + COUNT)),
    lz4_chunks=False,
) -> Path:
    """Write a bag with rosbags' own writer; message k of /numbers holds its log time."""
    writer = Writer(path, version=version, storage_plugin=storage)
    if mode != CompressionMode.NONE:
        writer.set_compression(mode, CompressionFormat.ZSTD)
    writer.set_custom_data('who', 'test')
    store = messages.store()
    with writer:
        if lz4_chunks:
            writer.storage.compression = 'lz4'
            writer.storage.compressor = lz4.frame.compress
        text = writer.add_connection(
            '/text', messages.STRING, typestore=store, offered_qos_profiles=[LATCHED]
        )
        joints = writer.add_connection(
            '/numbers', messages.JOINT_STATE, typestore=store, offered_qos_profiles=[RELIABLE]
        )
        writer.write(text, stamps[0], messages.serialize(messages.string('héllo')))
        for stamp in stamps:
            # Large enough for several MCAP chunks.
            values = np.full(8000, float(stamp))
            writer.write(joints, stamp, messages.serialize(messages.joint_state(stamp, [], values)))
    return path


def edit_metadata(path: Path, change) -> None:
    file = path / 'metadata.yaml'
    content = yaml.safe_load(file.read_text())
    change(content['rosbag2_bagfile_information'])
    file.write_text(yaml.safe_dump(content))


def as_humble(path: Path) -> None:
    """Turn a version 8 bag into what Humble writes: version 5, and SQLite without definitions."""

    def older(info):
        info['version'] = 5
        for key in ('custom_data', 'ros_distro'):
            del info[key]
        for topic in info['topics_with_message_count']:
            del topic['topic_metadata']['type_description_hash']

    edit_metadata(path, older)
    for file in path.glob('*.db3'):
        with sqlite3.connect(file) as base:
            base.execute('DROP TABLE message_definitions')
            base.execute('UPDATE schema SET schema_version = 3')
            base.execute('ALTER TABLE topics DROP COLUMN type_description_hash')


def check_content(path: Path, stamps=tuple(range(100, 100 + COUNT))) -> None:
    with BagReader(path) as reader:
        assert [(t.name, t.type, t.count) for t in reader.topics] == [
            ('/numbers', messages.JOINT_STATE, len(stamps)),
            ('/text', messages.STRING, 1),
        ]
        assert (reader.start_ns, reader.end_ns) == (min(stamps), max(stamps))
        found = list(reader.decoded(['/numbers']))
        assert [log for _, log, _ in found] == sorted(stamps)
        assert all(m.position[0] == log == m.position[-1] for _, log, m in found)
        ((topic, _, text),) = reader.decoded(['/text'])
        assert (topic, text.data) == ('/text', 'héllo')
        assert sum(1 for _ in reader.messages()) == len(stamps) + 1
        check_random_access(reader)


def check_random_access(reader: BagReader) -> None:
    index = [entry for entry, _ in reader.indexed(['/numbers'])]
    for place in np.random.default_rng(0).permutation(len(index))[:12]:
        assert reader.fetch(index[place]).position[0] == index[place].log_ns


@pytest.mark.parametrize(
    ('storage', 'version', 'mode'),
    list(
        itertools.product(
            [MCAP, SQLITE],
            [8, 9],
            [CompressionMode.NONE, CompressionMode.FILE, CompressionMode.MESSAGE],
        )
    ),
)
def test_every_storage_version_and_compression(tmp_path, storage, version, mode):
    path = write(tmp_path / 'bag', storage, version, mode)
    check_content(path)
    with BagReader(path) as reader:
        assert reader.custom_data == {'who': 'test'}
        assert reader.topic('/numbers').qos == (RELIABLE,)
        assert reader.topic('/text').is_latched
        assert reader.topic('/text').qos[0].durability is QosDurability.TRANSIENT_LOCAL


@pytest.mark.parametrize('lz4_chunks', [True, False])
def test_compressed_mcap_chunks(tmp_path, lz4_chunks):
    mode = CompressionMode.NONE if lz4_chunks else CompressionMode.STORAGE
    path = write(tmp_path / 'bag', mode=mode, lz4_chunks=lz4_chunks)
    assert (path / 'bag.mcap').stat().st_size < 200_000
    check_content(path)


@pytest.mark.parametrize('storage', [MCAP, SQLITE])
@pytest.mark.parametrize('mode', [CompressionMode.NONE, CompressionMode.FILE])
def test_humble_bags(tmp_path, storage, mode):
    path = write(tmp_path / 'bag', storage, 8)
    as_humble(path)
    if mode == CompressionMode.FILE:
        compress_files(path)
    check_content(path)


def compress_files(path: Path) -> None:
    try:
        from compression import zstd
    except ImportError:
        from backports import zstd

    def rename(info):
        info['compression_mode'], info['compression_format'] = 'FILE', 'zstd'
        for name in info['relative_file_paths']:
            data = (path / name).read_bytes()
            (path / f'{name}.zstd').write_bytes(zstd.compress(data))
            (path / name).unlink()
        info['relative_file_paths'] = [f'{n}.zstd' for n in info['relative_file_paths']]

    edit_metadata(path, rename)


@pytest.mark.parametrize('storage', [MCAP, SQLITE])
@pytest.mark.parametrize(
    'parts',
    [
        ((100, 101, 102), (103, 104, 105), (106, 107)),
        ((100, 102, 104), (101, 103, 105), (99, 106)),
    ],
    ids=['one after the other', 'overlapping'],
)
def test_split_bags_are_read_in_the_order_of_time(tmp_path, storage, parts):
    folder = tmp_path / 'split'
    folder.mkdir()
    names, information = [], None
    for number, stamps in enumerate(parts):
        part = write(tmp_path / f'split_{number}', storage, stamps=stamps)
        (file,) = (p for p in part.iterdir() if p.suffix in ('.mcap', '.db3'))
        shutil.copy(file, folder)
        names.append(file.name)
        information = yaml.safe_load((part / 'metadata.yaml').read_text())
    info = information['rosbag2_bagfile_information']
    every = [stamp for stamps in parts for stamp in stamps]
    info['relative_file_paths'] = names
    info['starting_time'] = {'nanoseconds_since_epoch': min(every)}
    info['duration'] = {'nanoseconds': max(every) - min(every)}
    info['message_count'] = len(every) + len(parts)
    (folder / 'metadata.yaml').write_text(yaml.safe_dump(information))
    with BagReader(folder) as reader:
        logs = [log for _, log, _ in reader.messages(['/numbers'])]
        assert logs == sorted(every)
        check_random_access(reader)


@pytest.mark.parametrize('storage', [MCAP, SQLITE])
def test_bare_files_and_folders_without_metadata(tmp_path, storage):
    path = write(tmp_path / 'bag', storage)
    (file,) = (p for p in path.iterdir() if p.suffix in ('.mcap', '.db3'))
    check_content(file)
    (path / 'metadata.yaml').unlink()
    check_content(path)
    with BagReader(path) as reader:
        assert 'metadata.yaml is missing' in reader.notes[0]


def write_ros1(path: Path) -> Path:
    store = get_typestore(Stores.ROS1_NOETIC)
    kinds = store.types
    with Writer1(path) as writer:
        text = writer.add_connection('/text', messages.STRING, typestore=store, latching=1)
        info = writer.add_connection('/info', messages.CAMERA_INFO, typestore=store)
        message = kinds[messages.STRING]('hello')
        writer.write(text, 7, store.serialize_ros1(message, messages.STRING))
        head = kinds['std_msgs/msg/Header'](0, messages.time(0), '/camera')
        region = kinds['sensor_msgs/msg/RegionOfInterest'](0, 0, 0, 0, False)
        k = np.array([5.0, 0, 2, 0, 6, 3, 0, 0, 1])
        message = kinds[messages.CAMERA_INFO](
            head, 4, 8, 'plumb_bob', np.zeros(5), k, np.eye(3).ravel(), np.zeros(12), 0, 0, region
        )
        writer.write(info, 8, store.serialize_ros1(message, messages.CAMERA_INFO))
    return path


def test_ros1_bags_come_through_the_same_reader(tmp_path):
    with BagReader(write_ros1(tmp_path / 'old.bag')) as reader:
        assert reader.is_ros1
        assert reader.topic('/text').is_latched
        assert not reader.topic('/info').is_latched
        decoded = {topic: message for topic, _, message in reader.decoded()}
    assert decoded['/text'].data == 'hello'
    again = messages.as_standard(decoded['/info'], messages.CAMERA_INFO)
    assert (again.k[0], again.k[4], again.width) == (5.0, 6.0, 8)


def test_real_ros1_bags(data_dir):
    folder = data_dir / 'ros1_bags'
    counts = {}
    for name in ('jsk_watercan', 'kuka_lwr_joint_states', 'moveit_perception_tutorial'):
        with BagReader(folder / f'{name}.bag') as reader:
            for topic in reader.topics:
                counts[topic.name] = topic.count
                assert sum(1 for _ in reader.decoded([topic.name])) == topic.count
            if name == 'jsk_watercan':
                assert set(reader.topic('/tf').types) == {messages.TF, 'tf/msg/tfMessage'}
    assert counts['/tf'] == 3532
    assert counts['/joint_states'] == 4101


def test_messages_of_one_instant_are_told_apart(tmp_path):
    writer = Writer(tmp_path / 'bag', version=8, storage_plugin=MCAP)
    with writer:
        topic = writer.add_connection('/a', messages.STRING, typestore=messages.store())
        for text in 'abcabc':
            stamp = 5 if text < 'c' else 6
            writer.write(topic, stamp, messages.serialize(messages.string(text)))
    with BagReader(tmp_path / 'bag') as reader:
        index = list(reader.indexed())
        assert [(e.log_ns, e.ordinal) for e, _ in index] == [
            (5, 0), (5, 1), (5, 2), (5, 3), (6, 0), (6, 1),
        ]  # fmt: skip
        assert [reader.fetch(e).data for e, _ in reversed(index)] == list('ccbaba')


def _first_position(reader: BagReader) -> float:
    return float(next(reader.decoded(['/numbers']))[2].position[0])


@pytest.mark.parametrize('mode', [CompressionMode.NONE, CompressionMode.FILE])
@pytest.mark.parametrize('method', ['fork', 'spawn'])
def test_other_processes_read_on_their_own(tmp_path, method, mode):
    path = write(tmp_path / 'bag', mode=mode)
    with BagReader(path) as reader:
        index = [entry for entry, _ in reader.indexed(['/numbers'])]
        with get_context(method).Pool(2) as pool:
            jobs = [pool.apply_async(reader.fetch, (entry,)) for entry in index[:6]]
            mine = [reader.fetch(entry).position[0] for entry in index]
            theirs = [job.get(30).position[0] for job in jobs]
        assert mine == [float(k) for k in range(100, 100 + COUNT)]
        assert theirs == mine[:6]
        # Children are gone; what the parent reads from is still there.
        assert _first_position(reader) == 100.0


def test_a_forked_child_shares_no_position_in_the_file(tmp_path):
    with BagReader(write(tmp_path / 'bag')) as reader:
        found = reader.messages(['/numbers'])
        first = next(found)[1]
        child = os.fork()
        if child == 0:
            ok = len(list(reader.messages())) == COUNT + 1
            os._exit(0 if ok else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert [first, *(log for _, log, _ in found)] == list(range(100, 100 + COUNT))


def test_pickled_readers_open_again(tmp_path):
    with BagReader(write(tmp_path / 'bag')) as reader:
        copy = pickle.loads(pickle.dumps(reader))
    assert _first_position(copy) == 100.0
    copy.close()


def test_missing_and_foreign_paths(tmp_path):
    with pytest.raises(R2RGenError, match='there is no bag at'), BagReader(tmp_path / 'no'):
        pass
    (tmp_path / 'notes.txt').write_text('hello')
    with pytest.raises(R2RGenError, match='is not a bag'), BagReader(tmp_path / 'notes.txt'):
        pass
    with pytest.raises(R2RGenError, match='holds no recording'), BagReader(tmp_path):
        pass


@pytest.mark.parametrize('suffix', ['.mcap', '.db3', '.bag'])
@pytest.mark.parametrize('content', [b'', b'garbage' * 1000], ids=['empty', 'garbage'])
def test_empty_and_garbage_files(tmp_path, suffix, content):
    path = tmp_path / f'file{suffix}'
    path.write_bytes(content)
    with pytest.raises(R2RGenError) as caught, BagReader(path):
        pass
    assert str(path) in str(caught.value)
    assert '\n' not in str(caught.value)


def drain(path: Path) -> int:
    with BagReader(path) as reader:
        return sum(1 for _ in reader.decoded())


@pytest.mark.parametrize('kind', ['mcap', 'sqlite3', 'ros1', 'file', 'message', 'zstd'])
@pytest.mark.parametrize('share', [0.03, 0.4, 0.7, 0.97])
def test_truncated_bags(tmp_path, kind, share):
    modes = {
        'file': CompressionMode.FILE,
        'message': CompressionMode.MESSAGE,
        'zstd': CompressionMode.STORAGE,
    }
    if kind == 'ros1':
        path = file = write_ros1(tmp_path / 'bag.bag')
    else:
        storage = SQLITE if kind == 'sqlite3' else MCAP
        path = write(tmp_path / 'bag', storage, mode=modes.get(kind, CompressionMode.NONE))
        (file,) = (p for p in path.iterdir() if p.name != 'metadata.yaml')
    data = file.read_bytes()
    file.write_bytes(data[: int(share * len(data))])
    with pytest.raises(R2RGenError) as caught:
        drain(path)
    assert str(path) in str(caught.value)
    assert '\n' not in str(caught.value)
    assert ('"rosbag reindex"' in caught.value.fix) == (kind == 'ros1')


@pytest.mark.parametrize(
    'text',
    ['', 'x', '[1, 2', 'rosbag2_bagfile_information: {}', '\x00\x01', 'a: b: c', '- 5'],
)
def test_damaged_metadata(tmp_path, text):
    path = write(tmp_path / 'bag')
    (path / 'metadata.yaml').write_text(text)
    with pytest.raises(R2RGenError, match=str(path)) as caught:
        drain(path)
    assert '\n' not in str(caught.value)


def complaint(path: Path) -> str:
    try:
        drain(path)
    except R2RGenError as err:
        return str(err)
    return ''


def test_flipped_bytes_give_an_error_or_the_messages_but_nothing_else(tmp_path):
    path = write(tmp_path / 'bag', mode=CompressionMode.STORAGE)
    file = path / 'bag.mcap'
    data = file.read_bytes()
    rng = np.random.default_rng(3)
    complaints = []
    for _ in range(60):
        damaged = bytearray(data)
        for place in rng.integers(0, len(data), 3):
            damaged[place] ^= 1 << rng.integers(0, 8)
        file.write_bytes(damaged)
        complaints.append(complaint(path))
    assert any(complaints)
    assert all(str(path) in text for text in complaints if text)


def test_missing_storage_file(tmp_path):
    path = write(tmp_path / 'bag')
    (path / 'bag.mcap').unlink()
    with pytest.raises(R2RGenError, match='missing'):
        drain(path)


@pytest.mark.parametrize('storage', [MCAP, SQLITE])
def test_bag_without_messages(tmp_path, storage):
    writer = Writer(tmp_path / 'bag', version=9, storage_plugin=storage)
    with writer:
        writer.add_connection('/a', messages.STRING, typestore=messages.store())
    with pytest.raises(R2RGenError, match='holds no messages'):
        drain(tmp_path / 'bag')


def test_unknown_topics_are_named_with_those_there_are(tmp_path):
    with BagReader(write(tmp_path / 'bag')) as reader:
        with pytest.raises(R2RGenError, match='no topic /nope; expected one of /numbers, /text'):
            list(reader.messages(['/nope']))
        assert list(reader.messages([])) == []


@pytest.mark.skipif(not hasattr(os, 'geteuid') or os.geteuid() == 0, reason='root may read all')
def test_unreadable_bags(tmp_path):
    path = write(tmp_path / 'bag')
    (path / 'metadata.yaml').chmod(0)
    with pytest.raises(R2RGenError, match='may not be read'):
        drain(path)
