# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from r2rgen_ros.bags import messages
from r2rgen_ros.bags.clouds import STANDARD, encode_cloud
from r2rgen_ros.bags.images import ImageCoding
from r2rgen_ros.bags.load import BagFrames, load_demo
from r2rgen_ros.bags.source import bag_path, read_source
from r2rgen_ros.bags.streams import StreamSelection
from r2rgen_ros.bags.writer import BagWriter
from r2rgen_ros.geometry import se3
from r2rgen_ros.model.errors import R2RGenError


def test_depth_demonstration_is_what_was_recorded(tmp_path, workshop):
    truth = workshop.record(tmp_path / 'bag')
    demo = load_demo(tmp_path / 'bag')
    assert demo.name == 'bag'
    assert np.array_equal(demo.stamps, truth.stamps)
    assert demo.base_frame == workshop.BASE
    assert demo.sensor.frame == workshop.OPTICAL
    assert demo.sensor.camera == workshop.CAMERA
    assert demo.sensor.is_static
    assert np.abs(demo.sensor.camera2base - workshop.CAMERA2BASE).max() < 1e-12
    (arm,) = demo.arms
    assert (arm.name, arm.end_effector) == ('arm', workshop.HAND)
    assert demo.joints.names == workshop.JOINTS
    assert demo.robot_description == '<robot name="arm"/>'
    # Joints come at 100 Hz, 4 ms out of step with the frames: interpolation is this good.
    expected = workshop.joint_positions(truth.stamps)
    assert np.abs(demo.joints.positions - expected).max() < 5e-5
    assert np.abs(arm.ee2base - workshop.hand_poses(expected)).max() < 5e-4
    assert set(arm.gripper) == {0.0, 1.0}
    for index in (3, 0, 11, -1, 5):
        frame = demo.frames[index]
        assert np.array_equal(frame.depth, truth.depths[index], equal_nan=True)
        assert np.array_equal(frame.colour, truth.colours[index])
    with pytest.raises(IndexError):
        demo.frames[12]


def test_frames_at_the_very_stamps_of_joints_are_exact(tmp_path, workshop):
    workshop.record(tmp_path / 'bag', workshop.Recipe(camera_delay=-4_000_000))
    demo = load_demo(tmp_path / 'bag')
    expected = workshop.joint_positions(demo.stamps)
    assert np.array_equal(demo.joints.positions, expected)
    assert np.abs(demo.arms[0].ee2base - workshop.hand_poses(expected)).max() < 1e-12


def test_clouds_are_brought_into_the_base_frame(tmp_path, workshop):
    for frame in (workshop.BASE, workshop.OPTICAL):
        recipe = workshop.clouds_only(cloud_frame=frame)
        truth = workshop.record(tmp_path / frame, recipe)
        demo = load_demo(tmp_path / frame)
        assert not demo.has_images
        for index in (0, 7):
            want = truth.clouds[index].points
            if frame == workshop.OPTICAL:
                want = se3.apply(workshop.CAMERA2BASE, want).astype(np.float32)
            assert np.array_equal(demo.frames[index].cloud.points, want)
            assert np.array_equal(demo.frames[index].cloud.colours, truth.clouds[index].colours)


def test_topics_and_frames_that_were_named_are_taken(tmp_path, workshop):
    workshop.record(tmp_path / 'bag')
    wanted = StreamSelection(
        base_frame='arm_link1', end_effectors=(('left', 'arm_link2'),), gripper=('/joint_states',)
    )
    demo = load_demo(tmp_path / 'bag', wanted)
    assert demo.base_frame == 'arm_link1'
    assert [(arm.name, arm.end_effector) for arm in demo.arms] == [('left', 'arm_link2')]
    finger = workshop.joint_positions(demo.stamps)[:, 2]
    assert np.allclose(demo.arms[0].gripper, finger, atol=1e-4)
    with pytest.raises(R2RGenError, match='has no topic /nope'):
        load_demo(tmp_path / 'bag', StreamSelection(depth='/nope'))
    with pytest.raises(R2RGenError, match='holds 1 messages of std_msgs'):
        load_demo(tmp_path / 'bag', StreamSelection(depth='/robot_description'))


@pytest.mark.parametrize(
    ('efforts', 'told'),
    [((0.0, -25.0), True), ((0.0, 0.0), False), ((3.0, 3.0), False), ((0.0, np.nan), False)],
)
@pytest.mark.parametrize('gripper', ['/joint_states', '/gripper/width'])
def test_the_effort_of_the_gripper_is_taken_where_it_says_anything(
    tmp_path, workshop, gripper, efforts, told
):
    workshop.record(tmp_path / 'bag', workshop.Recipe(finger_effort=efforts))
    demo = load_demo(tmp_path / 'bag', StreamSelection(gripper=(gripper,)))
    effort = demo.arms[0].effort
    assert (effort is not None) == told
    if told:
        assert (effort[0], effort[-1]) == efforts
        assert (np.diff(effort) <= 0.0).all()


def test_the_bag_says_of_itself_what_is_what(tmp_path, workshop):
    custom = (
        ('r2rgen.base_frame', 'arm_link1'),
        ('r2rgen.end_effector', 'right=arm_tcp'),
        ('r2rgen.gripper_open', '-1'),
        ('r2rgen.gripper_closed', '1'),
    )
    workshop.record(tmp_path / 'bag', workshop.Recipe(custom_data=custom))
    demo = load_demo(tmp_path / 'bag')
    assert demo.base_frame == 'arm_link1'
    assert [(arm.name, arm.end_effector) for arm in demo.arms] == [('right', 'arm_tcp')]
    assert not demo.arms[0].closed_is_low


def test_a_folder_may_hold_the_bag(tmp_path, workshop):
    workshop.record(tmp_path / 'demo' / 'inner')
    (tmp_path / 'demo' / 'annotation.yaml').write_text('')
    assert bag_path(tmp_path / 'demo') == tmp_path / 'demo' / 'inner'
    assert len(load_demo(tmp_path / 'demo')) == 12
    workshop.record(tmp_path / 'demo' / 'other')
    with pytest.raises(R2RGenError, match=r"holds 2 bags.*'inner', 'other'"):
        load_demo(tmp_path / 'demo')


def test_frames_outside_of_what_the_robot_recorded_are_left_out(tmp_path, workshop):
    # The camera starts 0.55 s before the robot's streams do.
    workshop.record(tmp_path / 'bag', workshop.Recipe(camera_delay=-750_000_000))
    demo = load_demo(tmp_path / 'bag')
    assert len(demo) < 12
    assert any('were left out' in text for text in demo.warnings)
    assert demo.stamps[0] >= workshop.START - 300_000_000


def test_frames_survive_pickling_and_forking(tmp_path, workshop):
    truth = workshop.record(tmp_path / 'bag')
    demo = load_demo(tmp_path / 'bag')
    assert np.array_equal(demo.frames[4].colour, truth.colours[4])
    copy = pickle.loads(pickle.dumps(demo))
    assert np.array_equal(copy.frames[5].colour, truth.colours[5])
    child = os.fork()
    if child == 0:
        same = all(np.array_equal(demo.frames[k].colour, truth.colours[k]) for k in range(12))
        os._exit(0 if same else 1)
    for k in range(12):
        assert np.array_equal(demo.frames[k].colour, truth.colours[k])
    assert os.waitpid(child, 0)[1] == 0


def test_sources_can_be_sent_to_processes_that_know_nothing_yet(tmp_path, workshop):
    workshop.record(tmp_path / 'bag')
    (tmp_path / 'source').write_bytes(pickle.dumps(read_source(tmp_path / 'bag')))
    script = f"""
import pickle
source = pickle.load(open({str(tmp_path / 'source')!r}, 'rb'))
print(source.recorded.latched[0].messages[0].__msgtype__, source.camera_info.message.width)
"""
    out = subprocess.run(
        [sys.executable, '-c', script],
        env={**os.environ, 'PYTHONPATH': str(Path(__file__).resolve().parents[2])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert out.stdout.split()[1] == '32'


def test_little_is_kept_in_memory(tmp_path, workshop):
    workshop.record(tmp_path / 'bag')
    source = read_source(tmp_path / 'bag')
    size = workshop.CAMERA.width * workshop.CAMERA.height * 7
    frames = BagFrames(source, cache_bytes=3 * size)
    first = [frames[k] for k in range(12)]
    assert len(frames._kept) == 3
    assert frames[11] is first[11]
    assert frames[0] is not first[0]
    assert np.array_equal(frames[0].depth, first[0].depth, equal_nan=True)


def broken(workshop, **changes):
    return workshop.Recipe(**changes)


@pytest.mark.parametrize(
    ('changes', 'complaint'),
    [
        ({'depth': None}, 'holds neither depth images nor point clouds'),
        ({'camera_info': False}, 'depth images but no camera_info'),
        ({'joints': False, 'transforms': False}, 'neither joint states nor transforms of an end'),
        ({'transforms': False}, 'joint states but no moving transform of an end effector'),
        ({'camera_transform': False}, 'no transform leads from "arm_link0" to the camera.*calibr'),
        ({'depth': ImageCoding('32FC1'), 'depth_scale': 1000.0}, 'looks like millimetres'),
        ({'depth_scale': 0.0}, 'holds no valid depth'),
        ({'back_at': 5}, 'message 6 of /cam/aligned_depth/image is stamped 0.200000 s before'),
        ({'camera_delay': 10**10}, 'are not synchronised'),
        ({'camera_delay': -(10**12)}, r'they are 9\d\d\.\d+ s apart'),
        ({'colour_size': (12, 16)}, 'is 32 x 24 pixels, but the colour images are: /cam/color'),
        ({'frames': 1}, 'holds 1 frame'),
    ],
)
def test_what_is_missing_or_wrong_is_said_in_one_line(tmp_path, workshop, changes, complaint):
    workshop.record(tmp_path / 'bag', workshop.Recipe(**changes))
    with pytest.raises(R2RGenError, match=complaint) as caught:
        load_demo(tmp_path / 'bag')
    assert '\n' not in str(caught.value)
    assert 'to fix: ' in str(caught.value)


def unstamped(message):
    """The same without stamps."""
    for item in (message, *getattr(message, 'transforms', ())):
        if hasattr(item, 'header'):
            item.header.stamp = messages.time(0)
    return message


def stamped_alike(message):
    """The same with one stamp for all."""
    message.header.stamp = messages.time(1_700_000_001_000_000_000)
    return message


@pytest.mark.parametrize(
    ('topic', 'change', 'complaint'),
    [
        ('/cam/points', unstamped, '/cam/points is stamped zero throughout'),
        ('/cam/points', stamped_alike, 'all messages of /cam/points have the same stamp'),
        ('/joint_states', unstamped, 'joint states of /joint_states are stamped zero throughout'),
        ('/tf', unstamped, 'transforms of "arm_tcp" are stamped zero throughout'),
        ('/cam/aligned_depth/image', unstamped, 'aligned_depth/image is stamped zero throughout'),
        ('/cam/color/image', unstamped, '/cam/color/image is stamped zero throughout'),
    ],
)
def test_stamps_that_were_never_set_are_told_from_clocks_that_differ(
    tmp_path, workshop, topic, change, complaint
):
    recipe = workshop.clouds_only() if topic == '/cam/points' else workshop.Recipe()
    workshop.record(tmp_path / 'good', recipe)
    bad = workshop.changed(
        tmp_path / 'good',
        tmp_path / 'bad',
        lambda name, _, message: change(message) if name == topic else message,
    )

    with pytest.raises(R2RGenError, match=f'{complaint}.*to fix: set header.stamp'):
        load_demo(bad)


def test_joints_are_no_must_where_transforms_tell_the_path(tmp_path, workshop):
    workshop.record(tmp_path / 'bag', workshop.Recipe(joints=False))
    demo = load_demo(tmp_path / 'bag')
    assert demo.joints is None
    assert np.isnan(demo.arms[0].gripper).all()
    assert any('no joint states' in text for text in demo.warnings)


def test_unknown_frames_are_named_with_near_ones(tmp_path, workshop):
    workshop.record(tmp_path / 'bag')
    with pytest.raises(R2RGenError, match=r'"arm_tpc" is unknown; expected one of .*arm_tcp'):
        load_demo(tmp_path / 'bag', StreamSelection(end_effectors=(('arm', 'arm_tpc'),)))
    with pytest.raises(R2RGenError, match='"wrld" is unknown'):
        load_demo(tmp_path / 'bag', StreamSelection(base_frame='wrld'))


def nan_cloud_bag(path, workshop, holes):
    """A demonstration of clouds, of which some hold nothing but NaN."""
    workshop.record(path, workshop.clouds_only())
    from r2rgen_ros.bags.reader import BagReader

    again = path.with_name('again')
    with BagReader(path) as reader, BagWriter(again) as bag:
        for topic in reader.topics:
            bag.add_topic(topic.name, topic.type, topic.qos)
        count = 0
        for topic, log, raw in reader.messages():
            out = raw
            if topic == '/cam/points':
                if count in holes:
                    message = reader.decode(topic, raw)
                    stamp = messages.stamp_ns(message.header)
                    empty = encode_cloud(_nan_cloud(), STANDARD, workshop.BASE, stamp)
                    out = messages.serialize(empty)
                count += 1
            bag.write(topic, log, out)
    shutil.rmtree(path)
    again.rename(path)


def _nan_cloud():
    from r2rgen_ros.geometry.cloud import Cloud

    return Cloud.from_arrays(np.full((9, 3), np.nan))


def test_clouds_of_nothing_but_nan_are_refused(tmp_path, workshop):
    nan_cloud_bag(tmp_path / 'bag', workshop, holes={0})
    with pytest.raises(R2RGenError, match='cloud 0 of /cam/points holds only NaN points'):
        load_demo(tmp_path / 'bag')
    nan_cloud_bag(tmp_path / 'later', workshop, holes={4})
    demo = load_demo(tmp_path / 'later')
    with pytest.raises(R2RGenError, match='cloud 4 of /cam/points holds only NaN'):
        demo.frames[4]
    assert len(demo.frames[5].cloud) == 50


def test_a_missing_colour_image_costs_its_frame_only(tmp_path, workshop):
    workshop.record(tmp_path / 'bag')
    drop_message(tmp_path / 'bag', '/cam/color/image', 6)
    demo = load_demo(tmp_path / 'bag')
    assert len(demo) == 11
    assert any('1 of 12 frames were left out: /cam/color/image' in w for w in demo.warnings)


def drop_message(path, name, number):
    from r2rgen_ros.bags.reader import BagReader

    again = path.with_name('again')
    with BagReader(path) as reader, BagWriter(again) as bag:
        for topic in reader.topics:
            bag.add_topic(topic.name, topic.type, topic.qos)
        seen = 0
        for topic, log, raw in reader.messages():
            if topic == name:
                seen += 1
                if seen == number + 1:
                    continue
            bag.write(topic, log, raw)
    shutil.rmtree(path)
    again.rename(path)


def test_compressed_images_load_as_raw_ones_do(tmp_path, workshop):
    recipe = workshop.Recipe(
        depth=ImageCoding('16UC1', '16UC1; compressedDepth png', prefix=True),
        colour=ImageCoding('rgb8', 'png'),
    )
    truth = workshop.record(tmp_path / 'bag', recipe)
    demo = load_demo(tmp_path / 'bag')
    assert np.array_equal(demo.frames[3].depth, truth.depths[3], equal_nan=True)
    assert np.array_equal(demo.frames[3].colour, truth.colours[3])


def test_damaged_and_foreign_paths_are_named(tmp_path, workshop):
    with pytest.raises(R2RGenError, match='there is no bag at'):
        load_demo(tmp_path / 'nope')
    workshop.record(tmp_path / 'bag')
    file = tmp_path / 'bag' / 'bag.mcap'
    file.write_bytes(file.read_bytes()[:-500])
    with pytest.raises(R2RGenError, match='cannot be read as a bag'):
        load_demo(tmp_path / 'bag')


def test_real_flower_demonstration(data_dir, tmp_path):
    demogen = pytest.importorskip('r2rgen_ros.exchange.demogen')
    out = tmp_path / 'flower'
    demogen.import_demogen(data_dir / 'demogen_franka_l515' / 'flower.zarr', out)
    demo = load_demo(out)
    assert len(demo) == 106
    assert demo.base_frame == 'panda_link0'
    assert [arm.end_effector[:10] for arm in demo.arms] == ['panda_hand']
    assert {len(demo.frames[k].cloud) for k in range(106)} == {1024}
    assert set(demo.arms[0].gripper) == {-1.0, 1.0}
    assert demo.warnings == ()


def test_sources_are_frozen_apart_from_a_copy(tmp_path, workshop):
    workshop.record(tmp_path / 'bag')
    source = read_source(tmp_path / 'bag')
    assert replace(source, warnings=('x',)).warnings == ('x',)
    assert source.left_out == ()
    with pytest.raises(AttributeError):
        source.warnings = ()
