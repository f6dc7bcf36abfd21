# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Bad input: one clear line, exit status 2, nothing half-written."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from importlib.util import find_spec

import pytest

from r2rgen_ros.bags.writer import BagWriter

READERS = ('inspect', 'annotate', 'generate')
GENERATE = ('--workers', '1', '--no-report', '-n', '1')


@pytest.fixture(scope='module')
def broken(tabletop, tmp_path_factory):
    """Recordings that are no demonstration, by what is wrong with them."""
    root = tmp_path_factory.mktemp('broken')
    record = tabletop.record
    robot = (tabletop.TF_TOPIC, tabletop.JOINTS, tabletop.COMMAND)
    found = {
        'missing': root / 'missing',
        'without depth': record(root / 'nodepth', without=(tabletop.POINTS,)),
        'without joints': record(root / 'norobot', without=robot),
        'NaN only': record(root / 'blind', blind=True),
        'backward': record(root / 'back', back_at=9),
        'truncated': record(root / 'truncated'),
        'truncated at 99 %': record(root / 'nearly'),
        'empty file': root / 'empty.mcap',
        'empty folder': root / 'empty',
        'no messages': root / 'silent',
        'no bag': root / 'text.mcap',
        'storage gone': record(root / 'gone'),
        'metadata of nothing': record(root / 'metadata'),
    }
    for name, share in (('truncated', 0.5), ('truncated at 99 %', 0.99)):
        file = next(found[name].glob('*.mcap'))
        os.truncate(file, int(file.stat().st_size * share))
    found['empty file'].touch()
    found['empty folder'].mkdir()
    with BagWriter(found['no messages']):
        pass
    found['no bag'].write_text('these are words\n' * 100)
    next(found['storage gone'].glob('*.mcap')).unlink()
    (found['metadata of nothing'] / 'metadata.yaml').write_text('rosbag2_bagfile_information: 3\n')
    return found


BROKEN = (
    'missing', 'truncated', 'truncated at 99 %', 'empty file', 'empty folder', 'no messages',
    'no bag', 'storage gone', 'metadata of nothing', 'without depth', 'without joints', 'NaN only',
    'backward',
)  # fmt: skip
SAID = {
    'missing': 'there is no',
    'empty file': 'empty',
    'no messages': 'no messages',
    'without depth': 'neither depth images nor point clouds',
    'without joints': '/tf',
    'NaN only': 'only NaN points',
    'backward': 'stamps that rise',
    'truncated': 'cannot be read as a bag',
}


@pytest.mark.parametrize('verb', ['annotate', 'generate'])
@pytest.mark.parametrize('what', BROKEN)
def test_a_broken_recording_is_refused(r2rgen, broken, table_demo, tmp_path, tree, verb, what):
    bag, out = broken[what], tmp_path / 'out'
    note = table_demo / 'annotation.yaml'
    before = tree(bag.parent)
    words = {
        'annotate': ('annotate', bag, '--auto', '--again'),
        'generate': ('generate', bag, '-o', out, '--annotation', note, *GENERATE),
    }[verb]

    result = r2rgen(*words)

    assert result.is_refusal()
    assert SAID.get(what, '') in result.err
    assert str(bag) in result.err or what in {'backward', 'NaN only', 'without joints'}
    assert not out.exists()
    assert tree(bag.parent) == before


@pytest.mark.parametrize('what', [what for what in BROKEN if what not in {
    'without depth', 'without joints', 'NaN only', 'backward'}])  # fmt: skip
def test_inspect_refuses_what_it_cannot_read(r2rgen, broken, what):
    assert r2rgen('inspect', broken[what]).is_refusal()


@pytest.mark.parametrize('what', ['without depth', 'without joints', 'NaN only', 'backward'])
def test_inspect_says_what_is_wrong_with_what_it_can_read(r2rgen, broken, what):
    result = r2rgen('inspect', broken[what])

    assert result.status == 0
    assert 'no demonstration' in result.out
    assert result.err == ''


@pytest.mark.parametrize('option', ['--base-frame', '--ee-frame'])
@pytest.mark.parametrize('verb', ['annotate', 'generate'])
def test_an_unknown_frame_is_refused(r2rgen, table_demo, tmp_path, verb, option):
    words = ('--auto', '--again') if verb == 'annotate' else ('-o', tmp_path / 'out', *GENERATE)

    result = r2rgen(verb, table_demo, *words, option, 'nowhere')

    assert result.is_refusal()
    assert '"nowhere"' in result.err
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('topic', ['cloud=/not/there', 'depth=/tf', 'colour', 'smell=/x', '=', ''])
@pytest.mark.parametrize('verb', READERS)
def test_a_wrong_topic_is_refused(r2rgen, table_demo, tmp_path, verb, topic):
    words = {'annotate': ('--auto', '--again'), 'generate': ('-o', tmp_path / 'out', *GENERATE)}

    result = r2rgen(verb, table_demo, *words.get(verb, ()), '--topic', topic)

    if verb == 'inspect' and result.status == 0:
        assert 'no demonstration' in result.out
    else:
        assert result.is_refusal()
    assert not (tmp_path / 'out').exists()


HEAD = 'format: r2rgen/annotation/1\n'
ANNOTATIONS = {
    'no YAML': (1, 'objects: ['),
    'another format': (1, 'format: r2rgen/annotation/9\nobjects: []\n'),
    'unknown key': (3, HEAD + 'objects: []\ncolour: red\n'),
    'unknown object': (
        5,
        HEAD + 'objects: []\nskills:\n- {name: a, first: 0, last: 1,\n   targets: [cup]}\n',
    ),
    'backward skill': (
        4,
        HEAD + 'objects: [{name: a, prompt: {point: [0, 0, 0]}}]\nskills:\n'
        '- {name: b, first: 5, last: 3, targets: [a]}\n',
    ),
    'skill twice': (
        5,
        HEAD + 'objects: [{name: a, prompt: {point: [0, 0, 0]}}]\nskills:\n'
        '- {name: b, first: 1, last: 3, targets: [a]}\n'
        '- {name: b, first: 5, last: 6, targets: [a]}\n',
    ),
    'NaN': (3, HEAD + 'objects:\n- {name: a, prompt: {point: [.nan, 0, 0]}}\n'),
    'empty': (1, ''),
}


@pytest.mark.parametrize('what', ANNOTATIONS)
@pytest.mark.parametrize('verb', ['annotate', 'generate'])
def test_a_bad_annotation_is_refused_by_its_line(r2rgen, table_demo, tmp_path, tree, verb, what):
    line, text = ANNOTATIONS[what]
    file = tmp_path / 'bad.yaml'
    file.write_text(text)
    before = tree(table_demo)
    words = {
        'annotate': ('annotate', table_demo, '--from', file, '--again'),
        'generate': ('generate', table_demo, '-o', tmp_path / 'out', '--annotation', file),
    }[verb]

    result = r2rgen(*words)

    assert result.is_refusal()
    assert f'bad.yaml, line {line}:' in result.err
    assert tree(table_demo) == before
    assert not (tmp_path / 'out').exists()


def test_an_annotation_of_another_recording_is_refused(r2rgen, table_demo, tabletop, tmp_path):
    other = tabletop.record(tmp_path / 'bridge', tabletop.BRIDGE)
    file = other / 'annotation.yaml'

    result = r2rgen('generate', table_demo, '-o', tmp_path / 'out', '--annotation', file)

    assert result.is_refusal()
    assert 'frames' in result.err


def _with_mask(table_demo, tmp_path, mask):
    text = (
        'format: r2rgen/annotation/1\nobjects:\n'
        f'- {{name: a, prompt: {{mask: "{mask}"}}}}\n'
        'skills: [{name: b, first: 1, last: 3, targets: [a]}]\n'
    )
    demo = tmp_path / 'demo'
    shutil.copytree(table_demo, demo)
    (demo / 'annotation.yaml').write_text(text)
    return demo


@pytest.mark.parametrize('mask', ['../../x.png', '/etc/passwd', 'link/x.png'])
def test_a_mask_that_leads_out_of_the_folder_is_refused(
    r2rgen, table_demo, tmp_path, mask, tabletop
):
    demo = tabletop.record(tmp_path / 'cam', camera=True)
    demo = _with_mask(demo, tmp_path, mask)
    (demo / 'link').symlink_to(tmp_path)
    (tmp_path / 'x.png').write_bytes(b'not for this')

    result = r2rgen('generate', demo, '-o', tmp_path / 'out', *GENERATE)

    assert result.is_refusal()
    assert 'leads out of' in result.err
    assert not (tmp_path / 'out').exists()


def test_names_with_slashes_stay_inside_the_dataset(r2rgen, table_demo, tmp_path):
    demo = tmp_path / 'here' / 'demo'
    shutil.copytree(table_demo, demo)
    file = demo / 'annotation.yaml'
    text = file.read_text()
    file.write_text(text.replace('plate', '../../../plate').replace('pick red', '/tmp/../pick'))
    before = set(tmp_path.rglob('*'))

    where = tmp_path / 'here' / 'out'
    result = r2rgen('generate', demo, '-o', where, '-n', '2', '--workers', '1', '--no-cache')

    if result.status != 0:
        assert result.is_refusal()
    new = set(tmp_path.rglob('*')) - before
    assert all(path.is_relative_to(tmp_path / 'here' / 'out') for path in new)


@pytest.mark.parametrize('verb', ['generate', 'import', 'simulate', 'demo'])
@pytest.mark.parametrize('kind', ['folder', 'file', 'dangling link'])
def test_an_output_that_exists_is_left_alone(r2rgen, table_demo, tmp_path, verb, kind):
    out = tmp_path / 'out'
    if kind == 'folder':
        out.mkdir()
        (out / 'mine').write_text('mine')
    elif kind == 'file':
        out.write_text('mine')
    else:
        out.symlink_to(tmp_path / 'gone')
    before = sorted((str(p), p.is_symlink()) for p in tmp_path.rglob('*'))
    words = {
        'generate': ('generate', table_demo, '-o', out),
        'import': ('import', tmp_path / 'x.zarr', '-o', out),
        'simulate': ('simulate', '-o', out),
        'demo': ('demo', '-o', out),
    }[verb]

    result = r2rgen(*words)

    assert result.is_refusal()
    assert 'exists already' in result.err
    assert '--resume' not in result.err  # it is no dataset
    assert sorted((str(p), p.is_symlink()) for p in tmp_path.rglob('*')) == before


@pytest.mark.parametrize('verb', ['annotate', 'generate'])
def test_a_dataset_is_no_demonstration(r2rgen, table_demo, tmp_path, tree, verb):
    dataset = tmp_path / 'dataset'
    assert r2rgen('generate', table_demo, '-o', dataset, *GENERATE).status == 0
    before = tree(tmp_path)
    more = {'annotate': ('--auto',), 'generate': ('-o', tmp_path / 'out', *GENERATE)}[verb]

    result = r2rgen(verb, dataset, *more)

    assert result.is_refusal()
    assert f'{dataset} is a dataset' in result.err
    assert 'the recording that it was made of' in result.err
    assert tree(tmp_path) == before


def test_the_annotation_of_the_one_recording_in_a_folder_is_that_of_the_folder(
    r2rgen, table_demo, tmp_path, tree
):
    demos = tmp_path / 'demos'
    demos.mkdir()
    shutil.copytree(table_demo, demos / 'mine')
    before = tree(demos)

    result = r2rgen('annotate', demos, '--auto')

    assert result.is_refusal()
    assert f'{demos / "mine" / "annotation.yaml"} exists already' in result.err
    assert tree(demos) == before
    assert r2rgen('generate', demos, '-o', tmp_path / 'out', *GENERATE).status == 0


def test_a_compressed_recording_without_metadata_is_told(r2rgen, table_demo, tmp_path):
    (tmp_path / 'bag').mkdir()
    (tmp_path / 'bag' / 'bag_0.mcap.zstd').write_bytes(b'compressed')
    result = r2rgen('inspect', tmp_path / 'bag')
    assert result.is_refusal()
    assert 'holds no metadata.yaml' in result.err
    assert 'ros2 bag reindex' in result.err


def test_two_objects_of_one_name_are_told(r2rgen, table_demo):
    points = ('--point', 'cup=0.4,-0.15,0.05', '--point', 'cup=0.5,0.15,0.02')
    result = r2rgen('annotate', table_demo, '--auto', '--again', *points)
    assert result.is_refusal()
    assert 'cup' in result.err
    assert 'given more than once' in result.err


def test_a_robot_in_a_configuration_that_is_none_is_told(r2rgen, table_demo, tmp_path):
    config = tmp_path / 'config.yaml'
    config.write_text('format: r2rgen/generate/1\nrobot: pandda\n')
    result = r2rgen('generate', table_demo, '-o', tmp_path / 'out', '--config', config, *GENERATE)
    assert result.is_refusal()
    assert 'there is no robot preset "pandda" (nearest: "panda")' in result.err


def test_only_a_dataset_can_be_gone_on_with(r2rgen, table_demo, tmp_path):
    out = tmp_path / 'out'
    out.mkdir()
    words = ('generate', table_demo, '-o', out, *GENERATE)

    result = r2rgen(*words, '--resume')

    assert result.is_refusal()
    assert 'leave out --resume' in result.err
    assert list(out.iterdir()) == []

    out.rmdir()
    assert r2rgen(*words).status == 0
    result = r2rgen(*words)
    assert result.is_refusal()
    assert 'pass --resume' in result.err


def test_an_annotation_that_exists_is_left_alone(r2rgen, table_demo, tree):
    before = tree(table_demo)

    assert r2rgen('annotate', table_demo, '--auto').is_refusal()
    assert tree(table_demo) == before


NONSENSE = [
    ('-n', '0'), ('-n', '-5'), ('-n', '1e3'), ('-n', 'many'), ('-n', str(10**12)),
    ('--workers', '0'), ('--workers', '-2'), ('--workers', '1000000'), ('--seed', '-1'),
    ('--seed', str(2**70)), ('--seed', 'nan'), ('--config', '/not/there.yaml'), ('--config', '/'),
    ('--annotation', '/not/there.yaml'), ('--speed', '1'),
]  # fmt: skip


@pytest.mark.parametrize('words', NONSENSE, ids=' '.join)
def test_options_that_make_no_sense_are_refused(r2rgen, table_demo, tmp_path, words):
    result = r2rgen('generate', table_demo, '-o', tmp_path / 'out', '--no-report', *words)

    assert result.is_refusal()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    'text',
    [
        'format: r2rgen/generate/1\nsampling: {ranges: {x_m: [.nan, .nan]}}\n',
        'format: r2rgen/generate/1\nsampling: {skills: {fly: {x_m: [0, 0]}}}\n',
        'format: r2rgen/generate/1\nsampling: {skills: {1: {x_m: [0, 0]}, fly: {}}}\n',
        'format: r2rgen/generate/1\nperturbation: {count: 99999999999}\n',
        'format: r2rgen/generate/1\ncamera: {mode: on}\n',
        '!!python/object/apply:os.system ["true"]\n',
        '\t',
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(r2rgen, table_demo, tmp_path, text):
    config = tmp_path / 'config.yaml'
    config.write_text(text)

    result = r2rgen('generate', table_demo, '-o', tmp_path / 'out', '--config', config, *GENERATE)

    assert result.is_refusal()
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize(
    'words',
    [
        ('annotate', 'DEMO', '--auto', '--again', '--point', 'a=1,2'),
        ('annotate', 'DEMO', '--auto', '--again', '--point', 'a=nan,0,0'),
        ('annotate', 'DEMO', '--auto', '--again', '--point', 'a=50,50,50'),
        ('annotate', 'DEMO', '--auto', '--again', '--pixel', '=1,2'),
        ('annotate', 'DEMO', '--auto', '--again', '--pixel', 'a=1,2'),
        ('annotate', 'DEMO', '--auto', '--again', '--mask', 'a=/not/there.png'),
        ('annotate', 'DEMO', '--auto', '--again', '--point', 'a=0.4,-0.15,0.05', '--frame', '-1'),
        ('annotate', 'DEMO', '--auto', '--again', '--point', 'a=0.4,-0.15,0.05', '--frame', '999'),
        ('annotate', 'DEMO', '--auto', '--from', 'x'),
        ('simulate', '-o', 'OUT', '--task', 'juggle'),
        ('simulate', '-o', 'OUT', '--seed', '-1'),
        ('simulate', '-o', 'OUT', '--depth-noise', 'nan'),
        ('simulate', '-o', 'OUT', '--depth-noise', '-1'),
        ('import', 'DEMO', '-o', 'OUT'),
        ('import', '/not/there.zarr', '-o', 'OUT'),
        ('import', 'DEMO', '-o', 'OUT', '--format', 'vhs'),
        ('report', 'DEMO'),
        ('report', '/not/there'),
        ('demo', '-o', 'OUT', '-n', '0'),
        ('demo', '-o', 'OUT', '--seed', '-1'),
        ('fly',),
        (),
    ],
    ids=' '.join,
)
def test_words_that_make_no_sense_are_refused(r2rgen, table_demo, tmp_path, tree, words):
    before, out = tree(table_demo), tmp_path / 'out'
    places = {'DEMO': table_demo, 'OUT': out}

    assert r2rgen(*(places.get(word, word) for word in words)).is_refusal()
    assert tree(table_demo) == before
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    'words', [('--episode', '99'), ('--episode', '-1'), ('--rate-hz', 'nan'), ('--rate-hz', '0'),
              ('--masks', '/not/there')]
)  # fmt: skip
def test_an_import_that_makes_no_sense_is_refused(r2rgen, data_dir, tmp_path, words):
    zarr = data_dir / 'demogen_franka_l515' / 'egg.zarr'

    assert r2rgen('import', zarr, '-o', tmp_path / 'out', *words).is_refusal()
    assert list(tmp_path.iterdir()) == []


def test_a_report_of_a_source_that_changed_is_refused(r2rgen, tabletop, tmp_path):
    demo = tabletop.record(tmp_path / 'demo')
    out = tmp_path / 'out'
    assert r2rgen('generate', demo, '-o', out, *GENERATE).status == 0
    shutil.move(demo, tmp_path / 'elsewhere')
    assert r2rgen('report', out).is_refusal()

    tabletop.record(demo, tabletop.BRIDGE)
    result = r2rgen('report', out)

    assert result.is_refusal()
    assert 'changed' in result.err
    assert not list(out.glob('*.html'))


def _limited(size):
    """Let no file grow beyond a size, which is what a disk quota does."""

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


def test_files_that_may_not_grow_are_told_and_the_dataset_resumes(
    start, r2rgen, table_demo, tmp_path
):
    out = tmp_path / 'out'
    words = ('generate', table_demo, '-o', out, *GENERATE)
    process = start(*words, preexec_fn=_limited(100_000))
    _, err = process.communicate(timeout=400)

    assert process.returncode == 2
    assert len(err.splitlines()) == 1, err
    assert 'disk is full' in err
    assert f'go on with: r2rgen generate {table_demo} -o {out}' in err
    assert '--resume' in err
    assert not list(out.glob('shard_*/episode_*'))
    assert not list(out.glob('.pending*'))

    assert r2rgen(*words, '--resume').status == 0
    assert len(list(out.glob('shard_*/episode_*'))) == 1


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 3 MB."""
    place = tmp_path / 'disk'
    place.mkdir()
    done = subprocess.run(
        ['mount', '-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', str(place)], capture_output=True
    ) if shutil.which('mount') else None  # fmt: skip
    if done is None or done.returncode:
        pytest.skip('no small disk can be mounted here')
    yield place
    subprocess.run(['umount', '-l', str(place)], check=True)


def test_a_full_disk_is_told_and_keeps_whole_episodes_only(
    r2rgen, table_demo, small_disk, tmp_path, tree
):
    out = small_disk / 'out'
    words = ('generate', table_demo, '-o', out, '-n', '20', '--no-report', '--workers')
    ray = ('2', '--resume', '--engine', 'ray') if find_spec('ray') else ('2', '--resume')

    for more in (('1',), ('2', '--resume'), ray):
        result = r2rgen(*words, *more)

        assert result.is_refusal()
        assert 'the disk is full' in result.err
        assert '--resume' in result.err
        assert ('--engine ray' in result.err) == ('ray' in more)
        made = sorted(out.glob('shard_*/episode_*'))
        assert made
        for bag in made:
            assert r2rgen('inspect', bag).status == 0
        assert not list(out.glob('.*'))
        lines = (out / 'manifest.jsonl').read_text().splitlines()
        assert sum('"accepted": true' in line for line in lines) == len(made)


@pytest.mark.parametrize('verb', ['import', 'annotate'])
def test_a_full_disk_leaves_nothing_of_a_single_result(
    r2rgen, small_disk, tmp_path, verb, request, table_demo
):
    (small_disk / 'demo').mkdir()
    shutil.copytree(table_demo, small_disk / 'demo', dirs_exist_ok=True)
    (small_disk / 'demo' / 'annotation.yaml').unlink()
    if verb == 'import':
        zarr = request.getfixturevalue('data_dir') / 'demogen_franka_l515' / 'egg.zarr'
        words = ('import', zarr, '-o', small_disk / 'out')
    else:
        words = ('annotate', small_disk / 'demo', '--auto')
    _fill(small_disk)
    before = sorted(small_disk.rglob('*'))

    result = r2rgen(*words)

    assert result.is_refusal()
    assert 'full' in result.err or 'No space left' in result.err
    assert '--resume' not in result.err
    assert sorted(small_disk.rglob('*')) == before


def _fill(folder):
    with (folder / 'filler').open('wb', buffering=0) as file:
        try:
            while True:
                file.write(b'\0' * 4096)
        except OSError:
            pass
