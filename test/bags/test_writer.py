# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import yaml
from rosbags.rosbag2 import StoragePlugin, Writer

from r2rgen_ros.bags import messages
from r2rgen_ros.bags.chunks import Compression
from r2rgen_ros.bags.qos import LATCHED, LATCHED_TF, RELIABLE, SENSOR, TF
from r2rgen_ros.bags.reader import BagReader
from r2rgen_ros.bags.writer import BagWriter
from r2rgen_ros.model.errors import R2RGenError

TOPICS = {
    '/cloud': (messages.POINT_CLOUD, SENSOR),
    '/joints': (messages.JOINT_STATE, RELIABLE),
    '/tf': (messages.TF, TF),
    '/tf_static': (messages.TF, LATCHED_TF),
    '/robot_description': (messages.STRING, LATCHED),
}


def fill(bag: BagWriter, count: int = 40) -> None:
    for name, (kind, qos) in TOPICS.items():
        bag.add_topic(name, kind, qos)
    bag.write('/robot_description', 5, messages.string('<robot/>'))
    for k in range(count):
        bag.write('/joints', 10 + k, messages.joint_state(10 + k, ['a', 'b'], np.array([k, 2.0])))


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(folder.rglob('*')) if p.is_file()}


def test_messages_qos_and_custom_data_come_back(tmp_path):
    custom = {'r2rgen.seed': '5', 'name': 'Łukasz: "quoted", 1', 'lines': 'a\nb'}
    with BagWriter(tmp_path / 'bag', custom_data=custom) as bag:
        fill(bag)
    with BagReader(tmp_path / 'bag') as reader:
        assert reader.custom_data == custom
        assert {t.name: (t.type, t.qos) for t in reader.topics} == {
            name: (kind, (qos,)) for name, (kind, qos) in TOPICS.items()
        }
        assert [t.name for t in reader.topics if t.is_latched] == [
            '/robot_description',
            '/tf_static',
        ]
        found = list(reader.decoded(['/joints']))
    assert [log for _, log, _ in found] == list(range(10, 50))
    assert [m.position[0] for _, _, m in found] == list(range(40))


def test_same_input_gives_same_bytes_wherever_the_bag_lies(tmp_path):
    for parent in ('one', 'two/deeper'):
        with BagWriter(tmp_path / parent / 'bag', custom_data={'b': '1', 'a': '2'}) as bag:
            fill(bag)
    assert contents(tmp_path / 'one/bag') == contents(tmp_path / 'two/deeper/bag')
    assert str(tmp_path) not in (tmp_path / 'one/bag/metadata.yaml').read_text()


def test_metadata_means_the_same_as_what_rosbags_itself_writes(tmp_path):
    with BagWriter(tmp_path / 'a' / 'bag', custom_data={'k': 'v'}) as bag:
        fill(bag)
    writer = Writer(tmp_path / 'b' / 'bag', version=8, storage_plugin=StoragePlugin.MCAP)
    writer.set_custom_data('k', 'v')
    with writer, BagReader(tmp_path / 'a' / 'bag') as reader:
        added = {
            name: writer.add_connection(
                name, kind, typestore=messages.store(), offered_qos_profiles=[qos]
            )
            for name, (kind, qos) in TOPICS.items()
        }
        for topic, log, raw in reader.messages():
            writer.write(added[topic], log, raw)
    ours, theirs = (
        yaml.safe_load((tmp_path / side / 'bag' / 'metadata.yaml').read_text()) for side in 'ab'
    )
    assert ours == theirs


def test_metadata_is_what_humble_reads(tmp_path):
    with BagWriter(tmp_path / 'bag') as bag:
        fill(bag)
    text = (tmp_path / 'bag/metadata.yaml').read_text()
    info = yaml.safe_load(text)['rosbag2_bagfile_information']
    assert info['version'] == 8
    assert info['relative_file_paths'] == ['bag.mcap']
    for item in info['topics_with_message_count']:
        qos = item['topic_metadata']['offered_qos_profiles']
        # A string that holds numbers: Humble cannot read names, nor a list in its place.
        assert isinstance(qos, str)
        assert all(isinstance(x['reliability'], int) for x in yaml.safe_load(qos))


@pytest.mark.parametrize('kind', ['folder', 'file', 'dangling link'])
def test_existing_paths_are_refused_and_left_alone(tmp_path, kind):
    path = tmp_path / 'bag'
    {'folder': path.mkdir, 'file': path.touch, 'dangling link': lambda: path.symlink_to('gone')}[
        kind
    ]()
    with pytest.raises(R2RGenError, match='exists already'), BagWriter(path):
        pass
    assert [p.name for p in tmp_path.iterdir()] == ['bag']


def test_error_leaves_nothing_behind(tmp_path):
    def interrupted() -> None:
        with BagWriter(tmp_path / 'bag') as bag:
            fill(bag)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_bag_is_invisible_until_it_is_whole(tmp_path):
    with BagWriter(tmp_path / 'bag') as bag:
        fill(bag)
        assert not (tmp_path / 'bag').exists()
        assert all(p.name.startswith('.') for p in tmp_path.iterdir())
    assert [p.name for p in tmp_path.iterdir()] == ['bag']


def test_leftovers_of_a_killed_writer_are_removed(tmp_path):
    script = f"""
        import os
        from r2rgen_ros.bags.writer import BagWriter
        with BagWriter({str(tmp_path / 'bag')!r}) as bag:
            bag.add_topic('/a', 'std_msgs/msg/String')
            os.kill(os.getpid(), 9)
    """
    run_python(script, check=False)
    assert [p.name.startswith('.bag.tmp-') for p in tmp_path.iterdir()] == [True]
    with BagWriter(tmp_path / 'bag') as bag:
        fill(bag)
    assert [p.name for p in tmp_path.iterdir()] == ['bag']


def test_zstd_is_smaller_and_holds_the_same(tmp_path):
    for kind in ('none', 'zstd'):
        with BagWriter(tmp_path / kind, compression=Compression(kind)) as bag:
            fill(bag, 3000)
    plain, small = ((tmp_path / kind / f'{kind}.mcap').stat().st_size for kind in ('none', 'zstd'))
    assert small < plain / 2
    with BagReader(tmp_path / 'none') as first, BagReader(tmp_path / 'zstd') as second:
        assert list(first.messages()) == list(second.messages())


@pytest.mark.parametrize('name', ['with space', 'b[1]*?', 'ünïcode', '.hidden', 'a.b.mcap'])
def test_names_of_all_sorts_can_be_read_back(tmp_path, name):
    with BagWriter(tmp_path / name) as bag:
        fill(bag)
    with BagReader(tmp_path / name) as reader:
        assert len(list(reader.messages())) == 41


def test_misuse_is_named(tmp_path):
    with BagWriter(tmp_path / 'bag') as bag:
        bag.add_topic('/a', messages.STRING)
        with pytest.raises(R2RGenError, match='/a is declared twice'):
            bag.add_topic('/a', messages.STRING)
        with pytest.raises(R2RGenError, match='/b was not declared'):
            bag.write('/b', 0, messages.string(''))
        with pytest.raises(R2RGenError, match='standard message type'):
            bag.add_topic('/c', 'my_msgs/msg/Own')


def run_python(script: str, *, check: bool = True) -> str:
    root = str(Path(__file__).resolve().parents[2])
    done = subprocess.run(
        [sys.executable, '-c', textwrap.dedent(script)],
        env={**os.environ, 'PYTHONPATH': root},
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )
    assert not check or done.returncode == 0, done.stderr
    return done.stdout


WRITE_MUCH = """
    import numpy as np
    from r2rgen_ros.bags import messages
    from r2rgen_ros.bags.writer import BagWriter
    from r2rgen_ros.model.errors import R2RGenError
    def write(path, size, overlapped=False):
        try:
            with BagWriter(path, overlapped=overlapped) as bag:
                bag.add_topic('/a', messages.IMAGE)
                for k in range(size):
                    pixels = np.zeros((256, 1024), np.uint8)
                    bag.write('/a', k, messages.image(k, 'c', pixels, 'mono8'))
        except R2RGenError as err:
            print(err)
"""


@pytest.mark.parametrize('overlapped', [False, True])
@pytest.mark.parametrize('size', [1, 8, 40])
def test_full_disk_is_said_in_one_line_and_leaves_nothing(tmp_path, size, overlapped):
    # A limit on the size of files fails as a full disk does, in the middle and at the end.
    limit = size * 256 * 1024 - 100_000
    script = (
        WRITE_MUCH
        + f"""
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
    write({str(tmp_path / 'bag')!r}, {size}, {overlapped})
    """
    )
    out = run_python(script)
    assert out.startswith('the disk is full')
    assert out.count('\n') == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, 'geteuid') or os.geteuid() != 0, reason='mounting needs root')
def test_really_full_disk_is_said_and_leaves_nothing(tmp_path):
    disk = tmp_path / 'disk'
    disk.mkdir()
    mount = ['mount', '-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip('this machine does not let a tmpfs be mounted')
    try:
        out = run_python(WRITE_MUCH + f'\n    write({str(disk / "bag")!r}, 40)')
        assert out.startswith('the disk is full')
        assert list(disk.iterdir()) == []
    finally:
        subprocess.run(['umount', str(disk)], check=True)


def test_definitions_have_the_same_hash_in_every_distribution():
    from rosbags.typesys import Stores, get_typestore

    kinds = [
        messages.CAMERA_INFO, messages.COMPRESSED_IMAGE, messages.FLOAT32, messages.FLOAT64,
        messages.IMAGE, messages.JOINT_STATE, messages.PATH, messages.POINT_CLOUD,
        messages.POSE_STAMPED, messages.STRING, messages.TF,
    ]  # fmt: skip
    stores = (Stores.ROS2_HUMBLE, Stores.ROS2_IRON, Stores.ROS2_JAZZY, Stores.ROS2_KILTED)
    loaded = [get_typestore(store) for store in stores]
    for kind in kinds:
        assert len({store.hash_rihs01(kind) for store in loaded}) == 1, kind
        assert loaded[0].hash_rihs01(kind) == messages.definition(kind)[1]
