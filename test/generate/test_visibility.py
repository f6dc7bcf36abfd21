# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the camera must see at chosen moments; what the source showed less of may show as little."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from r2rgen_ros.generate.assemble import Assembler, object_changes
from r2rgen_ros.generate.config import CameraConfig, FeasibilityConfig, GenerateConfig
from r2rgen_ros.generate.sampling import Sampler
from r2rgen_ros.generate.visibility import moments_of
from r2rgen_ros.geometry import se3
from r2rgen_ros.model.episode import Episode, PlanarMove, Reason
from r2rgen_ros.model.errors import R2RGenError

LOOSE = GenerateConfig(
    feasibility=FeasibilityConfig(
        collisions=False, min_visible_share=0.0, min_shown_share=0.0, support_margin_m=-1.0
    )
)


def _episode(scene, moves, base=None):
    episode = Assembler.create(scene, LOOSE).assemble(
        Sampler.create(scene, LOOSE, 0).from_moves(0, moves, base)
    )
    assert isinstance(episode, Episode)
    return episode


def _check(scene, episode, **asked):
    return _view(scene, **asked).check(episode)


def _view(scene, camera='', **asked):
    asked = FeasibilityConfig(collisions=False, **asked)
    config = GenerateConfig(feasibility=asked, camera=CameraConfig(render_for=camera))
    return Assembler.create(scene, config).view


def _between_camera_and(scene, place, pose, share=0.7):
    """Points of a small wall on the way from the camera to an object at a pose."""
    camera2base = scene.demo.sensor.camera2base[0]
    middle = se3.apply(pose, scene.objects[place].cloud.points).mean(axis=0)
    eye = camera2base[:3, 3]
    across, down = camera2base[:3, 0], camera2base[:3, 1]
    wide, high = np.arange(-0.04, 0.04, 0.002), np.arange(-0.12, 0.12, 0.002)
    u, v = (grid.reshape(-1, 1) for grid in np.meshgrid(wide, high))
    return eye + share * (middle - eye) + u * across + v * down


def test_the_source_itself_is_seen_enough_whatever_it_shows(virtual_scene):
    source = _episode(virtual_scene, {})
    frames = tuple(range(0, len(virtual_scene.demo), 7))

    assert _check(virtual_scene, source, visible_at=frames, min_shown_share=1.0) is None
    assert (
        Assembler.create(
            virtual_scene,
            GenerateConfig(feasibility=FeasibilityConfig(min_visible_share=1, min_shown_share=1)),
        ).view.check(source)
        is None
    )


def test_what_stands_before_an_object_where_it_is_moved_to_hides_it(
    virtual_scene, with_environment
):
    (name,) = virtual_scene.annotation.skills[0].targets
    place = [item.name for item in virtual_scene.objects].index(name)
    episode = _episode(virtual_scene, {0: PlanarMove(0.03, -0.1)})
    pose = episode.object2base[place, 0]
    wall = _between_camera_and(virtual_scene, place, pose)

    free = _check(virtual_scene, episode, visible_at='start')
    hidden = _check(with_environment(virtual_scene, wall), episode, visible_at='start')

    assert free is None
    assert (hidden.reason, hidden.frame) == (Reason.OUT_OF_VIEW, 0)
    assert f'"{name}" would be hidden' in hidden.detail
    assert 0.0 < hidden.amount <= 0.3


def test_a_share_of_nothing_asks_for_nothing(virtual_scene):
    assert _view(virtual_scene, min_visible_share=0.0, min_shown_share=0.0) is None


def test_what_was_hidden_in_the_source_may_stay_hidden(virtual_scene, with_environment):
    wall = _between_camera_and(virtual_scene, 0, virtual_scene.objects[0].object2base[0])
    behind = with_environment(virtual_scene, wall)
    assert _check(behind, _episode(virtual_scene, {}), visible_at='start') is None


def test_another_object_moved_before_it_hides_an_object(virtual_scene):
    names = [item.name for item in virtual_scene.objects]
    first, second = names.index('object_2'), names.index('object_1')
    episode = _episode(virtual_scene, {})
    camera = virtual_scene.demo.sensor.camera2base[0][:3, 3]
    plate = episode.object2base[second, 0, :3, 3]
    poses = episode.object2base.copy()
    poses[first, 0, :3, 3] = plate + 0.2 * (camera - plate)
    moved = replace(episode, object2base=poses)

    found = _check(virtual_scene, moved, visible_at='start', min_shown_share=0.9)

    assert found is not None
    assert '"object_1"' in found.detail


def test_objects_are_looked_for_at_the_moments_that_are_asked_for(virtual_scene):
    skills = virtual_scene.annotation.skills
    names = [item.name for item in virtual_scene.objects]
    everything = tuple(range(len(names)))

    assert moments_of(virtual_scene, 'start') == {0: everything}
    assert moments_of(virtual_scene, (9, 3)) == {3: everything, 9: everything}
    at_skills = moments_of(virtual_scene, 'skills')
    assert list(at_skills) == [0, *(skill.first for skill in skills)]
    for skill in skills:
        assert {names[place] for place in at_skills[skill.first]} == set(skill.targets)
    with pytest.raises(R2RGenError, match='visible_at'):
        moments_of(virtual_scene, (len(virtual_scene.demo),))


def test_what_is_moved_out_of_the_image_is_told_before_anything_is_worked_out(virtual_scene):
    assembler = Assembler.create(virtual_scene, GenerateConfig(
        feasibility=FeasibilityConfig(support_margin_m=-1.0)
    ))  # fmt: skip
    sampler = Sampler.create(virtual_scene, LOOSE, 0)
    away = assembler.assemble(sampler.from_moves(5, {0: PlanarMove(0.6, 0.9)}))

    assert (away.reason, away.frame, away.index) == (Reason.OUT_OF_VIEW, 0, 5)
    assert 'inside the image' in away.detail


@pytest.fixture(scope='module')
def led_elsewhere(virtual_scene):
    """An episode in which the first object, and so the hand that takes it, is elsewhere."""
    return _episode(virtual_scene, {0: PlanarMove(-0.1, 0.08, np.deg2rad(20.0))})


def test_a_camera_on_the_wrist_sees_what_its_hand_goes_to_as_in_the_source(
    virtual_scene, led_elsewhere
):
    view = _view(virtual_scene, 'panda_wrist', min_visible_share=1.0, min_shown_share=1.0)
    skill = virtual_scene.annotation.skills[0]

    assert 0 not in view.moments  # it comes to look
    assert view.check(led_elsewhere) is None
    assert skill.first in view.moments


def test_what_the_hand_does_not_go_to_is_out_of_the_wrist_cameras_sight(
    virtual_scene, led_elsewhere
):
    skill = virtual_scene.annotation.skills[0]
    place = [item.name for item in virtual_scene.objects].index(skill.targets[0])
    poses = led_elsewhere.object2base.copy()
    poses[place, :, :2, 3] += 0.4
    gone = replace(led_elsewhere, object2base=poses)

    found = _view(virtual_scene, 'panda_wrist').check(gone)

    assert (found.reason, found.frame) == (Reason.OUT_OF_VIEW, skill.first)
    assert _view(virtual_scene, 'panda_wrist', visible_at=(skill.last,)).check(gone) is not None


def test_a_camera_on_the_wrist_may_be_asked_for_the_first_frame(virtual_scene):
    view = _view(virtual_scene, 'panda_wrist', visible_at='start', min_visible_share=1.0)
    assembler = Assembler.create(virtual_scene, LOOSE)
    sampler = Sampler.create(virtual_scene, LOOSE, 0)
    far = sampler.from_moves(0, {1: PlanarMove(-0.3, 0.5)})  # the plate, which it sees at first

    found = view.before(far, object_changes(virtual_scene, far.transforms))

    assert (found.reason, found.frame) == (Reason.OUT_OF_VIEW, 0)
    near = sampler.from_moves(0, {})
    assert view.before(near, object_changes(virtual_scene, near.transforms)) is None
    assert view.check(assembler.assemble(near)) is None
