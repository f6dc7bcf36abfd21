# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Objects drawn from known triangles, fused, carved and completed: the truth is known exactly."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.spatial import cKDTree

from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.camera import PinholeCamera
from r2rgen_ros.geometry.raster import rasterise
from r2rgen_ros.model.annotation import SupportPlane
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.parse.carving import carve
from r2rgen_ros.parse.closing import Resting
from r2rgen_ros.parse.completion import (
    BACK,
    KINDS,
    MESH,
    SEEN,
    SYMMETRY,
    UNDERSIDE,
    complete,
    surroundings,
)
from r2rgen_ros.parse.fusion import View, fuse
from r2rgen_ros.parse.mesh_model import Mesh, complete_with_mesh, register_mesh, unit_of
from r2rgen_ros.parse.revolution import find_revolution
from r2rgen_ros.parse.symmetry import find_mirrors
from r2rgen_ros.robots.paint import Paint
from r2rgen_ros.simulate import objects
from r2rgen_ros.simulate.shapes import Mesh as Shape
from r2rgen_ros.simulate.shapes import bent_tube, revolve

CAMERA = PinholeCamera(320, 240, 300.0, 300.0, 159.5, 119.5)
GROWTH = 0.002
ON_TABLE = Resting(np.array([0.0, 0.0, 1.0]), 0.0)
UP = np.array([0.0, 0.0, 1.0])
FRAMES = 12


def block(x, y, z):
    """Triangles of a box that stands on z = 0."""
    corners = np.array([[i, j, k] for i in (-1, 1) for j in (-1, 1) for k in (0, 2)]) * [
        x / 2,
        y / 2,
        z / 2,
    ]
    sides = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = [(a, b, c) for a, b, c, _ in sides] + [(a, c, d) for a, _, c, d in sides]
    return Shape(corners, np.array(faces, dtype=np.int32))


def joined(*shapes):
    starts = np.cumsum([0, *(len(shape.vertices) for shape in shapes)])
    faces = [shape.faces + start for shape, start in zip(shapes, starts, strict=False)]
    return Shape(np.concatenate([shape.vertices for shape in shapes]), np.concatenate(faces))


def prism(sides, radius, height, turn=0.0):
    """Triangles of an upright prism that stands on z = 0."""
    angle = turn + np.arange(sides) * 2.0 * np.pi / sides
    ring = radius * np.column_stack([np.cos(angle), np.sin(angle)])
    levels = [np.column_stack([ring, np.full(sides, z)]) for z in (0.0, height)]
    faces = []
    for k in range(sides):
        after = (k + 1) % sides
        faces += [(k, after, sides + after), (k, sides + after, sides + k)]
        faces += [(2 * sides, after, k), (2 * sides + 1, sides + k, sides + after)]
    corners = np.concatenate([*levels, [[0.0, 0.0, 0.0], [0.0, 0.0, height]]])
    return Shape(corners, np.array(faces, dtype=np.int32))


# The handle stands out to the side of the camera, which looks along x and down.
HANDLE, _ = bent_tube((0.0, 0.0, 0.047), 0.021, 0.0042, (-1.45, 1.45))
SIDEWAYS = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
SHAPES = {
    'box': block(0.06, 0.09, 0.10),
    'bowl': next(iter(objects.bowl().looks))[0],
    'bottle': revolve(
        [(0, 0), (0.032, 0), (0.032, 0.11), (0.014, 0.145), (0.014, 0.18), (0, 0.18)]
    ),
    'mug': joined(
        objects.mug().looks[0][0],
        Shape((HANDLE.vertices + np.array([0.0305, 0, 0])) @ SIDEWAYS.T, HANDLE.faces),
    ),
    'cube': prism(4, 0.042, 0.06, 1.2),
    'nut': prism(6, 0.04, 0.06, 0.26),
    'sheet': block(0.12, 0.08, 0.004),
    'tile': block(0.12, 0.08, 0.008),
    'board': block(0.12, 0.08, 0.012),
    'coaster': prism(48, 0.06, 0.004),
    'puck': prism(48, 0.06, 0.012),
    'lump': joined(
        block(0.06, 0.06, 0.05),
        Shape(block(0.03, 0.02, 0.09).vertices @ SIDEWAYS + [0.01, 0.015, 0], block(1, 1, 1).faces),
    ),
}


def camera2base():
    eye, target = np.array([0.75, 0.1, 0.55]), np.array([0.0, 0.0, 0.05])
    forward = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross(forward, UP)
    right /= np.linalg.norm(right)
    return se3.compose(np.stack([right, np.cross(forward, right), forward], axis=1), eye)


def look(shape, rng, object2base=None, uncertain=None):
    """What a noisy camera sees of a shape on a table."""
    pose, place = camera2base(), np.eye(4) if object2base is None else object2base
    table = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], dtype=float)
    base2camera = se3.inverse(pose)
    behind, _ = rasterise(se3.apply(base2camera, table), [[0, 1, 2], [0, 2, 3]], CAMERA)
    depth, _ = rasterise(se3.apply(base2camera @ place, shape.vertices), shape.faces, CAMERA)
    with np.errstate(invalid='ignore'):
        inside = np.isfinite(depth) & ~(behind <= depth)
    depth = np.where(inside, depth, behind).astype(np.float64)
    depth += GROWTH * depth**2 * rng.standard_normal(depth.shape)
    colour = np.full((*depth.shape, 3), 90, dtype=np.uint8)
    colour[inside] = (200, 40, 30)
    return View(depth.astype(np.float32), CAMERA, pose, place, inside, uncertain, colour)


@cache
def observed(name):
    """Views of a shape at rest, what was seen, and the space around it."""
    rng = np.random.default_rng(7)
    views = [look(SHAPES[name], rng) for _ in range(FRAMES)]
    seen = fuse(views, GROWTH)
    return views, seen, surroundings(seen, views, GROWTH)


@cache
def true_surface(name):
    return Mesh(SHAPES[name].vertices, SHAPES[name].faces).sample(6000)[0]


def off(points, name):
    """Distances of points from the true surface."""
    return cKDTree(true_surface(name)).query(points)[0]


def missed(points, name):
    return cKDTree(points).query(true_surface(name))[0]


@pytest.mark.parametrize('name', ['box', 'bowl', 'bottle', 'mug'])
def test_a_thing_with_a_symmetry_becomes_whole(name):
    _, seen, space = observed(name)
    done = complete(seen, space, ON_TABLE)
    points = done.cloud.points
    assert np.mean(missed(points, name) < 0.005) >= 0.9
    assert np.mean(off(points, name) > 0.005) <= 0.03
    assert np.mean(missed(seen.points, name) < 0.005) < 0.8  # it was not before
    assert done.seen_share == pytest.approx(np.mean(done.kinds == SEEN))
    assert 0.2 < done.seen_share < 0.8


def test_more_frames_give_a_surface_with_less_noise():
    views, _, _ = observed('box')
    front = [
        np.median(np.abs(few.points[:, 2] - 0.10)[few.normals[:, 2] > 0.95])
        for few in (fuse(views[:1], GROWTH), fuse(views, GROWTH))
    ]
    assert front[1] < 0.6 * front[0]


def test_normals_point_out_of_the_surface():
    _, seen, _ = observed('box')
    outwards = seen.points - [0.0, 0.0, 0.05]
    assert np.mean((seen.normals * outwards).sum(axis=1) > 0.0) > 0.98


def test_colours_are_those_that_were_seen_also_on_what_was_not():
    _, seen, space = observed('bottle')
    done = complete(seen, space, ON_TABLE)
    assert (np.abs(done.cloud.colours.astype(int) - (200, 40, 30)) <= 1).all()


def test_flying_pixels_are_left_out():
    views, _, _ = observed('box')
    rng = np.random.default_rng(1)
    spoilt = []
    for view in views:
        depth, inside = view.depth.copy(), view.inside.copy()
        edge = inside & ~np.roll(inside, 1, axis=1)
        depth[edge] += rng.uniform(0.02, 0.15, edge.sum()).astype(np.float32)
        spoilt.append(View(depth, CAMERA, view.camera2base, view.object2base, inside))
    seen = fuse(spoilt, GROWTH)
    done = complete(seen, surroundings(seen, spoilt, GROWTH), ON_TABLE)
    assert np.mean(off(done.cloud.points, 'box') > 0.01) < 0.01


def test_a_table_point_in_the_mask_is_no_part_of_the_object():
    views, _, _ = observed('bottle')
    wide = [
        View(
            view.depth,
            CAMERA,
            view.camera2base,
            view.object2base,
            view.inside | np.roll(view.inside, 1, axis=0) | np.roll(view.inside, 1, axis=1),
        )
        for view in views
    ]
    seen = fuse(wide, GROWTH)
    done = complete(seen, surroundings(seen, wide, GROWTH), ON_TABLE)
    assert np.mean(off(done.cloud.points, 'bottle') > 0.005) < 0.05


def test_the_true_surface_is_not_free_and_the_space_beside_it_is():
    _, _, space = observed('bottle')
    assert space.free(true_surface('bottle')).mean() < 0.01
    in_front = np.array([[0.055, 0.0, 0.08], [0.0, 0.055, 0.08], [0.0, 0.0, 0.2]])
    assert space.free(in_front).all()
    hidden = np.array([[0.0, 0.0, 0.05], [-0.04, 0.0, 0.03]])
    assert not space.free(hidden).any()


def test_holes_and_uncertain_pixels_say_nothing():
    views, seen, _ = observed('box')
    view = views[0]
    blind = View(np.full_like(view.depth, np.nan), CAMERA, view.camera2base, np.eye(4), view.inside)
    low, high = seen.points.min(axis=0) - 0.03, seen.points.max(axis=0) + 0.03
    assert not carve([blind], low, high, GROWTH).weight.any()
    nothing = View(view.depth, CAMERA, view.camera2base, np.eye(4), view.inside & False,
                   np.ones_like(view.inside))  # fmt: skip
    near = carve([nothing], low, high, GROWTH)
    assert not (near.distance[near.weight > 0] < 0.004).any()


def test_the_axis_of_a_bottle_is_found():
    _, seen, space = observed('bottle')
    found = find_revolution(seen, space, UP)
    assert found is not None
    assert np.linalg.norm(found.point[:2]) < 0.001


@pytest.mark.parametrize('name', ['box', 'cube', 'nut', 'lump', 'sheet', 'tile', 'board'])
def test_what_has_edges_is_no_surface_of_revolution(name):
    _, seen, space = observed(name)
    assert find_revolution(seen, space, UP) is None


def test_the_mirrors_of_a_box_go_through_its_middle():
    _, seen, space = observed('box')
    mirrors = find_mirrors(seen, space, UP)
    assert len(mirrors) == 2
    assert all(abs(mirror.offset) < 0.002 for mirror in mirrors)
    assert sorted(abs(round(mirror.normal[0])) for mirror in mirrors) == [0, 1]


def test_a_handle_is_not_doubled():
    _, seen, space = observed('mug')
    done = complete(seen, space, ON_TABLE)
    other_side = done.cloud.points[:, 1] < -0.04
    assert (done.cloud.points[:, 1] > 0.04).sum() > 50
    assert other_side.mean() < 0.002
    assert 'surface of revolution' in done.how


def test_a_lump_without_symmetry_gets_little_false_surface():
    _, seen, space = observed('lump')
    done = complete(seen, space, ON_TABLE)
    assert np.mean(off(done.cloud.points, 'lump') > 0.006) < 0.08


def test_the_underside_is_closed_at_the_plane_only_where_it_rests():
    _, seen, space = observed('box')
    done = complete(seen, space, ON_TABLE, symmetric=False)
    below = done.cloud.points[done.kinds == UNDERSIDE]
    assert (below[:, 2] > -0.002).all()
    floor = np.stack(np.meshgrid(np.linspace(-0.02, 0.02, 9), np.linspace(-0.035, 0.035, 9)), -1)
    floor = np.column_stack([floor.reshape(-1, 2), np.zeros(81)])
    assert (cKDTree(done.cloud.points).query(floor)[0] < 0.005).mean() > 0.9
    lifted = complete(seen, space, Resting(UP, -0.05), symmetric=False)
    assert not (lifted.kinds == UNDERSIDE).any()


@pytest.mark.parametrize('name', ['sheet', 'tile', 'board', 'coaster', 'puck'])
@pytest.mark.parametrize('symmetric', [True, False])
def test_flat_things_are_closed_below_and_around(name, symmetric):
    _, seen, space = observed(name)

    done = complete(seen, space, ON_TABLE, symmetric=symmetric)

    truth, near = true_surface(name), missed(done.cloud.points, name) < 0.003
    under = truth[:, 2] < 1e-4
    side = ~under & (truth[:, 2] < truth[:, 2].max() - 1e-4)
    assert near[under].mean() > 0.95
    assert near[side].mean() > 0.9
    assert near[~under & ~side].mean() > 0.99
    assert np.mean(off(done.cloud.points, name) > 0.004) < 0.02
    assert ('surface of revolution' in done.how) == (symmetric and name in ('coaster', 'puck'))


def test_without_symmetry_hidden_walls_hang_from_the_top():
    _, seen, space = observed('box')
    done = complete(seen, space, ON_TABLE, symmetric=False)
    assert (done.kinds == BACK).any()
    assert np.mean(missed(done.cloud.points, 'box') < 0.005) >= 0.85
    assert np.mean(off(done.cloud.points, 'box') > 0.005) <= 0.03


def test_a_lying_bottle_is_completed_about_its_own_axis():
    rng = np.random.default_rng(3)
    lying = Shape(
        SHAPES['bottle'].vertices @ np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]).T
        + [0.0, 0.09, 0.032],
        SHAPES['bottle'].faces,
    )
    views = [look(lying, rng) for _ in range(FRAMES)]
    seen = fuse(views, GROWTH)
    done = complete(seen, surroundings(seen, views, GROWTH), ON_TABLE)
    truth = Mesh(lying.vertices, lying.faces).sample(6000)[0]
    assert 'surface of revolution' in done.how
    assert np.mean(cKDTree(done.cloud.points).query(truth)[0] < 0.005) > 0.85
    assert np.mean(cKDTree(truth).query(done.cloud.points)[0] > 0.005) < 0.05


def test_shadows_that_fall_on_a_surface_for_a_while_are_not_in_its_colours():
    rng = np.random.default_rng(0)
    views = []
    for k in range(10):
        view = look(SHAPES['box'], rng)
        colour = view.colour.copy()
        rows, columns = np.nonzero(view.inside)
        left = columns < np.median(columns)
        colour[rows[~left], columns[~left]] = (120, 24, 18)  # of its own: it always is so dark
        if k < 7:
            colour[rows[left], columns[left]] = (110, 22, 16)
        views.append(replace(view, colour=colour))

    seen = fuse(views, GROWTH)

    red = np.sort(seen.cloud.colours[:, 0])
    assert np.median(red[len(red) // 2 :]) == 200
    assert np.median(red[: len(red) // 2]) == 120
    assert ((red > 125) & (red < 195)).mean() < 0.15  # only beside the line between the two


def test_an_object_that_is_moved_is_fused_in_its_own_frame():
    rng = np.random.default_rng(5)
    views = [
        look(SHAPES['box'], rng, se3.compose(se3.rotation_about(UP, yaw), [0.02 * k, 0.05, 0.0]))
        for k, yaw in enumerate(np.linspace(0.0, np.pi, 8))
    ]
    seen = fuse(views, GROWTH)
    assert np.mean(missed(seen.points, 'box') < 0.005) > 0.75  # all sides but the underside
    assert np.mean(off(seen.points, 'box') > 0.005) < 0.02


def test_without_free_space_nothing_is_made_up():
    _, seen, _ = observed('box')
    done = complete(seen, None, ON_TABLE)
    assert np.array_equal(done.cloud.points, seen.cloud.points)
    assert done.seen_share == 1.0
    assert set(np.unique(done.kinds)) == {SEEN}


def test_nothing_seen_is_an_empty_cloud():
    views, _, _ = observed('box')
    none = View(views[0].depth, CAMERA, camera2base(), np.eye(4), views[0].inside & False)
    seen = fuse([none], GROWTH)
    assert not len(seen.cloud)
    assert not len(complete(seen, None, None).cloud)


def test_the_same_views_give_the_same_bytes():
    views, seen, space = observed('mug')
    again = fuse(views, GROWTH)
    assert again.cloud.points.tobytes() == seen.cloud.points.tobytes()
    one, two = (complete(again, surroundings(again, views, GROWTH), ON_TABLE) for _ in range(2))
    assert one.cloud.points.tobytes() == two.cloud.points.tobytes()
    assert complete(seen, space, ON_TABLE).kinds.tobytes() == one.kinds.tobytes()


def test_resting_is_the_plane_as_the_object_sees_it():
    support = SupportPlane(UP, 0.3, np.array([[0, 0, 0.3], [1, 0, 0.3], [0, 1, 0.3]], dtype=float))
    turn = se3.rotation_about([1.0, 0.0, 0.0], 0.4)
    pose = se3.compose(turn, [0.5, 0.2, 0.4])
    resting = Resting.on(support, pose)
    point = np.array([[0.1, -0.2, 0.05]])
    assert resting.heights(point) == pytest.approx(support.height(se3.apply(pose, point)))
    assert Resting.on(support, pose, 0.02).heights(point) == pytest.approx(
        resting.heights(point) - 0.02
    )
    flat = np.array([[0.1, 0.2]])
    assert resting.heights(resting.lift(flat, np.array([0.07]))) == pytest.approx(0.07)


@pytest.mark.parametrize('name', ['box', 'mug', 'lump'])
@pytest.mark.parametrize('stands', [True, False])
def test_a_mesh_in_any_pose_and_unit_is_found(name, stands):
    _, seen, space = observed(name)
    turn = se3.rotation_about(np.array([0.6, 0.0, 0.8]), 2.0)
    vertices = 1000.0 * (SHAPES[name].vertices @ turn.T) + [300.0, -20.0, 5.0]
    fit = register_mesh(Mesh(vertices, SHAPES[name].faces), seen, space,
                        ON_TABLE if stands else None)  # fmt: skip
    assert fit.unit == 'millimetres'
    assert fit.is_trusted
    assert fit.residual < 0.0015
    done = complete_with_mesh(fit, seen)
    assert np.mean(missed(done.cloud.points, name) < 0.005) > 0.97
    assert np.mean(off(done.cloud.points, name) > 0.005) < 0.03
    assert {KINDS[kind] for kind in np.unique(done.kinds)} == {'seen', 'mesh'}


def test_colours_that_were_seen_win_over_those_of_the_mesh():
    _, seen, _ = observed('box')
    shape = SHAPES['box']
    blue = Paint.of_corners(np.tile(np.uint8([10, 20, 200]), (len(shape.faces), 3, 1)))
    for paint, wanted in ((blue, (10, 20, 200)), (None, (200, 40, 30))):
        fit = register_mesh(Mesh(shape.vertices, shape.faces, paint), seen, None, ON_TABLE)
        done = complete_with_mesh(fit, seen)
        shown, was_seen = done.cloud.colours.astype(int), done.kinds == SEEN
        assert (np.abs(shown[was_seen] - (200, 40, 30)) <= 1).all()
        assert (np.abs(shown[~was_seen] - wanted) <= 1).all()


def test_the_mesh_of_another_thing_is_not_trusted():
    _, seen, space = observed('bottle')
    shape = SHAPES['bowl']
    assert not register_mesh(Mesh(shape.vertices, shape.faces), seen, space, ON_TABLE).is_trusted


def test_a_mesh_of_another_size_is_refused():
    _, seen, _ = observed('box')
    shape = SHAPES['box']
    assert unit_of(Mesh(shape.vertices, shape.faces), seen) == 'metres'
    with pytest.raises(R2RGenError, match='units across'):
        unit_of(Mesh(shape.vertices * 2e5, shape.faces), seen)


@pytest.mark.parametrize(
    ('name', 'how'), [('red_mug', 'surface of revolution'), ('cheezit', 'mirror plane')]
)
def test_one_real_view_of_a_thing_is_completed_within_the_unseen(data_dir, name, how):
    with np.load(next((data_dir / 'tabletop_realsense').glob(f'*{name}*.npz'))) as file:
        depth, K, points, colour = (file[k] for k in ('depth_m', 'K', 'object_points', 'rgb'))
    camera = PinholeCamera(*depth.shape[::-1], K[0, 0], K[1, 1], K[0, 2], K[1, 2])
    pixels = np.rint(camera.project(points)[:, :2]).astype(int)
    inside = np.zeros(depth.shape, dtype=bool)
    inside[pixels[:, 1], pixels[:, 0]] = True
    depth = np.where(depth > 0.0, depth, np.nan).astype(np.float32)
    view = View(depth, camera, np.eye(4), np.eye(4), inside, None, colour)
    table = camera.unproject(depth)[np.isfinite(depth) & ~inside]
    middle, normal = table.mean(axis=0), np.array([0.0, 0.0, -1.0])
    for width in (0.5, 0.1, 0.03, 0.01, 0.006, 0.006):
        near = table[np.abs((table - middle) @ normal) < width]
        middle = np.median(near, axis=0)
        normal = np.linalg.svd((near - middle)[::20], full_matrices=False)[2][2]
    normal *= -np.sign(normal @ middle)
    seen = fuse([view], 0.0018)
    space = surroundings(seen, [view], 0.0018)
    done = complete(seen, space, Resting(normal, float(normal @ middle)))
    assert how in done.how
    assert len(done.cloud) > 1.5 * len(seen.cloud)
    assert not space.free(done.cloud.points.astype(np.float64)).any()


def test_kinds_have_names():
    assert [KINDS[k] for k in (SEEN, UNDERSIDE, SYMMETRY, BACK, MESH)] == list(KINDS)
