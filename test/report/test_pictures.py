# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures show what they are of, in the colours that stand for it, the same bytes every time."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from r2rgen_ros.generate.assemble import Assembler
from r2rgen_ros.generate.config import GenerateConfig
from r2rgen_ros.generate.sampling import Sampler
from r2rgen_ros.model.annotation import Annotation, ObjectNote, Prompt, Skill
from r2rgen_ros.model.episode import Episode, PlanarMove, Reason
from r2rgen_ros.report import style
from r2rgen_ros.report.annotation import draw_annotation
from r2rgen_ros.report.coverage import CELLS, UNREACHED, SkillMoves, as_rows, draw_coverage
from r2rgen_ros.report.filmstrips import COLUMNS, Strip, caption, draw_filmstrip, moments
from r2rgen_ros.report.paths import HandPath, draw_paths, skills_of, source_paths
from r2rgen_ros.report.placements import draw_placements
from r2rgen_ros.report.plans import footprint, on_page
from r2rgen_ros.report.rejections import draw_rejections

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from r2rgen_ros.model.scene import Scene


def _pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert('RGB')).astype(int)


def _ink(path: Path, colour: str) -> int:
    """How many pixels have exactly a colour."""
    wanted = np.rint(np.array(to_rgb(colour)) * 255).astype(int)
    return int((np.abs(_pixels(path) - wanted).max(axis=-1) <= 2).sum())


def _drawn(path: Path) -> float:
    """Share of a picture that is neither paper nor table."""
    pixels = _pixels(path)
    ground = np.rint(np.array([to_rgb(c) for c in (style.PAPER, style.TABLE)]) * 255)
    return float((np.abs(pixels[:, :, None] - ground).max(axis=-1) > 3).all(axis=-1).mean())


@pytest.fixture(scope='module')
def episodes(scene: Scene) -> list[Episode]:
    config = GenerateConfig()
    sampler, assembler = Sampler.create(scene, config, 3), Assembler.create(scene, config)
    found = [assembler.assemble(sampler.variation(index)) for index in range(24)]
    return [item for item in found if isinstance(item, Episode)]


def test_annotation_shows_skills_and_objects_in_their_colours(scene: Scene, tmp_path: Path):
    path = draw_annotation(scene, tmp_path / 'annotation.png')
    for place in range(2):
        assert _ink(path, style.skill_colour(place)) > 500
        assert _ink(path, style.object_colour(place)) > 200
    assert _ink(path, style.object_colour(3)) == 0


def test_longer_skill_has_a_longer_bar(scene: Scene, tmp_path: Path):
    path = draw_annotation(scene, tmp_path / 'annotation.png')
    pick, put = scene.annotation.skills
    ratio = _ink(path, style.skill_colour(1)) / _ink(path, style.skill_colour(0))
    wanted = (put.last - put.first + 1) / (pick.last - pick.first + 1)
    assert ratio == pytest.approx(wanted, rel=0.15)


def test_annotation_without_skills_is_drawn(scene: Scene, tmp_path: Path):
    from dataclasses import replace

    bare = replace(scene, annotation=replace(scene.annotation, skills=(), notes=()))
    assert _ink(draw_annotation(bare, tmp_path / 'bare.png'), style.object_colour(0)) > 100


def test_same_input_gives_the_same_picture(scene: Scene, tmp_path: Path):
    first, second = (draw_annotation(scene, tmp_path / name) for name in ('a.png', 'b.png'))
    assert first.read_bytes() == second.read_bytes()


def test_plan_has_x_up_and_y_to_the_left(scene: Scene):
    # The horizontal axis is inverted, so what has the larger y stands further left.
    place = on_page(scene.support, np.array([0.3, -0.1, 0.0]))
    np.testing.assert_allclose(place, [-10.0, 30.0])


def test_footprint_moves_with_the_change(scene: Scene):
    item = scene.objects[0]
    shift = np.eye(4)
    shift[0, 3] = 0.05
    before = footprint(scene.support, item, np.eye(4), 0)
    after = footprint(scene.support, item, shift, 0)
    np.testing.assert_allclose(after - before, np.tile([0.0, 5.0], (len(before), 1)), atol=1e-6)


def test_placements_and_paths_are_drawn_with_and_without_episodes(
    scene: Scene, episodes: list[Episode], tmp_path: Path
):
    transforms = [episode.variation.transforms for episode in episodes]
    hands = [HandPath(e.ee2base['arm'][:, :3, 3], e.skill) for e in episodes]
    full = draw_placements(scene, transforms, tmp_path / 'full.png')
    empty = draw_placements(scene, [], tmp_path / 'empty.png')
    assert _drawn(full) > 1.5 * _drawn(empty)
    full = draw_paths(scene, hands, tmp_path / 'paths.png')
    empty = draw_paths(scene, [], tmp_path / 'none.png')
    assert _drawn(full) > 1.1 * _drawn(empty)


def test_arms_are_at_skills_of_their_own_at_the_same_time():
    said = Annotation(
        (ObjectNote('a', Prompt(0, pixel=(1, 1))),),
        (Skill('one', 2, 5, ('a',), arm='left'), Skill('two', 3, 6, ('a',), arm='right')),
    )
    frames = np.arange(8, dtype=float)
    assert skills_of(said, 'left', frames).tolist() == [-1, -1, 0, 0, 0, 0, -1, -1]
    assert skills_of(said, 'right', frames).tolist() == [-1, -1, -1, 1, 1, 1, 1, -1]
    assert skills_of(said, 'right', np.array([2.9, 3.0, 6.0, 6.1])).tolist() == [-1, 1, 1, -1]


def test_source_path_knows_its_skills(scene: Scene):
    (path,) = source_paths(scene)
    first = scene.annotation.skills[0]
    assert path.skill[first.first - 1] == -1
    assert set(path.skill[first.first : first.last + 1]) == {0}


def test_coverage_counts_the_cells_that_accepted_moves_reach(tmp_path: Path):
    low, high = np.array([-0.1, -0.1, -1.0]), np.array([0.1, 0.1, 1.0])
    centres = (np.arange(CELLS) + 0.5) / CELLS * 0.2 - 0.1
    every = as_rows([PlanarMove(x, y) for x in centres for y in centres])
    none = np.zeros((0, 3))
    assert SkillMoves('all', low, high, every, none).cells_reached == CELLS * CELLS
    assert SkillMoves('one', low, high, every[:1], every).cells_reached == 1
    assert SkillMoves('none', low, high, none, every).cells_reached == 0
    line = SkillMoves('line', low * [1, 0, 0], high * [1, 0, 0], every[::CELLS], none)
    assert (line.cells_reached, line.cells) == (CELLS, CELLS)
    path = draw_coverage([SkillMoves('all', low, high, every, every[:3])], tmp_path / 'c.png')
    assert _ink(path, style.ACCEPTED) > 100
    assert _ink(draw_coverage([], tmp_path / 'nothing.png'), style.ACCEPTED) > 0  # its legend


def test_coverage_shades_what_the_arm_does_not_reach(tmp_path: Path):
    high, nothing = np.array([0.2, 0.2, 1.0]), np.zeros((0, 3))
    half = np.ones((8, 8))
    half[:4] = 0.0

    def shaded(name: str, reach: NDArray[np.float64] | None) -> int:
        moves = SkillMoves(name, -high, high, nothing, nothing, reach=reach)
        return _ink(draw_coverage([moves], tmp_path / f'{name}.png'), UNREACHED)

    none, part, all_of_it = (
        shaded('reached', np.ones((8, 8))), shaded('half', half), shaded('none', np.zeros((8, 8)))
    )  # fmt: skip
    assert shaded('unknown', None) <= none
    assert none + 2000 < part
    assert part + 2000 < all_of_it
    # Twice the cells, twice the shade: the legend is in all three.
    assert (all_of_it - none) / (part - none) == pytest.approx(2.0, rel=0.05)


def test_coverage_counts_given_moves_that_gave_an_episode_however_they_were_perturbed(
    tmp_path: Path,
):
    given = as_rows([PlanarMove(0.1, 0.0), PlanarMove(0.0, 0.1, 0.5), PlanarMove()])
    spread = np.array([0.01, 0.01, 0.1])
    accepted = given[[0, 0, 1]] + [[0.009, -0.009, 0.09], [0.0, 0.0, 0.0], [0.0, 0.0, 0.11]]
    ends = given.min(axis=0), given.max(axis=0)

    moves = SkillMoves('pick cup', *ends, accepted, given[2:], spread, None, given)

    assert moves.summary == '1 of 3 given moves accepted'
    path = draw_coverage([moves], tmp_path / 'given.png')
    assert _ink(path, style.TABLE) == 0  # there is no range
    assert _ink(path, style.ACCEPTED) > 100


@pytest.mark.parametrize('along', [0, 1])
def test_coverage_of_a_narrow_range_is_drawn_as_large_as_that_of_a_square(
    tmp_path: Path, along: int
):
    def picture(name: str, high: list[float]) -> Path:
        shares = np.random.default_rng(0).uniform(-1.0, 1.0, (30, 3))
        moves = SkillMoves(name, -np.array(high), np.array(high), shares * high, np.zeros((0, 3)))
        return draw_coverage([moves], tmp_path / f'{name}.png')

    narrow = [0.3, 0.3, 0.0]
    narrow[along] = 0.01
    square = picture('square', [0.3, 0.3, 0.0])

    # The range has a colour of its own, and the yaw, which is not moved, takes none of it.
    assert _ink(picture('narrow', narrow), style.TABLE) > 0.8 * _ink(square, style.TABLE)


def test_rejections_are_drawn_also_when_nothing_was_accepted(tmp_path: Path):
    counts = Counter({Reason.OVERLAP: 30, Reason.OFF_SUPPORT: 10})
    path = draw_rejections(0, counts, tmp_path / 'zero.png')
    assert _ink(path, style.ACCEPTED) == 0
    assert _ink(path, style.REJECTED) > 1000
    assert draw_rejections(0, {}, tmp_path / 'nothing.png').is_file()


def test_moments_begin_and_end_with_the_demonstration(scene: Scene):
    frames = moments(scene.annotation, len(scene.demo))
    assert frames[0] == 0
    assert frames[-1] == len(scene.demo) - 1
    assert frames == sorted(set(frames))
    assert len(frames) <= COLUMNS
    count = len(scene.demo)
    assert caption(scene.annotation, 10, count) == 'pick block'
    assert caption(scene.annotation, 15, count) == 'motion'
    assert caption(scene.annotation, 0, count) == 'beginning'
    assert caption(scene.annotation, count - 1, count) == 'end'


def test_filmstrip_has_a_row_per_episode(scene: Scene, tmp_path: Path):
    strip = Strip('episode 0', scene.demo, np.arange(len(scene.demo), dtype=float))
    one = draw_filmstrip(scene.annotation, scene.demo, [strip], tmp_path / 'one.png')
    three = draw_filmstrip(scene.annotation, scene.demo, [strip] * 3, tmp_path / 'three.png')
    assert 1.6 < Image.open(three).height / Image.open(one).height < 2.1


def test_strip_finds_the_frame_that_replays_a_moment(scene: Scene):
    strip = Strip('slow', scene.demo, np.linspace(0.0, 14.5, len(scene.demo)))
    assert strip.nearest(0) == 0
    assert strip.source[strip.nearest(7)] == pytest.approx(7.0, abs=0.3)
