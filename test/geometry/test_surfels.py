# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest

from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.camera import PinholeCamera
from r2rgen_ros.geometry.cloud import Cloud
from r2rgen_ros.geometry.surfels import NOTHING, Placed, SurfelImage, Surfels

FAR = PinholeCamera(160, 120, 150.0, 150.0, 79.5, 59.5)
NEAR = PinholeCamera(120, 80, 110.0, 100.0, 50.5, 42.5)


def plane(camera, camera2world, normal, offset):
    """Depth (H, W) of the plane normal . x = offset."""
    rays = camera.rays() @ camera2world[:3, :3].T
    return (offset - camera2world[:3, 3] @ normal) / (rays @ normal)


def look(place, tilt):
    c, s = np.cos(tilt), np.sin(tilt)
    return se3.compose(np.array([[1, 0, 0], [0, c, -s], [0, s, c]]), place)


def seen(camera, camera2world, normal, offset, noise=0.0):
    depth = plane(camera, camera2world, normal, offset)
    rng = np.random.default_rng(0)
    points = camera.unproject(depth + noise * rng.standard_normal(depth.shape)).reshape(-1, 3)
    return Cloud.from_arrays(se3.apply(camera2world, points))


@pytest.mark.parametrize('tilt', [0.0, 0.5, -0.9])
@pytest.mark.parametrize('nearer', [0.2, 0.6, 0.75])
def test_a_wall_seen_from_nearer_and_askance_has_no_gaps_and_its_true_depth(nearer, tilt):
    normal = np.array([0.0, 0.0, 1.0])
    wall = Surfels.of(seen(FAR, np.eye(4), normal, 1.0), planar=24)
    there = look([0.02, -0.03 + 0.2 * tilt, nearer - 0.1 * abs(tilt)], tilt)

    depth, _, label = SurfelImage(NEAR).draw([Placed(wall, se3.inverse(there), 3)])

    true = plane(NEAR, there, normal, 1.0)
    pixels = FAR.project(se3.apply(there, NEAR.unproject(true)))
    inside = (pixels[..., 0] > 2) & (pixels[..., 0] < 157)
    inside &= (pixels[..., 1] > 2) & (pixels[..., 1] < 117) & (true > 0)
    assert inside.sum() > 500
    assert (label[inside] == 3).all()
    assert np.abs(depth - true)[inside].max() < 1e-4


def test_planes_through_neighbours_take_away_noise():
    normal = np.array([0.0, 0.0, 1.0])
    cloud = seen(FAR, np.eye(4), normal, 1.0, noise=0.002)
    rough, smooth = (Surfels.of(cloud, planar=count) for count in (0, 32))

    spread = [float(np.std(each.points[:, 2])) for each in (rough, smooth)]

    assert spread[0] == pytest.approx(0.002, rel=0.1)
    assert spread[1] < 0.4 * spread[0]


def test_what_nobody_saw_is_a_hole_and_what_is_near_hides_what_is_far():
    normal = np.array([0.0, 0.0, 1.0])
    wall = Surfels.of(seen(FAR, np.eye(4), normal, 1.0))
    board = Surfels.of(
        seen(PinholeCamera(40, 30, 150.0, 150.0, 19.5, 14.5), np.eye(4), normal, 0.6)
    )
    aside = se3.compose(np.eye(3), [0.4, 0.0, 0.0])

    image = SurfelImage(FAR)
    for layers in ([(wall, 0), (board, 2)], [(board, 2), (wall, 0)]):
        depth, colour, label = image.draw(
            [Placed(discs, se3.inverse(aside), name) for discs, name in layers]
        )

        # 0.4 m aside, the wall ends 60 pixels further left, and the board at 100.
        assert (label[:, 102:] == NOTHING).all()
        assert np.isnan(depth[:, 102:]).all()
        assert not colour[:, 102:].any()
        assert (label[5:-5, 30:97] == 0).all()
        assert (label[50:70, 2:] != 2).all()
        alone = image.draw_depth(
            [Placed(discs, se3.inverse(aside), name) for discs, name in layers]
        )
        assert np.array_equal(alone, depth, equal_nan=True)
    depth, _, label = image.draw([Placed(wall, np.eye(4), 0), Placed(board, np.eye(4), 2)])
    assert (label[50:70, 65:95] == 2).all()
    assert depth[50:70, 65:95] == pytest.approx(0.6, abs=1e-4)


def test_colours_mix_only_within_a_surface():
    normal = np.array([0.0, 0.0, 1.0])
    red = seen(FAR, np.eye(4), normal, 1.0)
    red = Cloud(red.points, np.tile(np.uint8([200, 0, 0]), (len(red), 1)))
    blue = seen(FAR, np.eye(4), normal, 1.002)
    blue = Cloud(blue.points, np.tile(np.uint8([0, 0, 200]), (len(blue), 1)))

    _, colour, label = SurfelImage(FAR).draw(
        [Placed(Surfels.of(blue), np.eye(4), 2), Placed(Surfels.of(red), np.eye(4), 0)]
    )

    assert (label == 0).all()
    assert (colour == [200, 0, 0]).all()


def test_no_and_few_points_are_drawn_as_they_are():
    few = Surfels.of(Cloud.from_arrays([[0.0, 0.0, 1.0]]), most=0.02)
    nothing = Surfels.of(Cloud.empty())

    depth, _, label = SurfelImage(FAR).draw(
        [Placed(few, np.eye(4), 1), Placed(nothing, np.eye(4), 2)]
    )

    assert set(np.unique(label)) == {1, NOTHING}
    assert np.nanmin(depth) == pytest.approx(1.0)
