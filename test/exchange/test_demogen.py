# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Other people's recordings become demonstration bags."""

from __future__ import annotations

import builtins
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import yaml
from PIL import Image
from scipy.spatial import cKDTree

from r2rgen_ros.bags.clouds import decode_cloud
from r2rgen_ros.bags.load import load_demo
from r2rgen_ros.bags.reader import BagReader
from r2rgen_ros.exchange import demogen_published as published
from r2rgen_ros.exchange.demogen import hand_poses, import_demogen
from r2rgen_ros.exchange.demogen_zarr import read_demogen
from r2rgen_ros.geometry import se3
from r2rgen_ros.model.errors import R2RGenError

if TYPE_CHECKING:
    from pathlib import Path

zarr = pytest.importorskip('zarr')

LENGTHS = (5, 7)


def _arrays(seed: int = 0) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    frames = sum(LENGTHS)
    points = random.uniform(-0.5, 0.5, (frames, 16, 3))
    colours = random.integers(0, 256, (frames, 16, 3))
    state = random.uniform(-1.0, 1.0, (frames, 7))
    return {
        'data/point_cloud': np.concatenate([points, colours], axis=-1).astype(np.float32),
        'data/state': state.astype(np.float32),
        'data/action': np.diff(state, axis=0, prepend=state[:1]).astype(np.float32),
        'meta/episode_ends': np.cumsum(LENGTHS).astype(np.int64),
    }


def _write(path: Path, arrays: dict[str, np.ndarray]) -> Path:
    for name, values in arrays.items():
        zarr.save_array(str(path / name), values)
    return path


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    return _write(tmp_path / 'flower.zarr', _arrays())


def _decoded(bag: Path) -> tuple[dict[str, list[Any]], dict[str, str]]:
    found: dict[str, list[Any]] = {}
    with BagReader(bag) as reader:
        for topic, _, message in reader.decoded():
            found.setdefault(topic, []).append(message)
        return found, dict(reader.custom_data)


def _tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob('*'))


def test_clouds_and_commands_are_those_of_the_chosen_episode(recording: Path, tmp_path: Path):
    arrays = _arrays()
    span = slice(LENGTHS[0], sum(LENGTHS))
    import_demogen(recording, tmp_path / 'out', episode=1)
    found, _ = _decoded(tmp_path / 'out')

    clouds = [decode_cloud(message)[0] for message in found['/camera/depth/color/points']]
    recorded = arrays['data/point_cloud'][span]
    assert len(clouds) == LENGTHS[1]
    for cloud, values in zip(clouds, recorded, strict=True):
        np.testing.assert_array_equal(cloud.points, values[:, :3])
        np.testing.assert_array_equal(cloud.colours, values[:, 3:])
    grips = [message.position[0] for message in found['/gripper/joint_states']]
    np.testing.assert_array_equal(grips, arrays['data/state'][span, 6])


def test_hand_is_where_the_state_says_in_tf_and_in_the_command(recording: Path, tmp_path: Path):
    import_demogen(recording, tmp_path / 'out')
    found, _ = _decoded(tmp_path / 'out')
    expected = hand_poses(_arrays()['data/state'][: LENGTHS[0]].astype(np.float64))
    for message, command, pose in zip(
        found['/tf'], found['/cartesian_command'], expected, strict=True
    ):
        (link,) = message.transforms
        assert (link.header.frame_id, link.child_frame_id) == ('panda_link0', 'panda_hand_tcp')
        for place, turn in (
            (link.transform.translation, link.transform.rotation),
            (command.pose.position, command.pose.orientation),
        ):
            got = se3.from_quaternion([place.x, place.y, place.z], [turn.x, turn.y, turn.z, turn.w])
            np.testing.assert_allclose(got, pose, atol=1e-12)


def test_fingers_point_down_at_zero_and_turn_by_yaw_then_pitch():
    angles = np.array([[0.0, 0.0, 0.0], [np.pi / 2, 0.0, 0.0], [np.pi / 2, np.pi / 2, 0.0]])
    state = np.concatenate([np.zeros((3, 3)), angles, np.full((3, 1), -1.0)], axis=1)
    poses = hand_poses(state)
    fingers, opening = poses[:, :3, 2], poses[:, :3, 1]
    np.testing.assert_allclose(fingers, [[0, 0, -1], [0, 0, -1], [0, -1, 0]], atol=1e-12)
    np.testing.assert_allclose(np.abs(opening), [[0, 1, 0], [1, 0, 0], [1, 0, 0]], atol=1e-12)


@pytest.mark.parametrize('episode', [0, 1, 2])
def test_what_the_hand_holds_follows_its_pose_in_the_recorded_clouds(data_dir: Path, episode: int):
    recorded = read_demogen(data_dir / 'demogen_franka_l515' / 'flower.zarr', episode)
    pitch = recorded.state[:, 4]
    turning = np.flatnonzero(np.diff(pitch) != 0.0)
    first, last = int(turning[0]), int(turning[-1]) + 1
    poses = hand_poses(recorded.state)
    # The vase stands beside the hand and stays.
    before, after = (
        points[(points[:, 1] > -0.06) | (points[:, 2] > 0.25)]
        for points in (recorded.clouds[first, :, :3], recorded.clouds[last, :, :3])
    )
    moved = se3.apply(poses[last] @ se3.inverse(poses[first]), before)
    inside = moved[moved[:, 2] < 0.4]  # the recording is cropped above
    distances = cKDTree(after).query(inside)[0]
    assert pitch[last] - pitch[first] > 1.3
    assert np.median(distances) < 0.008
    assert np.mean(distances) < 0.015


def test_stamps_follow_the_assumed_rate(recording: Path, tmp_path: Path):
    import_demogen(recording, tmp_path / 'out', rate_hz=4.0)
    found, provenance = _decoded(tmp_path / 'out')
    stamps = [
        message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
        for message in found['/camera/depth/color/points']
    ]
    assert np.diff(stamps).tolist() == [250_000_000] * (LENGTHS[0] - 1)
    assert provenance['r2rgen.assumed_rate_hz'] == '4'


def test_provenance_names_frames_source_and_assumptions(recording: Path, tmp_path: Path):
    import_demogen(recording, tmp_path / 'out', episode=1)
    _, provenance = _decoded(tmp_path / 'out')
    assert provenance['r2rgen.base_frame'] == 'panda_link0'
    assert provenance['r2rgen.end_effector'] == 'panda_hand_tcp'
    assert provenance['r2rgen.source'] == 'flower.zarr'
    assert provenance['r2rgen.source_episode'] == '1'
    assert 'yaw, pitch, roll' in provenance['r2rgen.assumed_orientation']


def test_same_input_gives_the_same_bytes(recording: Path, tmp_path: Path):
    for name in ('a', 'b'):
        import_demogen(recording, tmp_path / name / 'demo')
    for file in ('demo.mcap', 'metadata.yaml'):
        assert (tmp_path / 'a/demo' / file).read_bytes() == (
            tmp_path / 'b/demo' / file
        ).read_bytes()


def test_masks_beside_the_file_come_along_as_binary_pictures(recording: Path, tmp_path: Path):
    folder = tmp_path / 'sam_mask' / 'flower' / '0'
    folder.mkdir(parents=True)
    shape = (published.CAMERA.height, published.CAMERA.width)
    inside = np.zeros(shape, dtype=bool)
    inside[100:300, 200:500] = True
    Image.fromarray(np.where(inside, 250, 3).astype(np.uint8)).save(folder / 'white vase.jpg')
    Image.fromarray(np.zeros((*shape, 3), dtype=np.uint8)).save(folder / 'source.jpg')

    result = import_demogen(recording, tmp_path / 'out')
    assert result.masks == ('white_vase',)
    assert (tmp_path / 'out' / 'source.jpg').is_file()
    mask = np.asarray(Image.open(tmp_path / 'out' / 'masks' / 'white_vase.png'))
    np.testing.assert_array_equal(mask == 255, inside)
    assert set(np.unique(mask)) == {0, 255}
    assert import_demogen(recording, tmp_path / 'other', episode=1).masks == ()


def test_published_skills_are_written_only_when_asked_for(tmp_path: Path):
    arrays = _arrays()
    arrays['data/point_cloud'] = arrays['data/point_cloud'][np.zeros(20, dtype=int)]
    arrays['data/state'] = arrays['data/state'][np.zeros(20, dtype=int)]
    arrays['data/action'] = arrays['data/action'][np.zeros(20, dtype=int)]
    arrays['meta/episode_ends'] = np.array([20])
    path = _write(tmp_path / 'egg.zarr', arrays)
    import_demogen(path, tmp_path / 'plain')
    assert not (tmp_path / 'plain' / 'skills_hint.yaml').exists()
    import_demogen(path, tmp_path / 'hinted', published_skills=True)
    hint = yaml.safe_load((tmp_path / 'hinted' / 'skills_hint.yaml').read_text())
    assert hint['skills'] == [{'name': 'skill-1', 'first': 7, 'last': 19}]


def _without(name: str) -> Any:
    def spoil(path: Path) -> None:
        shutil.rmtree(path / name)

    return spoil


def _replaced(name: str, change: Any) -> Any:
    def spoil(path: Path) -> None:
        shutil.rmtree(path / name)
        zarr.save_array(str(path / name), change(_arrays()[name]))

    return spoil


@pytest.mark.parametrize(
    ('spoil', 'says'),
    [
        (_without('data/state'), 'holds no array "data/state"'),
        (_replaced('data/state', lambda a: a[:, :6]), 'data/state has shape'),
        (_replaced('data/state', lambda a: np.full_like(a, np.nan)), 'NaN'),
        (_replaced('data/point_cloud', lambda a: a * 1e4), 'colours outside'),
        (_replaced('meta/episode_ends', lambda a: a + 1), 'episode_ends'),
        (_replaced('meta/episode_ends', lambda a: a[::-1].copy()), 'episode_ends'),
        (_replaced('meta/episode_ends', lambda a: a[:0]), 'episode_ends'),
    ],
)
def test_bad_files_are_named_and_leave_nothing(recording: Path, tmp_path: Path, spoil, says: str):
    spoil(recording)
    before = _tree(tmp_path)
    with pytest.raises(R2RGenError, match=says):
        import_demogen(recording, tmp_path / 'out')
    assert _tree(tmp_path) == before


def test_damaged_chunk_is_named(recording: Path, tmp_path: Path):
    files = [path for path in (recording / 'data/point_cloud').rglob('*') if path.is_file()]
    chunk = max(files, key=lambda path: path.stat().st_size)
    chunk.write_bytes(chunk.read_bytes()[:40])
    with pytest.raises(R2RGenError, match='cannot be read'):
        import_demogen(recording, tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


def test_missing_file_episode_and_masks_are_named(recording: Path, tmp_path: Path):
    with pytest.raises(R2RGenError, match=r'no zarr folder at .*nowhere'):
        import_demogen(tmp_path / 'nowhere.zarr', tmp_path / 'out')
    with pytest.raises(R2RGenError, match='0 to 1'):
        import_demogen(recording, tmp_path / 'out', episode=2)
    with pytest.raises(R2RGenError, match='no folder of masks'):
        import_demogen(recording, tmp_path / 'out', masks=tmp_path / 'nowhere')
    with pytest.raises(R2RGenError, match='skill'):
        import_demogen(recording, tmp_path / 'out', published_skills=True)
    assert not (tmp_path / 'out').exists()


def test_existing_output_is_left_as_it_is(recording: Path, tmp_path: Path):
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out' / 'mine.txt').write_text('mine')
    with pytest.raises(R2RGenError, match='exists already'):
        import_demogen(recording, tmp_path / 'out')
    assert _tree(tmp_path / 'out') == ['mine.txt']


def test_without_zarr_its_package_is_named(recording: Path, monkeypatch: pytest.MonkeyPatch):
    real = builtins.__import__

    def refuse(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == 'zarr':
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, '__import__', refuse)
    with pytest.raises(R2RGenError, match='pip install zarr'):
        read_demogen(recording)


@pytest.mark.parametrize('task', ['flower', 'egg', 'sauce'])
@pytest.mark.parametrize('episode', [0, 1, 2])
def test_real_episodes_keep_every_frame(data_dir: Path, tmp_path: Path, task: str, episode: int):
    source = data_dir / 'demogen_franka_l515' / f'{task}.zarr'
    recorded = read_demogen(source, episode)
    result = import_demogen(source, tmp_path / task, episode=episode, published_skills=True)
    found, _ = _decoded(tmp_path / task)
    assert result.episodes == 3
    assert len(found['/camera/depth/color/points']) == len(recorded) == result.frames
    demo = load_demo(tmp_path / task)
    assert (len(demo), demo.base_frame) == (len(recorded), 'panda_link0')
    assert demo.sensor is not None
    assert demo.sensor.camera == published.CAMERA
    np.testing.assert_allclose(demo.arms[0].ee2base[:, :3, 3], recorded.state[:, :3], atol=1e-9)
    np.testing.assert_array_equal(demo.arms[0].gripper, recorded.state[:, 6])
    last = decode_cloud(found['/camera/depth/color/points'][-1])[0]
    np.testing.assert_array_equal(last.points, recorded.clouds[-1, :, :3])
    assert len(result.masks) == (2 if task == 'flower' else 1)


@pytest.mark.parametrize(
    ('task', 'seen', 'error'), [('flower', 0.96, 5.0), ('egg', 0.97, 5.0), ('sauce', 0.998, 3.0)]
)
@pytest.mark.parametrize('episode', [0, 1, 2])
def test_camera_sees_the_cloud_in_its_own_colours(
    data_dir: Path, task: str, seen: float, error: float, episode: int
):
    folder = data_dir / 'demogen_franka_l515'
    cloud = read_demogen(folder / f'{task}.zarr', episode).cloud(0)
    picture = np.asarray(Image.open(folder / 'sam_mask' / task / str(episode) / 'source.jpg'))
    in_camera = se3.apply(se3.inverse(published.camera2base(task)), cloud.points)
    pixels = np.rint(published.CAMERA.project(in_camera)[:, :2])
    inside = ((pixels >= 0) & (pixels < [1920, 1080])).all(axis=1)
    assert inside.mean() > seen
    column, row = pixels[inside].astype(int).T
    difference = np.abs(picture[row, column].astype(float) - cloud.colours[inside])
    assert difference.mean() < error
