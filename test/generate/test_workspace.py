# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A box that hands and objects must stay in, as wide as the source itself went."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from r2rgen_ros.generate.assemble import Assembler
from r2rgen_ros.generate.config import FeasibilityConfig, GenerateConfig, Workspace
from r2rgen_ros.generate.sampling import Sampler
from r2rgen_ros.generate.workspace import WorkspaceCheck
from r2rgen_ros.model.episode import Episode, PlanarMove, Reason
from r2rgen_ros.model.errors import R2RGenError

TINY = Workspace((0.0, 1e-3), (0.0, 1e-3), (0.0, 1e-3))


def _assemble(scene, workspace, moves, base=None):
    config = GenerateConfig(
        feasibility=FeasibilityConfig(
            collisions=False, min_visible_share=0.0, min_shown_share=0.0, workspace=workspace
        )
    )
    variation = Sampler.create(scene, config, 0).from_moves(0, moves, base)
    return Assembler.create(scene, config).assemble(variation)


def test_without_bounds_there_is_nothing_to_check(virtual_scene):
    assert WorkspaceCheck.create(virtual_scene, Workspace()) is None


def test_the_source_stays_in_any_workspace_for_it_was_there(virtual_scene):
    assert isinstance(_assemble(virtual_scene, TINY, {}), Episode)


@pytest.mark.parametrize('aside', [-0.04, 0.04])
def test_an_object_that_would_lie_outside_is_rejected_by_how_far(virtual_scene, aside):
    y = [
        float(place)
        for item in virtual_scene.objects
        for place in item.object2base[:, 1, 3]
    ]  # fmt: skip
    hand = virtual_scene.demo.arms[0].ee2base[:, 1, 3]
    low, high = min(*y, hand.min()), max(*y, hand.max())
    box = Workspace(y_m=(low - 0.01, high + 0.01))
    index = 1 if (aside > 0) == (y[-1] > y[0]) else 0  # the skill at that side

    found = _assemble(virtual_scene, box, {index: PlanarMove(0.0, aside)})

    assert found.reason is Reason.OUT_OF_WORKSPACE
    assert 'would leave the workspace by' in found.detail
    assert 0.0 < found.amount <= 0.04


def test_a_hand_that_would_leave_the_box_is_named_with_its_frame(virtual_scene):
    free = _assemble(virtual_scene, Workspace(), {0: PlanarMove(0.06, 0.0)})
    assert isinstance(free, Episode)
    name = virtual_scene.demo.arms[0].name
    own = virtual_scene.demo.arms[0].ee2base[:, 0, 3].max()
    new = free.ee2base[name][:, 0, 3].max()
    assert new > own
    check = WorkspaceCheck.create(virtual_scene, Workspace(x_m=(-1.0, own)))
    anywhere = np.tile([[[-9.0] * 3, [9.0] * 3]], (len(check.objects), 1, 1))
    check = replace(check, objects=anywhere)

    found = check.check(free)

    assert found.detail.startswith(f'the hand of "{name}"')
    assert found.amount == pytest.approx(new - own)
    assert own < free.ee2base[name][np.abs(free.source - found.frame).argmin(), 0, 3] + 1e-6


def test_a_box_that_is_inside_out_is_refused():
    with pytest.raises(R2RGenError, match='workspace runs from'):
        Workspace(z_m=(0.5, 0.1))
