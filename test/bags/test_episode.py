# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import shutil

import numpy as np
import pytest

from r2rgen_ros.bags import messages
from r2rgen_ros.bags.chunks import Compression
from r2rgen_ros.bags.clouds import (
    STANDARD,
    CloudLayout,
    Field,
    decode_cloud,
    decode_field,
    encode_cloud,
)
from r2rgen_ros.bags.episode import EpisodeWriter
from r2rgen_ros.bags.images import ImageCoding
from r2rgen_ros.bags.load import demo_of, load_demo
from r2rgen_ros.bags.reader import BagReader
from r2rgen_ros.bags.source import read_source
from r2rgen_ros.bags.streams import StreamSelection
from r2rgen_ros.bags.writer import LATCHED_TF, BagWriter
from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.cloud import Cloud
from r2rgen_ros.model.episode import Episode, Variation
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.model.sensed import SensedFrame


def raw_messages(path):
    out = {}
    with BagReader(path) as reader:
        for topic, log, raw in reader.messages():
            out.setdefault(topic, []).append((log, raw))
    return out


def decoded(path, topic):
    with BagReader(path) as reader:
        return [message for _, _, message in reader.decoded([topic])]


def sensed(demo, index):
    """What was seen at source frames, as if the camera step changed nothing."""
    for k in index:
        frame = demo.frames[int(k)]
        yield SensedFrame(frame.depth, frame.colour, frame.cloud)


def write(writer, path, demo, episode, **extra):
    writer.write(path, episode, sensed(demo, episode.source_frames), **extra)
    return load_demo(path)


def variants(workshop):
    padded = CloudLayout(
        (Field('z', 0, 7), Field('y', 8, 7), Field('x', 16, 7), Field('rgba', 24, 6)), 32, alpha=255
    )
    return {
        'depth': workshop.Recipe(),
        'depth in metres': workshop.Recipe(depth=ImageCoding('32FC1')),
        'compressed': workshop.Recipe(
            depth=ImageCoding('16UC1', '16UC1; compressedDepth png', prefix=True),
            colour=ImageCoding('rgb8', 'png'),
        ),
        'compressed as RVL': workshop.Recipe(
            depth=ImageCoding('16UC1', '16UC1; compressedDepth rvl', prefix=True),
            colour=ImageCoding('rgb8', 'png'),
        ),
        'other encodings': workshop.Recipe(
            depth=ImageCoding('16UC1', padding=4), colour=ImageCoding('bgr8', padding=3)
        ),
        'clouds': workshop.clouds_only(),
        'clouds of another layout': workshop.Recipe(depth=None, colour=None, cloud=padded),
        'no joints': workshop.Recipe(joints=False),
        'no camera': workshop.clouds_only(camera_info=False, camera_transform=False),
        'zstd': workshop.Recipe(compression=Compression('zstd')),
    }


@pytest.mark.parametrize(
    'variant',
    ['depth', 'depth in metres', 'compressed', 'compressed as RVL', 'other encodings', 'clouds',
     'clouds of another layout', 'no joints', 'no camera', 'zstd'],
)  # fmt: skip
def test_identity_repeats_every_message_byte_for_byte(tmp_path, workshop, variant):
    workshop.record(tmp_path / 'bag', variants(workshop)[variant])
    source = read_source(tmp_path / 'bag')
    demo = demo_of(source)
    writer = EpisodeWriter(source, link_poses=workshop.link_poses)
    write(writer, tmp_path / 'episode', demo, workshop.episode_of(demo))
    before, after = raw_messages(tmp_path / 'bag'), raw_messages(tmp_path / 'episode')
    assert set(after) - set(before) == {'/r2rgen/end_effector_path'}
    for topic, recorded in before.items():
        assert after[topic] == recorded, topic
    with BagReader(tmp_path / 'bag') as first, BagReader(tmp_path / 'episode') as second:
        for topic in first.topics:
            assert second.topic(topic.name) == topic


def test_clouds_of_the_camera_frame_go_there_and_back(tmp_path, workshop):
    workshop.record(tmp_path / 'bag', workshop.clouds_only(cloud_frame=workshop.OPTICAL))
    source = read_source(tmp_path / 'bag')
    demo = demo_of(source)
    again = write(EpisodeWriter(source), tmp_path / 'ep', demo, workshop.episode_of(demo))
    (first, *_) = decoded(tmp_path / 'ep', '/cam/points')
    assert first.header.frame_id == workshop.OPTICAL
    for k in range(12):
        difference = again.frames[k].cloud.points - demo.frames[k].cloud.points
        assert np.abs(difference).max() < 1e-6


def test_same_episode_gives_the_same_bytes(tmp_path, workshop):
    workshop.record(tmp_path / 'bag')
    for side in 'ab':
        source = read_source(tmp_path / 'bag')
        demo = demo_of(source)
        (tmp_path / side).mkdir()
        write(EpisodeWriter(source), tmp_path / side / 'ep', demo, workshop.episode_of(demo))
    for name in ('metadata.yaml', 'ep.mcap'):
        assert (tmp_path / 'a/ep' / name).read_bytes() == (tmp_path / 'b/ep' / name).read_bytes()


def moved(demo, workshop, joints):
    """The episode in which the joints are changed at the frames."""
    return workshop.episode_of(demo, joints=joints, ee2base={'arm': workshop.hand_poses(joints)})


def smooth_change(count):
    """A change of the joints that begins and ends with nothing."""
    ease = np.sin(np.linspace(0.0, np.pi, count)) ** 2
    ease[[0, 1, -1]] = 0.0
    return ease[:, None] * np.array([0.2, -0.15, 0.0])


def aligned(workshop, **changes):
    """Frames at the very stamps of joints, so that interpolation plays no part."""
    return workshop.Recipe(camera_delay=-4_000_000, **changes)


def test_changed_joints_lead_through_transforms_to_the_changed_path(tmp_path, workshop):
    workshop.record(tmp_path / 'bag', aligned(workshop))
    source = read_source(tmp_path / 'bag')
    demo = demo_of(source)
    joints = demo.joints.positions + smooth_change(12)
    episode = moved(demo, workshop, joints)
    writer = EpisodeWriter(source, link_poses=workshop.link_poses)
    again = write(writer, tmp_path / 'ep', demo, episode)
    assert np.abs(again.joints.positions - joints).max() < 1e-12
    assert np.abs(again.arms[0].ee2base - episode.ee2base['arm']).max() < 1e-9
    # At any instant, links and joints agree.
    names = [m.name for m in decoded(tmp_path / 'ep', '/joint_states')]
    assert {tuple(n) for n in names} == {workshop.JOINTS}
    states = {
        messages.stamp_ns(m.header): m.position for m in decoded(tmp_path / 'ep', '/joint_states')
    }
    for message in decoded(tmp_path / 'ep', '/tf'):
        stamp = messages.stamp_ns(message.transforms[0].header)
        poses = workshop.link_poses(workshop.JOINTS, states[stamp][None], workshop.LINKS)
        for item in message.transforms:
            turn = item.transform.rotation
            have = se3.from_quaternion(
                np.array([item.transform.translation.x, item.transform.translation.y,
                          item.transform.translation.z]),
                np.array([turn.x, turn.y, turn.z, turn.w]),
            )  # fmt: skip
            want = poses[(item.header.frame_id, item.child_frame_id)][0]
            assert np.abs(have - want).max() < 1e-9


def test_where_nothing_changes_the_numbers_are_the_sources(tmp_path, workshop):
    workshop.record(tmp_path / 'bag', aligned(workshop))
    source = read_source(tmp_path / 'bag')
    demo = demo_of(source)
    change = smooth_change(12)
    episode = moved(demo, workshop, demo.joints.positions + change)
    writer = EpisodeWriter(source, link_poses=workshop.link_poses)
    write(writer, tmp_path / 'ep', demo, episode)
    before, after = raw_messages(tmp_path / 'bag'), raw_messages(tmp_path / 'ep')
    for topic in ('/joint_states', '/tf', '/pose_command'):
        same = [a == b for a, b in zip(before[topic], after[topic], strict=True)]
        early = [log < demo.stamps[1] for log, _ in before[topic]]
        assert all(s for s, e in zip(same, early, strict=True) if e)
        assert not all(same)
    assert before['/gripper/width'] == after['/gripper/width']


def test_velocities_stay_the_derivative_of_positions(tmp_path, workshop):
    workshop.record(tmp_path / 'bag', aligned(workshop))
    source = read_source(tmp_path / 'bag')
    demo = demo_of(source)
    # Slower in the middle, and along another path.
    steps = np.array([1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 1, 1, 1, 1, 1.0])
    frames = np.concatenate([[0.0], np.cumsum(steps)])
    stamps = demo.stamps[0] + 100_000_000 * np.arange(len(frames))
    joints = se3_free_interpolation(demo.joints.positions, frames) + smooth_change(len(frames))
    episode = workshop.episode_of(
        demo, source=frames, stamps=stamps, joints=joints,
        ee2base={'arm': workshop.hand_poses(joints)},
    )  # fmt: skip
    writer = EpisodeWriter(source, link_poses=workshop.link_poses)
    write(writer, tmp_path / 'ep', demo, episode)
    found = decoded(tmp_path / 'ep', '/joint_states')
    at = np.array([messages.stamp_ns(m.header) for m in found])
    positions = np.stack([m.position for m in found])
    velocities = np.stack([m.velocity for m in found])
    assert np.allclose(np.diff(at), 10_000_000, atol=1)
    derivative = np.diff(positions, axis=0) / (np.diff(at) / 1e9)[:, None]
    between = (velocities[:-1] + velocities[1:]) / 2
    # Changes are linear between frames: velocities jump at frames, and agree in between.
    at_frame = np.isin(at[:-1], stamps) | np.isin(at[1:], stamps)
    inside = (at[:-1] > stamps[0]) & (at[1:] < stamps[-1]) & ~at_frame
    # A source of 100 Hz played at half speed is straight between its samples: that much is left.
    assert np.abs(derivative - between)[inside].max() < 2e-3
    assert np.abs(derivative).max() > 0.5


def se3_free_interpolation(values, at):
    return np.stack([np.interp(at, np.arange(len(values)), v) for v in values.T], axis=1)


def test_lengthened_episodes_keep_rates_and_read_back(tmp_path, workshop):
    workshop.record(tmp_path / 'bag', aligned(workshop))
    source = read_source(tmp_path / 'bag')
    demo = demo_of(source)
    frames = np.concatenate([np.arange(0.0, 4.0, 0.5), np.arange(4.0, 12.0)])
    stamps = 5_000_000_000 + 100_000_000 * np.arange(len(frames))
    joints = workshop.joint_positions(
        np.round(demo.stamps[0] + frames * 100_000_000).astype(np.int64)
    )
    episode = workshop.episode_of(
        demo, source=frames, stamps=stamps, joints=joints,
        ee2base={'arm': workshop.hand_poses(joints)},
    )  # fmt: skip
    writer = EpisodeWriter(source, link_poses=workshop.link_poses)
    again = write(writer, tmp_path / 'ep', demo, episode)
    assert np.array_equal(again.stamps, stamps)
    assert np.abs(again.joints.positions - joints).max() < 1e-9
    assert np.abs(again.arms[0].ee2base - episode.ee2base['arm']).max() < 1e-9
    with BagReader(tmp_path / 'bag') as first, BagReader(tmp_path / 'ep') as second:
        for topic in ('/joint_states', '/tf', '/pose_command'):
            extra = second.topic(topic).count - first.topic(topic).count
            assert extra == {'/joint_states': 40}.get(topic, 20)
        for topic in ('/cam/aligned_depth/image', '/cam/aligned_depth/camera_info'):
            assert second.topic(topic).count == len(frames)
    for k in range(len(frames)):
        expected = demo.frames[int(episode.source_frames[k])]
        assert np.array_equal(again.frames[k].depth, expected.depth, equal_nan=True)


def test_frames_out_of_step_with_the_robot_read_back_where_the_speed_jumps(tmp_path, workshop):
    workshop.record(tmp_path / 'bag')
    source = read_source(tmp_path / 'bag')
    demo = demo_of(source)
    frames = np.concatenate([np.arange(0.0, 4.0), np.arange(4.0, 7.0, 0.25), np.arange(7.0, 12.0)])
    stamps = demo.stamps[0] + 100_000_000 * np.arange(len(frames))
    joints = workshop.joint_positions(
        np.round(demo.stamps[0] + frames * 100_000_000).astype(np.int64)
    )
    episode = workshop.episode_of(
        demo, source=frames, stamps=stamps, joints=joints,
        ee2base={'arm': workshop.hand_poses(joints)},
    )  # fmt: skip
    writer = EpisodeWriter(source, link_poses=workshop.link_poses)
    again = write(writer, tmp_path / 'ep', demo, episode)
    # What is left is the curvature between two messages: 10 and 20 ms apart.
    assert np.abs(again.joints.positions - joints).max() < 5e-5
    assert np.abs(again.arms[0].ee2base - episode.ee2base['arm']).max() < 2e-4


def test_part_of_a_source_reads_back(tmp_path, workshop):
    workshop.record(tmp_path / 'bag')
    source = read_source(tmp_path / 'bag')
    demo = demo_of(source)
    frames = np.arange(3.0, 8.0)
    pick = slice(3, 8)
    episode = workshop.episode_of(
        demo, source=frames, stamps=demo.stamps[pick], joints=demo.joints.positions[pick],
        ee2base={'arm': demo.arms[0].ee2base[pick]},
    )  # fmt: skip
    again = write(EpisodeWriter(source), tmp_path / 'ep', demo, episode)
    assert len(again) == 5
    assert np.abs(again.joints.positions - demo.joints.positions[pick]).max() < 1e-12
    assert np.abs(again.arms[0].ee2base - demo.arms[0].ee2base[pick]).max() < 1e-12
    assert messages.stamp_ns(decoded(tmp_path / 'ep', '/tf')[0].transforms[0].header) >= int(
        demo.stamps[3]
    )


def shifted_hand(demo, count=12):
    offsets = np.zeros((count, 3))
    offsets[:, 1] = 0.1 * np.sin(np.linspace(0, np.pi / 2, count)) ** 2
    offsets[0] = 0.0
    turn = se3.rotation_about([0.0, 0.0, 1.0], 3.0 * offsets[:, 1])
    change = se3.compose(turn, offsets)
    return change, change @ demo.arms[0].ee2base


def test_without_kinematics_the_end_effector_still_comes_out_right(tmp_path, workshop):
    workshop.record(tmp_path / 'bag', aligned(workshop))
    source = read_source(tmp_path / 'bag')
    demo = demo_of(source)
    change, poses = shifted_hand(demo)
    episode = workshop.episode_of(demo, ee2base={'arm': poses}, joints=None)
    again = write(EpisodeWriter(source), tmp_path / 'ep', demo, episode)
    assert np.abs(again.arms[0].ee2base - poses).max() < 1e-9
    # The command that goes with it moves alike.
    commands = {messages.stamp_ns(m.header): m for m in decoded(tmp_path / 'ep', '/pose_command')}
    source_commands = {
        messages.stamp_ns(m.header): m for m in decoded(tmp_path / 'bag', '/pose_command')
    }
    for k, stamp in enumerate(demo.stamps.tolist()):
        have, was = commands[stamp].pose.position, source_commands[stamp].pose.position
        want = se3.apply(change[k], np.array([[was.x, was.y, was.z]]))[0]
        assert np.allclose([have.x, have.y, have.z], want, atol=1e-9)


def test_an_episode_is_a_source_again(tmp_path, workshop):
    workshop.record(tmp_path / 'bag', aligned(workshop))
    source = read_source(tmp_path / 'bag')
    demo = demo_of(source)
    _, poses = shifted_hand(demo)
    episode = workshop.episode_of(demo, ee2base={'arm': poses})
    write(EpisodeWriter(source), tmp_path / 'one', demo, episode)
    second = read_source(tmp_path / 'one')
    assert second.left_out == ()
    again = demo_of(second)
    write(EpisodeWriter(second), tmp_path / 'two', again, workshop.episode_of(again))
    first, repeated = raw_messages(tmp_path / 'one'), raw_messages(tmp_path / 'two')
    path = '/r2rgen/end_effector_path'
    assert {k: v for k, v in first.items() if k != path} == {
        k: v for k, v in repeated.items() if k != path
    }


def test_path_and_labelled_points_are_added(tmp_path, workshop):
    workshop.record(tmp_path / 'bag', workshop.clouds_only())
    source = read_source(tmp_path / 'bag')
    demo = demo_of(source)
    episode = workshop.episode_of(demo)
    labels = np.arange(50, dtype=np.uint8) % 4
    frames = [
        SensedFrame(cloud=demo.frames[k].cloud, labelled=demo.frames[k].cloud, labels=labels)
        for k in range(12)
    ]
    EpisodeWriter(source).write(
        tmp_path / 'ep', episode, iter(frames), custom_data={'r2rgen.seed': '3'}
    )
    (path,) = decoded(tmp_path / 'ep', '/r2rgen/end_effector_path')
    assert path.header.frame_id == workshop.BASE
    assert [messages.stamp_ns(p.header) for p in path.poses] == demo.stamps.tolist()
    places = np.array([[getattr(p.pose.position, a) for a in 'xyz'] for p in path.poses])
    assert np.array_equal(places, demo.arms[0].ee2base[:, :3, 3])
    points = decoded(tmp_path / 'ep', '/r2rgen/labelled_points')
    assert len(points) == 12
    assert np.array_equal(decode_field(points[5], 'label').ravel(), labels)
    assert np.array_equal(decode_cloud(points[5])[0].points, demo.frames[5].cloud.points)
    with BagReader(tmp_path / 'ep') as reader:
        assert reader.topic('/r2rgen/end_effector_path').is_latched
        assert reader.custom_data['r2rgen.seed'] == '3'
        assert reader.custom_data['r2rgen.base_frame'] == workshop.BASE
        assert reader.custom_data['r2rgen.end_effector'] == workshop.HAND


def test_clouds_beside_depth_images_are_made_from_them(tmp_path, workshop):
    recipe = workshop.Recipe(
        cloud=CloudLayout(
            (Field('x', 0, 7), Field('y', 4, 7), Field('z', 8, 7), Field('rgb', 16, 7)), 32,
            height=workshop.CAMERA.height, width=workshop.CAMERA.width,
        ),
        cloud_frame=workshop.OPTICAL,
        points=workshop.CAMERA.height * workshop.CAMERA.width,
    )  # fmt: skip
    workshop.record(tmp_path / 'bag', recipe)
    source = read_source(tmp_path / 'bag')
    demo = demo_of(source)
    write(EpisodeWriter(source), tmp_path / 'ep', demo, workshop.episode_of(demo))
    clouds = decoded(tmp_path / 'ep', '/cam/points')
    assert len(clouds) == 12
    cloud, mask = decode_cloud(clouds[4])
    depth = demo.frames[4].depth
    assert np.array_equal(mask, np.isfinite(depth))
    expected = workshop.CAMERA.unproject(depth)[mask].astype(np.float32)
    assert np.array_equal(cloud.points, expected)
    assert np.array_equal(cloud.colours, demo.frames[4].colour[mask])


@pytest.mark.parametrize('count', [11, 13, 0])
def test_frames_that_do_not_fit_leave_nothing_behind(tmp_path, workshop, count):
    workshop.record(tmp_path / 'bag')
    source = read_source(tmp_path / 'bag')
    demo = demo_of(source)
    frames = sensed(demo, np.minimum(np.arange(count), 11))
    with pytest.raises(R2RGenError, match='were sensed'):
        EpisodeWriter(source).write(tmp_path / 'ep', workshop.episode_of(demo), frames)
    assert sorted(p.name for p in tmp_path.iterdir()) == ['bag']


def test_existing_bags_are_not_touched(tmp_path, workshop):
    workshop.record(tmp_path / 'bag')
    source = read_source(tmp_path / 'bag')
    demo = demo_of(source)
    before = raw_messages(tmp_path / 'bag')
    with pytest.raises(R2RGenError, match='exists already'):
        write(EpisodeWriter(source), tmp_path / 'bag', demo, workshop.episode_of(demo))
    assert raw_messages(tmp_path / 'bag') == before


def two_arms(path, camera_parent='world', count=10, joint=''):
    """Two arms that turn about z, and a camera that stands still or rides on the left one."""
    stamps = 10**9 + 100_000_000 * np.arange(count)
    links = {}
    with BagWriter(path) as bag:
        bag.add_topic('/tf', messages.TF)
        bag.add_topic('/tf_static', messages.TF, LATCHED_TF)
        bag.add_topic('/points', messages.POINT_CLOUD)
        bag.add_topic('/left/command', messages.POSE_STAMPED)
        for side in ('left', 'right') if joint else ():
            bag.add_topic(f'/{side}/joint_states', messages.JOINT_STATE)
        static = []
        for side, y in (('left', 0.5), ('right', -0.5)):
            base = se3.compose(np.eye(3), [0.0, y, 0.2])
            static.append(('world', f'{side}_link0', base))
            hand = se3.compose(np.eye(3), [0.4, 0.0, 0.1])
            static.append((f'{side}_link1', f'{side}_tcp', hand))
            turn = se3.rotation_about([0.0, 0.0, 1.0], np.linspace(0.0, y, count))
            links[side] = se3.compose(turn, np.zeros(3))
        static.append((camera_parent, 'camera', se3.compose(np.eye(3), [0.0, 0.0, 0.5])))
        items = [messages.transform_matrix(0, *edge) for edge in static]
        bag.write('/tf_static', 10**9, messages.tf_message(items))
        rng = np.random.default_rng(0)
        for k, stamp in enumerate(stamps):
            items = [
                messages.transform_matrix(stamp, f'{s}_link0', f'{s}_link1', links[s][k])
                for s in links
            ]
            bag.write('/tf', stamp, messages.tf_message(items))
            for side, y in (('left', 0.5), ('right', -0.5)) if joint else ():
                state = messages.joint_state(
                    stamp, (joint.format(side),), np.array([y * k / count])
                )
                bag.write(f'/{side}/joint_states', stamp, state)
            cloud = Cloud.from_arrays(rng.normal(size=(20, 3)))
            bag.write('/points', stamp, encode_cloud(cloud, STANDARD, 'camera', stamp))
            place = [1.0, 2.0, 3.0]
            command = messages.pose_stamped(stamp, 'left_link0', place, [0, 0, 0, 1])
            bag.write('/left/command', stamp, command)
    return path


def test_joints_of_two_arms_lie_in_one_array(tmp_path):
    joints = read_source(two_arms(tmp_path / 'bag', joint='{}_joint')).joints
    assert joints.names == ('left_joint', 'right_joint')
    assert np.allclose(joints.positions[:, 0], -joints.positions[:, 1])


def test_two_arms_whose_joints_have_one_name_are_refused(tmp_path):
    with pytest.raises(R2RGenError, match=r'tell of the joint "joint" differently.*prefix'):
        read_source(two_arms(tmp_path / 'bag', joint='joint'))


def test_two_arms_of_one_name_are_refused(tmp_path):
    wanted = StreamSelection(end_effectors=(('arm', 'left_tcp'), ('arm', 'right_tcp')))
    with pytest.raises(R2RGenError, match=r"arms \['arm'\] of .* are named twice.*--ee-frame"):
        demo_of(read_source(two_arms(tmp_path / 'bag'), wanted))


def test_two_arms_are_changed_each_on_its_own(tmp_path):
    source = read_source(two_arms(tmp_path / 'bag'))
    demo = demo_of(source)
    assert demo.base_frame == 'world'
    left, right = demo.arms
    assert (left.name, right.name) == ('left', 'right')
    count = len(demo)
    change = se3.compose(
        se3.rotation_about([0.0, 0.0, 1.0], np.linspace(0, 0.3, count)),
        np.linspace(0, 1, count)[:, None] * [0.05, 0.02, 0.01],
    )
    poses = {'left': change @ left.ee2base, 'right': right.ee2base}
    episode = Episode(
        Variation(0, 0, (), np.zeros((0, 4, 4))), demo.stamps, np.arange(float(count)), poses,
        {side: np.zeros(count) for side in poses}, np.zeros((0, count, 4, 4)),
        np.zeros(count, np.int16),
    )  # fmt: skip
    again = write(EpisodeWriter(source), tmp_path / 'ep', demo, episode)
    for arm in again.arms:
        assert np.abs(arm.ee2base - poses[arm.name]).max() < 1e-12
    with BagReader(tmp_path / 'ep') as reader:
        names = {topic.name for topic in reader.topics}
        assert reader.custom_data['r2rgen.end_effector'] == 'left=left_tcp, right=right_tcp'
    assert {'/r2rgen/left/end_effector_path', '/r2rgen/right/end_effector_path'} <= names
    # The right arm's transforms, and the static camera, are as recorded.
    lookup = read_source(tmp_path / 'ep').buffer.lookup
    before = source.buffer.lookup
    for frame in ('right_tcp', 'camera'):
        assert np.array_equal(
            lookup('world', frame, demo.stamps), before('world', frame, demo.stamps)
        )
    # A command in the left arm's own base frame goes where the hand goes.
    command = decoded(tmp_path / 'ep', '/left/command')[-1]
    in_world = se3.apply(before('world', 'left_link0', [0])[0], np.array([[1.0, 2.0, 3.0]]))
    expected = se3.apply(change[-1], in_world)
    have = np.array([[getattr(command.pose.position, axis) for axis in 'xyz']])
    have = se3.apply(before('world', 'left_link0', [0])[0], have)
    assert np.abs(have - expected).max() < 1e-12


def test_a_camera_on_the_hand_moves_with_it(tmp_path):
    source = read_source(two_arms(tmp_path / 'bag', camera_parent='left_tcp'))
    demo = demo_of(source)
    left, right = demo.arms
    assert np.ptp(source.cloud2base[:, :3, 3], axis=0).max() > 0.01
    count = len(demo)
    change = se3.compose(np.eye(3), np.linspace(0, 0.2, count)[:, None] * [1.0, 0.0, 0.0])
    episode = Episode(
        Variation(0, 0, (), np.zeros((0, 4, 4))), demo.stamps, np.arange(float(count)),
        {'left': change @ left.ee2base, 'right': right.ee2base},
        {'left': np.zeros(count), 'right': np.zeros(count)}, np.zeros((0, count, 4, 4)),
        np.zeros(count, np.int16),
    )  # fmt: skip
    again = write(EpisodeWriter(source), tmp_path / 'ep', demo, episode)
    # What was sensed in the base frame is found in the base frame, through the moved camera.
    for k in range(count):
        difference = again.frames[k].cloud.points - demo.frames[k].cloud.points
        assert np.abs(difference).max() < 1e-6
    moved = read_source(tmp_path / 'ep').cloud2base
    assert np.abs(moved - change @ source.cloud2base).max() < 1e-12


def test_a_ros1_demonstration_becomes_ros2_episodes(tmp_path, workshop):
    from rosbags.convert.converter import convert
    from rosbags.typesys import Stores, get_typestore

    truth = workshop.record(tmp_path / 'bag')
    convert(
        [tmp_path / 'bag'], tmp_path / 'old.bag', 'mcap', 9, None, 'file', messages.store(),
        get_typestore(Stores.ROS1_NOETIC), [], [], [], [],
    )  # fmt: skip
    source = read_source(tmp_path / 'old.bag')
    demo = demo_of(source)
    assert np.array_equal(demo.stamps, truth.stamps)
    assert np.array_equal(demo.frames[3].colour, truth.colours[3])
    write(EpisodeWriter(source), tmp_path / 'ep', demo, workshop.episode_of(demo))
    # Byte for byte what an episode of the ROS 2 recording holds.
    before, after = raw_messages(tmp_path / 'bag'), raw_messages(tmp_path / 'ep')
    assert {topic: after[topic] for topic in before} == before
    with BagReader(tmp_path / 'ep') as reader:
        assert reader.topic('/tf_static').is_latched
        assert not reader.topic('/tf').is_latched


def thin(path, name, keep):
    """Keep only some messages of a topic."""
    again = path.with_name('again')
    with BagReader(path) as reader, BagWriter(again) as bag:
        for topic in reader.topics:
            bag.add_topic(topic.name, topic.type, topic.qos)
        seen = -1
        for topic, log, raw in reader.messages():
            seen += topic == name
            if topic != name or seen in keep:
                bag.write(topic, log, raw)
    shutil.rmtree(path)
    again.rename(path)


@pytest.mark.parametrize('keep', [{0}, {0, 6}])
def test_intrinsics_that_come_rarely_are_kept_rare(tmp_path, workshop, keep):
    workshop.record(tmp_path / 'bag')
    thin(tmp_path / 'bag', '/cam/aligned_depth/camera_info', keep)
    source = read_source(tmp_path / 'bag')
    demo = demo_of(source)
    write(EpisodeWriter(source), tmp_path / 'ep', demo, workshop.episode_of(demo))
    topic = '/cam/aligned_depth/camera_info'
    assert raw_messages(tmp_path / 'ep')[topic] == raw_messages(tmp_path / 'bag')[topic]
