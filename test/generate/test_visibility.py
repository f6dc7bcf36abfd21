# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the camera must see at chosen moments; what the source showed less of may show as little."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from r2rgen_ros.generate.assemble import Assembler
from r2rgen_ros.generate.config import FeasibilityConfig, GenerateConfig
from r2rgen_ros.generate.sampling import Sampler
from r2rgen_ros.generate.visibility import ViewCheck, moments_of
from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.cloud import Cloud
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
    return ViewCheck.create(scene, FeasibilityConfig(**asked)).check(episode)


def _between_camera_and(scene, place, pose, share=0.7):
    """Points of a small wall on the way from the camera to an object at a pose."""
    camera2base = scene.demo.sensor.camera2base[0]
    middle = se3.apply(pose, scene.objects[place].cloud.points).mean(axis=0)
    eye = camera2base[:3, 3]
    across, down = camera2base[:3, 0], camera2base[:3, 1]
    wide, high = np.arange(-0.04, 0.04, 0.002), np.arange(-0.12, 0.12, 0.002)
    u, v = (grid.reshape(-1, 1) for grid in np.meshgrid(wide, high))
    return eye + share * (middle - eye) + u * across + v * down


def _with_environment(scene, points):
    cloud = scene.environment
    grey = np.full((len(points), 3), 128, dtype=np.uint8)
    more = Cloud.from_arrays(
        np.concatenate([cloud.points, points]), np.concatenate([cloud.colours, grey])
    )
    return replace(scene, environment=more)


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


def test_what_stands_before_an_object_where_it_is_moved_to_hides_it(virtual_scene):
    (name,) = virtual_scene.annotation.skills[0].targets
    place = [item.name for item in virtual_scene.objects].index(name)
    episode = _episode(virtual_scene, {0: PlanarMove(0.03, -0.1)})
    pose = episode.object2base[place, 0]
    wall = _between_camera_and(virtual_scene, place, pose)

    free = _check(virtual_scene, episode, visible_at='start')
    hidden = _check(_with_environment(virtual_scene, wall), episode, visible_at='start')

    assert free is None
    assert (hidden.reason, hidden.frame) == (Reason.OUT_OF_VIEW, 0)
    assert f'"{name}" would be hidden' in hidden.detail
    assert 0.0 < hidden.amount <= 0.3


def test_a_share_of_nothing_asks_for_nothing(virtual_scene):
    asked = FeasibilityConfig(min_visible_share=0.0, min_shown_share=0.0)
    assert ViewCheck.create(virtual_scene, asked) is None


def test_what_was_hidden_in_the_source_may_stay_hidden(virtual_scene):
    wall = _between_camera_and(virtual_scene, 0, virtual_scene.objects[0].object2base[0])
    behind = _with_environment(virtual_scene, wall)
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
