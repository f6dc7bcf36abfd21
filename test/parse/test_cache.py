# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A parsed scene is found again if, and only if, it would come out the same."""

from __future__ import annotations

import logging
import multiprocessing
import os
import resource
import shutil
import subprocess
import sys
import threading
from dataclasses import replace

import numpy as np
import pytest

from r2rgen_ros.bags.load import load_demo
from r2rgen_ros.bags.streams import StreamSelection
from r2rgen_ros.generate.dataset import fingerprint
from r2rgen_ros.model.annotation import Prompt
from r2rgen_ros.model.annotation_file import read_annotation
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.model.scene_file import dump_scene
from r2rgen_ros.parse import cache
from r2rgen_ros.parse.cache import FOLDER, bag_files, cache_folder, cached_scene, file_hash
from r2rgen_ros.parse.scene import parse_scene

URDF = '<robot name="r"><link name="l"><visual><geometry><mesh filename="package://arm/l.stl"/>'
URDF += '</geometry></visual></link></robot>'


class Desk:
    """A demonstration in a folder of its own, and how often it was parsed."""

    def __init__(self, folder, scene):
        self.folder = folder
        self.scene = scene
        self.demo = load_demo(folder)
        self.annotation = read_annotation(folder / 'annotation.yaml')
        self.selection = None
        self.settings = {}
        self.count = 0

    def parse(self, demo, annotation, folder, progress=None):
        """Count, and hand out the scene that the demonstration has."""
        self.count += 1
        return replace(self.scene, demo=demo, annotation=annotation)

    def ask(self, **more):
        """The scene, and whether it was kept."""
        before = self.count
        said = {'parse': self.parse, **self.settings, **more}
        scene = cached_scene(self.demo, self.annotation, self.folder, self.selection, **said)
        return scene, self.count == before

    @property
    def kept(self):
        """Names of the scenes that are kept."""
        return sorted(path.name for path in cache_folder(self.demo.path).glob('*.npz'))


@pytest.fixture(scope='module')
def parsed(table_demo):
    return parse_scene(
        load_demo(table_demo), read_annotation(table_demo / 'annotation.yaml'), table_demo
    )


@pytest.fixture
def desk(table_demo, parsed, tmp_path):
    folder = tmp_path / 'demo'
    shutil.copytree(table_demo, folder, ignore=shutil.ignore_patterns(FOLDER))
    return Desk(folder, parsed)


def test_the_second_run_gets_the_very_same_scene_without_parsing(desk):
    def must_not_parse(*_):
        raise AssertionError

    ticks = []
    kinds = {'parse': parse_scene, 'progress': ticks.append}
    first, _ = desk.ask(**kinds)
    assert sum(ticks) == len(desk.demo)
    ticks.clear()
    again, _ = desk.ask(parse=must_not_parse, progress=ticks.append)
    fresh, _ = desk.ask(parse=parse_scene, keep=False)

    assert dump_scene(again, '') == dump_scene(first, '') == dump_scene(fresh, '')
    assert again.demo is desk.demo
    assert sum(ticks) == len(desk.demo)


def test_another_way_to_the_same_recording_finds_it_too(desk, monkeypatch):
    desk.ask()
    monkeypatch.chdir(desk.folder.parent)
    desk.demo = load_demo('demo')

    desk.selection = StreamSelection()
    assert desk.ask()[1]


def test_other_processes_find_it_too(desk, repository, monkeypatch):
    """Python orders the members of a set differently in each of them."""
    meshes = (
        f'<mesh filename="package://{name}/{name}.stl"/>' for name in ('b', 'a', 'd', 'c', 'e')
    )
    text = f'<robot>{"".join(meshes)}</robot>'
    folders = desk.folder.parent / 'meshes'
    for name in 'abcde':
        (folders / name).mkdir(parents=True)
        (folders / name / f'{name}.stl').write_bytes(name.encode())
    program = f"""
from dataclasses import replace
from pathlib import Path
from r2rgen_ros.bags.load import load_demo
from r2rgen_ros.model.annotation_file import read_annotation
from r2rgen_ros.parse.cache import cached_scene
from r2rgen_ros.parse.scene import parse_scene

folder = Path({str(desk.folder)!r})
annotation = read_annotation(folder / 'annotation.yaml')
demo = load_demo(folder)
scene = cached_scene(demo, annotation, folder, None)
demo = replace(demo, robot_description={text!r})
cached_scene(demo, annotation, folder, None, mesh_folders=[{str(folders)!r}],
             parse=lambda *_: replace(scene, demo=demo))
"""
    for seed in ('1', '2', '3'):
        monkeypatch.setenv('PYTHONHASHSEED', seed)
        subprocess.run([sys.executable, '-c', program], check=True, cwd=repository)

    assert len(desk.kept) == 2


def test_moving_or_copying_the_demonstration_takes_the_scene_along(desk, tmp_path):
    desk.ask()
    place = tmp_path / 'elsewhere' / 'demo'
    shutil.copytree(desk.folder, place)

    assert Desk(place, desk.scene).ask()[1]


def test_without_a_cache_nothing_is_read_or_written(desk):
    assert not desk.ask(keep=False)[1]
    assert not (desk.folder / FOLDER).exists()
    desk.ask()
    assert not desk.ask(keep=False)[1]


# What changes.


def _flip(path, place):
    """Change one bit of a file and nothing else that could be seen of it."""
    before = path.stat()
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _change_bag(place):
    return lambda desk: _flip(next(desk.folder.glob('*.mcap')), place)


def _change_metadata(desk):
    _flip(desk.folder / 'metadata.yaml', -2)


def _add_journal(desk):
    (desk.folder / 'demo.db3-wal').write_bytes(b'more')


def _change_skill(desk):
    first, *others = desk.annotation.skills
    skills = (replace(first, last=first.last - 1), *others)
    desk.annotation = replace(desk.annotation, skills=skills)


def _change_prompt(desk):
    first, *others = desk.annotation.objects
    low, high = first.prompt.region
    little = float(np.nextafter(low[0], 1.0))  # less than annotation.yaml would say
    prompt = replace(first.prompt, region=((little, *low[1:]), high))
    objects = (replace(first, prompt=prompt), *others)
    desk.annotation = replace(desk.annotation, objects=objects)


def _change_streams(desk):
    desk.selection = StreamSelection(joint_states='/joint_states')


def _change_what_was_read(desk):
    desk.demo = replace(desk.demo, stamps=desk.demo.stamps + 1)


def _change_settings(desk):
    desk.settings = {'settings': {'symmetry': True}}


def _change_code(desk):
    cache._CODE = '0' * 32


def _change_version(desk):
    cache.__version__ = '9.9.9'


@pytest.mark.parametrize(
    'change',
    [
        _change_bag(0),
        _change_bag(-1),
        _change_bag(5000),
        _change_metadata,
        _add_journal,
        _change_skill,
        _change_prompt,
        _change_streams,
        _change_what_was_read,
        _change_settings,
        _change_code,
        _change_version,
    ],
)
def test_whatever_changes_it_is_parsed_anew(desk, change, monkeypatch):
    monkeypatch.setattr(cache, '_CODE', cache._CODE)  # both are put back
    monkeypatch.setattr(cache, '__version__', cache.__version__)
    desk.ask()
    assert desk.ask()[1]

    change(desk)

    assert not desk.ask()[1]
    assert desk.ask()[1]
    assert len(desk.kept) == 2


def _with_mask(desk):
    (desk.folder / 'masks').mkdir()
    file = desk.folder / 'masks' / 'red.png'
    file.write_bytes(b'white')
    first, *others = desk.annotation.objects
    prompt = Prompt(mask='masks/red.png')
    desk.annotation = replace(desk.annotation, objects=(replace(first, prompt=prompt), *others))
    return file


def _with_input(desk):
    file = desk.folder.parent / 'empty_capture' / 'deep' / 'frame.png'
    file.parent.mkdir(parents=True)
    file.write_bytes(b'table')
    desk.settings = {'inputs': (file.parents[1],)}
    return file


def _with_mesh(desk):
    file = desk.folder.parent / 'meshes' / 'arm' / 'l.stl'
    file.parent.mkdir(parents=True)
    file.write_bytes(b'solid')
    desk.demo = replace(desk.demo, robot_description=URDF)
    desk.settings = {'mesh_folders': (file.parents[1],)}
    return file


@pytest.mark.parametrize('prepare', [_with_mask, _with_input, _with_mesh])
def test_files_beside_the_recording_count_as_well(desk, prepare):
    file = prepare(desk)
    desk.ask()
    assert desk.ask()[1]

    _flip(file, 0)
    assert not desk.ask()[1]

    _flip(file, 0)
    assert desk.ask()[1]
    file.unlink()
    assert not desk.ask()[1]


def test_what_changes_while_it_is_parsed_is_not_kept(desk):
    def slow(*said):
        _change_metadata(desk)
        return desk.parse(*said)

    desk.ask(parse=slow)

    assert desk.kept == []
    assert not desk.ask()[1]


def test_what_the_package_itself_writes_beside_a_recording_changes_nothing(desk):
    desk.ask()
    for name in (
        'annotation.1.yaml', 'annotation.png', '.annotation.tmp-1.png', 'demo.db3-shm',
        'noise.yaml', 'noise.png', 'view.rrd', 'notes.md',
    ):  # fmt: skip
        (desk.folder / name).write_bytes(b'new')
    (desk.folder / 'demo.db3-wal').touch()
    (desk.folder / 'masks').mkdir()

    assert desk.ask()[1]


def test_nor_does_what_it_writes_beside_an_empty_capture(desk, table_demo, tmp_path):
    capture = shutil.copytree(table_demo, tmp_path / 'capture')
    desk.settings = {'inputs': (capture,)}
    desk.ask()
    shutil.copytree(cache_folder(desk.demo.path), cache_folder(capture))
    (capture / 'annotation.yaml').write_text('other')
    (capture / 'noise.yaml').write_text('other')
    assert desk.ask()[1]

    (file,) = capture.glob('*.mcap')
    _flip(file, -1)
    assert not desk.ask()[1]


def test_two_failures_to_parse_are_two_errors(desk):
    def fail(*_):
        raise R2RGenError('a prompt selects nothing')

    for _ in range(2):
        with pytest.raises(R2RGenError, match='selects nothing'):
            desk.ask(parse=fail)
    assert desk.kept == []


def test_a_recording_that_is_nowhere_is_parsed_and_nothing_is_written(desk, tmp_path):
    desk.demo = replace(desk.demo, path=tmp_path / 'nowhere' / 'bag')
    assert not desk.ask()[1]
    assert not desk.ask()[1]
    assert not (tmp_path / 'nowhere').exists()


# What goes wrong with the files.


def _lines(caplog):
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize('damage', ['cut', 'empty', 'flipped', 'foreign', 'text', 'folder'])
def test_a_damaged_scene_is_made_anew_and_said_in_a_line(desk, caplog, damage):
    good, _ = desk.ask()
    file = desk.folder / FOLDER / desk.kept[0]
    data = file.read_bytes()
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 4
    foreign = dump_scene(good, 'f' * 32)
    contents = {'cut': data[:-9], 'empty': b'', 'flipped': bytes(flipped), 'foreign': foreign}
    if damage == 'folder':
        file.unlink()
        file.mkdir()
    else:
        file.write_bytes(contents.get(damage, b'not a zip file'))

    again, was_kept = desk.ask()

    assert not was_kept
    assert dump_scene(again, '') == dump_scene(good, '')
    assert 'is made anew' in _lines(caplog)[0]
    if damage != 'folder':
        assert len(_lines(caplog)) == 1
        assert desk.ask()[1]
        assert file.read_bytes() == data


def test_a_place_that_cannot_be_written_costs_a_line(desk, caplog):
    (desk.folder / FOLDER).write_text('a file, where a folder should go')
    for count in (1, 2):
        assert not desk.ask()[1]
        assert len(_lines(caplog)) == count
    assert 'is not kept for the next run' in _lines(caplog)[0]


@pytest.mark.skipif(os.geteuid() == 0, reason='to root, nothing is read-only')
def test_a_read_only_demonstration_costs_a_line(desk, caplog):
    desk.folder.chmod(0o555)
    try:
        assert not desk.ask()[1]
    finally:
        desk.folder.chmod(0o755)
    assert len(_lines(caplog)) == 1
    assert not (desk.folder / FOLDER).exists()


def test_a_file_that_cannot_grow_is_not_left_behind(desk, caplog):
    low, high = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, high))
    try:
        _, was_kept = desk.ask()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (low, high))

    assert not was_kept
    assert len(_lines(caplog)) == 1
    left = {path.name for path in (desk.folder / FOLDER).iterdir()}
    assert left == {'.gitignore', 'CACHEDIR.TAG'}


def test_a_scene_that_cannot_be_written_is_used_all_the_same(desk, caplog):
    def odd(*said):
        return replace(desk.parse(*said), backdrop={1})

    scene, _ = desk.ask(parse=odd)

    assert scene.backdrop == {1}
    assert all('set cannot be written' in line for line in _lines(caplog))
    assert _lines(caplog)


def test_many_may_write_at_once(desk):
    start = threading.Barrier(4)
    scenes = []

    def work():
        def slow(*said):
            start.wait(60)
            return desk.parse(*said)

        scenes.append(desk.ask(parse=slow)[0])

    fork = multiprocessing.get_context('fork')
    others = [fork.Process(target=desk.ask) for _ in range(2)]
    for each in others:
        each.start()
    for each in others:
        each.join()
    assert [each.exitcode for each in others] == [0, 0]
    shutil.rmtree(desk.folder / FOLDER)
    workers = [threading.Thread(target=work) for _ in range(4)]
    for each in workers:
        each.start()
    for each in workers:
        each.join()

    assert len({dump_scene(scene, '') for scene in scenes}) == 1
    assert desk.ask()[1]
    left = {path.name for path in (desk.folder / FOLDER).iterdir()}
    assert left == {'.gitignore', 'CACHEDIR.TAG', *desk.kept}


# How much is kept, and who notices.


def test_the_three_used_last_are_kept(desk):
    for number in range(3):
        desk.ask(settings=number)
    assert desk.ask(settings=0)[1]
    torn = desk.folder / FOLDER / f'.{desk.kept[0]}.tmp-123'
    mine = desk.folder / FOLDER / 'mine.npz'
    for path in (torn, mine):
        path.write_bytes(b'')
        os.utime(path, (0, 0))

    desk.ask(settings=3)

    assert not torn.exists()
    assert mine.exists()
    assert len(desk.kept) == 4  # with mine
    assert all(desk.ask(settings=number)[1] for number in (0, 2, 3))
    assert not desk.ask(settings=1)[1]


def test_recordings_that_are_files_share_a_folder(desk, tmp_path):
    file = next(desk.folder.glob('*.mcap'))
    desks = []
    for name in ('a.mcap', 'b.mcap'):
        place = tmp_path / 'flat' / name
        place.parent.mkdir(exist_ok=True)
        shutil.copy(file, place)
        one = Desk(desk.folder, desk.scene)
        one.demo = load_demo(place, StreamSelection(base_frame=desk.demo.base_frame))
        desks.append(one)
    for number in range(4):
        for one in desks:
            one.ask(settings=number)

    assert all(one.ask(settings=number)[1] for number in (1, 2, 3) for one in desks)
    assert len(desks[0].kept) == 6
    assert bag_files(desks[0].demo.path) == [desks[0].demo.path]


def test_git_passes_over_it(desk):
    if shutil.which('git') is None:
        pytest.skip('git is not installed')
    subprocess.run(['git', 'init', '-q', desk.folder], check=True)
    before = subprocess.check_output(['git', '-C', desk.folder, 'status', '--porcelain', '-uall'])
    desk.ask()
    after = subprocess.check_output(['git', '-C', desk.folder, 'status', '--porcelain', '-uall'])

    assert len(desk.kept) == 1
    assert after == before


def test_readers_of_the_recording_do_not_notice(desk):
    before = fingerprint(desk.folder), bag_files(desk.folder)
    desk.ask()

    assert (fingerprint(desk.folder), bag_files(desk.folder)) == before
    np.testing.assert_array_equal(load_demo(desk.folder).stamps, desk.demo.stamps)
    assert load_demo(desk.folder.parent).path == desk.folder  # the one bag inside a folder


def test_hashing_in_pieces_sees_every_byte(tmp_path):
    file = tmp_path / 'big'
    piece = cache._PIECE_BYTES
    seen = set()
    for size in (0, 1, piece - 1, piece, piece + 1):
        file.write_bytes(bytes(size))
        seen.add(file_hash(file))
    for place in (0, piece - 1, piece):
        _flip(file, place)
        seen.add(file_hash(file))
    assert len(seen) == 8
