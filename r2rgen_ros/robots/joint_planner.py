# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A way of the joints around obstacles, by the sampling-based planners of OMPL.

RRT-Connect (Kuffner and LaValle, ICRA 2000): two trees, one from each end, grow towards random
joint positions and towards each other. OMPL draws from generators whose seeds follow from one
global seed, which is set before every plan; it ends after so many iterations and never by the
clock. So a plan follows from its arguments alone.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from r2rgen_ros.model.errors import R2RGenError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_REACH_RAD = 0.6  # longest edge of the trees
_SHORTCUTS = 60
_SEEDS = 2**31 - 1


def load_ompl() -> Any:
    """Return the module `ompl`, whose messages are silenced.

    Raises:
        R2RGenError: It is absent, or of the time before version 2, whose bindings were others.

    """
    try:
        module = importlib.import_module('ompl')
        base = importlib.import_module('ompl.base')
        importlib.import_module('ompl.geometric')
        util = importlib.import_module('ompl.util')
    except ImportError as error:
        raise R2RGenError(
            f'the motion planner "sampled" needs OMPL, which cannot be imported ({error})',
            'the package ompl, version 2',
            'pip install ompl, or leave "sampled" out of motion.planners',
        ) from None
    if not hasattr(base, 'AllValidStateValidityChecker'):
        raise R2RGenError(
            'the bindings of OMPL that are installed are older than version 2',
            'the package ompl, version 2',
            'pip install "ompl>=2", or leave "sampled" out of motion.planners',
        )
    util.setLogLevel(util.LOG_NONE)
    return module


@dataclass(frozen=True)
class JointSpace:
    """Where joints may be.

    Attributes:
        low: (J,) lowest positions, rad or m, finite.
        high: (J,) highest positions.
        clear: Tells which of joint positions (N, J) are allowed, (N,).
        step: Largest change of a joint between positions that are looked at on an edge.

    """

    low: Floats
    high: Floats
    clear: Callable[[Floats], NDArray[np.bool_]]
    step: float

    def joins(self, one: Floats, other: Floats) -> bool:
        """Whether the straight way from an allowed position (J,) to another one is allowed."""
        count = max(1, int(np.ceil(np.abs(other - one).max() / self.step)))
        share = np.arange(1, count + 1) / count
        way = one + share[:, None] * (other - one)
        # What blocks an edge is mostly at its end or in its middle.
        first = np.unique([count - 1, count // 2])
        if not self.clear(way[first]).all():
            return False
        rest = np.delete(way, first, axis=0)
        return not len(rest) or bool(self.clear(rest).all())


def plan_joints(
    start: Floats, goal: Floats, space: JointSpace, seed: np.random.SeedSequence, iterations: int
) -> Floats | None:
    """Return a way of the joints, shortened; None where none was found.

    Args:
        start: (J,) an allowed position.
        goal: (J,) another one.
        space: What is allowed.
        seed: All that is drawn follows from it.
        iterations: How often the trees may grow.

    Returns:
        (P, J) corners of the way, the ends among them; straight lines between them are allowed.

    Raises:
        R2RGenError: OMPL is not installed.

    """
    rng = np.random.default_rng(seed)
    if space.joins(start, goal):
        return np.stack([start, goal])
    corners = _connected(start, goal, space, int(rng.integers(1, _SEEDS)), iterations)
    return None if corners is None else _shortened(corners, space, rng)


def _connected(
    start: Floats, goal: Floats, space: JointSpace, seed: int, iterations: int
) -> Floats | None:
    """Corners (P, J) of a way that RRT-Connect finds."""
    ompl = load_ompl()
    base, size = ompl.base, len(start)

    class Edges(base.MotionValidator):  # type: ignore[misc, name-defined]
        """Looks at all positions of an edge at once."""

        def checkMotion(self, one: Any, other: Any) -> bool:
            ends = np.array([one[0:size], other[0:size]])
            return space.joins(ends[0], ends[1])

    ompl.util.RNG.setSeed(seed)
    states = base.RealVectorStateSpace(size)
    bounds = base.RealVectorBounds(size)
    for joint in range(size):
        bounds.setLow(joint, float(space.low[joint]))
        bounds.setHigh(joint, float(space.high[joint]))
    states.setBounds(bounds)
    information = base.SpaceInformation(states)
    # Edges are looked at whole, so single states need not be.
    information.setStateValidityChecker(base.AllValidStateValidityChecker(information))
    information.setMotionValidator(Edges(information))
    information.setup()
    problem = base.ProblemDefinition(information)
    ends = [information.allocState(), information.allocState()]
    for state, values in zip(ends, (start, goal), strict=True):
        state[0:size] = values.tolist()
    problem.setStartAndGoalStates(*ends)
    planner = ompl.geometric.RRTConnect(information)
    planner.setProblemDefinition(problem)
    planner.setRange(_REACH_RAD)
    planner.setup()
    left = iter(range(iterations))
    planner.solve(base.PlannerTerminationCondition(lambda: next(left, None) is None))
    found = None
    if problem.hasExactSolution():
        path = problem.getSolutionPath().getStates()
        found = np.array([state[0:size] for state in path])
    return found


def _shortened(corners: Floats, space: JointSpace, rng: np.random.Generator) -> Floats:
    """Cut corners off a way (P, J) where the straight way is allowed too."""
    for _ in range(_SHORTCUTS):
        if len(corners) < 3:
            break
        lengths = np.linalg.norm(np.diff(corners, axis=0), axis=1)
        passed = np.concatenate([[0.0], np.cumsum(lengths)])
        one, other = np.sort(rng.uniform(0.0, passed[-1], 2))
        low = int(np.searchsorted(passed, one, side='right'))
        high = int(np.searchsorted(passed, other, side='left'))
        if low >= high:
            continue
        ends = np.stack([np.interp([one, other], passed, column) for column in corners.T], axis=1)
        saved = other - one - np.linalg.norm(ends[1] - ends[0])
        if saved > 1e-3 and space.joins(ends[0], ends[1]):
            corners = np.concatenate([corners[:low], ends, corners[high:]])
    return corners
