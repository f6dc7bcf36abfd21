# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From a configuration, a seed and an index to a Variation."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.generate.drives import base_place
from r2rgen_ros.generate.groups import GroupStep, backtrack
from r2rgen_ros.generate.prior import Prior, bounds_of, moves_in
from r2rgen_ros.generate.synchrony import require_arms
from r2rgen_ros.geometry import se3
from r2rgen_ros.model.episode import PlanarMove, Reason, Rejection, Variation
from r2rgen_ros.model.errors import R2RGenError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from r2rgen_ros.generate.config import DockingConfig, GenerateConfig, MoveRange
    from r2rgen_ros.model.annotation import SupportPlane
    from r2rgen_ros.model.scene import Scene

_CONFIGURATION, _PERTURBATION, _DOCKING = 0, 1, 2
_SAME = 1e-9
_REDRAWS = 200  # for one configuration, before one that cannot work is tried all the same


def move_transform(
    support: SupportPlane, centre: NDArray[np.float64], move: PlanarMove
) -> NDArray[np.float64]:
    """Turn about a point around the support normal, then translate in the plane.

    Args:
        support: The support plane; gives the normal and the in-plane axes.
        centre: (3,) point that the turn leaves in place, base frame, metres.
        move: The move.

    Returns:
        (4, 4) to be multiplied from the left; exactly the identity for an identity move.

    """
    if move.is_identity:
        return np.eye(4)
    shift = np.array([move.x, move.y]) @ support.axes
    return se3.about_point(se3.rotation_about(support.normal, move.yaw), centre, shift)


def skill_centre(scene: Scene, index: int) -> NDArray[np.float64]:
    """Point that a skill's group turns about, base frame (3,), metres.

    For a pick it is the object's own centroid before it is lifted; for a skill that brings
    something in hand, the mean of the centres that the group has when the skill ends.
    """
    skill = scene.annotation.skills[index]
    frame = skill.last if skill.in_hand else skill.first
    places = [scene.annotation.index(name) for name in sorted(skill.group)]
    if not places:
        arm = next(arm for arm in scene.demo.arms if arm.name == skill.arm)
        return np.array(arm.ee2base[frame, :3, 3])
    centres = [scene.objects[place].object2base[frame, :3, 3] for place in places]
    return np.asarray(np.mean(centres, axis=0))


@dataclass(frozen=True)
class Sampler:
    """Makes the Variation of any index, on any machine, in any order.

    Attributes:
        scene: The parsed demonstration.
        config: Ranges, grid or given moves.
        seed: Seed of the dataset.
        steps: What backtracking decided, last skill first.
        centres: (S, 3) points that the skills turn about.

    """

    scene: Scene
    config: GenerateConfig
    seed: int
    steps: tuple[GroupStep, ...]
    centres: NDArray[np.float64]

    @classmethod
    def create(cls, scene: Scene, config: GenerateConfig, seed: int) -> Sampler:
        """Work out groups and centres once.

        Raises:
            R2RGenError: There are no skills, or the configuration names unknown ones.

        """
        skills = scene.annotation.skills
        if not skills:
            raise R2RGenError(
                'the annotation has no skills', 'at least one', 'run "r2rgen annotate" first'
            )
        require_arms(scene.demo, skills)
        names = [skill.name for skill in skills]
        asked = set(config.sampling.skills).union(*config.sampling.given, ())
        unknown = sorted(asked - set(names))
        if unknown:
            raise R2RGenError(
                f'the configuration names unknown skills {unknown}', f'some of {names}'
            )
        steps = backtrack(skills)
        inheriting = {names[step.skill] for step in steps if not step.samples}
        wrong = sorted(asked & inheriting)
        if wrong:
            free = [names[step.skill] for step in steps if step.samples]
            raise R2RGenError(
                f'the configuration moves {wrong}, which inherit from later skills',
                f'moves for some of {sorted(free)}',
            )
        if config.sampling.base_frame:  # says where there is no such odometry
            _frame_heading(scene, config.sampling.base_frame)
        centres = np.array([skill_centre(scene, i) for i in range(len(skills))])
        return cls(scene, config, seed, steps, centres)

    @property
    def free_skills(self) -> tuple[int, ...]:
        """Indices of the skills that are sampled, in order of time."""
        return tuple(sorted(step.skill for step in self.steps if step.samples))

    @property
    def configurations(self) -> int | None:
        """How many configurations there are; None where there is no end to them."""
        sampling, bounds = self.config.sampling, self._bounds.values()
        if any(sampling.base.is_wide):
            return None
        if sampling.mode == 'given':
            return len(sampling.given)
        if sampling.mode == 'grid':
            return math.prod(math.prod(self._cells(bound)) for bound in bounds)
        return None if any(any(bound.is_wide) for bound in bounds) else 1

    def repeats(self, attempts: int) -> str:
        """A note for a person where there are more attempts than configurations; else empty."""
        count, small = self.configurations, self.config.perturbation
        if count is None or attempts <= count * small.count:
            return ''
        again = (
            f'the mode "{self.config.sampling.mode}" gives no new configurations from attempt'
            f' {count * small.count + 1} on'
        )
        differ = small.count > 1 and max(small.translation_m, small.yaw_deg) > 0.0
        if differ or not self.config.sampling.docking.is_off:
            return f'{again}: the same ones are perturbed in other ways'
        return (
            f'{again}, and without perturbations the episodes repeat: ask for fewer, or set some'
            ' perturbations'
        )

    def variation(self, index: int) -> Variation | Rejection:
        """Return the Variation of an attempt, or why it is inconsistent."""
        count = self.config.perturbation.count
        moves, base = self._configuration(index // count)
        if count > 1:
            moves = self._perturbed(index, moves)
        docking = docking_error(self._generator(index, _DOCKING), self.config.sampling.docking)
        found = self.from_moves(index, moves, base.then(_turned(docking, self._ahead)))
        return found if isinstance(found, Rejection) else replace(found, docking=docking)

    def from_moves(
        self, index: int, moves: dict[int, PlanarMove], base: PlanarMove | None = None
    ) -> Variation | Rejection:
        """Resolve moves of the free skills into a transform per skill.

        Args:
            index: Number of the attempt.
            moves: Move per free skill; those left out stay.
            base: Move of the robot's base.

        """
        base = base or PlanarMove()
        support, skills = self.scene.support, self.scene.annotation.skills
        own = tuple(
            moves.get(step.skill, PlanarMove()) if step.samples else None
            for step in reversed(self.steps)
        )
        transforms = np.tile(np.eye(4), (len(skills), 1, 1))
        for step in self.steps:
            move = own[step.skill]
            if move is not None:
                transforms[step.skill] = move_transform(support, self.centres[step.skill], move)
                continue
            assert step.inherits is not None
            transforms[step.skill] = transforms[step.inherits]
            for other in step.conflict:
                gap = float(np.abs(transforms[other] - transforms[step.inherits]).max())
                if gap > _SAME:
                    return Rejection(
                        index,
                        Reason.INCONSISTENT,
                        f'"{skills[step.skill].name}" would inherit from both '
                        f'"{skills[step.inherits].name}" and "{skills[other].name}"',
                        skills[step.skill].first,
                        gap,
                        moves=own,
                    )
        # The base frame goes with the base: what stays in the world moves the other way.
        base2base = se3.inverse(move_transform(support, base_place(self.scene)[:3, 3], base))
        if base.is_identity:
            base2base = np.eye(4)
        return Variation(index, self.seed, own, transforms, base, base2base)

    def _of_base(self, move: PlanarMove) -> PlanarMove:
        """Turn a move along the axes of the frame that is asked for into one along the base's."""
        return _turned(move, self._heading)

    @cached_property
    def _heading(self) -> float:
        """Yaw of the axes that the base moves along, seen from the base frame, radians."""
        frame = self.config.sampling.base_frame
        return _frame_heading(self.scene, frame) if frame else self._ahead

    @cached_property
    def _ahead(self) -> float:
        """Yaw of the base where its moves are told from, seen from the base frame, radians."""
        if self.scene.demo.drive is None:
            return 0.0
        return self.scene.support.yaw(base_place(self.scene)[:3, 0])

    def _generator(self, index: int, purpose: int) -> np.random.Generator:
        sequence = np.random.SeedSequence([self.seed, index], spawn_key=(purpose,))
        return np.random.default_rng(sequence)

    def _configuration(self, number: int) -> tuple[dict[int, PlanarMove], PlanarMove]:
        sampling = self.config.sampling
        rng = self._generator(number, _CONFIGURATION)
        base = self._of_base(_uniform(rng, sampling.base))
        names = [skill.name for skill in self.scene.annotation.skills]
        if sampling.mode == 'given':
            chosen = sampling.given[number % len(sampling.given)]
            return {names.index(name): move for name, move in chosen.items()}, base
        bounds = self._bounds
        if sampling.mode == 'grid':
            return self._grid_moves(number, bounds), base
        moves = {i: _uniform(rng, bound) for i, bound in bounds.items()}
        for _ in range(_REDRAWS if sampling.learn else 0):
            if self._may_work(moves, base):
                break
            base = self._of_base(_uniform(rng, sampling.base))
            moves = {i: _uniform(rng, bound) for i, bound in bounds.items()}
        return moves, base

    def reach(self, skill: int) -> NDArray[np.float64] | None:
        """Share (X, Y) of the turns with which the arm reaches each cell of a skill's range.

        None where that was not learnt: other modes than ranges, a base that moves, no kinematics.
        """
        sampling = self.config.sampling
        if sampling.mode != 'ranges' or not sampling.learn or any(sampling.base.is_wide):
            return None
        found = self._prior.maps.get(skill)
        return None if found is None else np.asarray(found.cells.mean(axis=2))

    def _may_work(self, moves: dict[int, PlanarMove], base: PlanarMove) -> bool:
        """Whether something may come of moves, as far as is known before they are worked out."""
        variation = self.from_moves(0, moves, base)
        return not isinstance(variation, Rejection) and self._prior.allows(variation)

    @cached_property
    def _prior(self) -> Prior:
        """What was learnt of the plane and the arm; only drawing needs it."""
        support, base = self.scene.support, self.config.sampling.base
        place = base_place(self.scene)[:3, 3]
        bases = [
            se3.inverse(move_transform(support, place, self._of_base(PlanarMove(*move))))
            for move in moves_in(base)
        ]
        bounds = {}
        for i, bound in self._bounds.items():
            moves = [
                move_transform(support, self.centres[i], PlanarMove(*move))
                for move in moves_in(bound)
            ]
            low, high = np.subtract(bound.yaw_deg, base.yaw_deg[::-1])
            yaws = float(np.deg2rad(low)), float(np.deg2rad(high))
            both = [base2base @ move for base2base in bases for move in moves]
            bounds[i] = bounds_of(support, self.centres[i], both, yaws)
        return Prior.learn(self.scene, self.config, self.steps, self.centres, bounds)

    @property
    def _bounds(self) -> dict[int, MoveRange]:
        """The range of each free skill, in order of time."""
        sampling, skills = self.config.sampling, self.scene.annotation.skills
        return {i: sampling.skills.get(skills[i].name, sampling.ranges) for i in self.free_skills}

    def _grid_moves(self, number: int, bounds: dict[int, MoveRange]) -> dict[int, PlanarMove]:
        """Every combination of cells in turn; the first free skill varies fastest."""
        moves = {}
        for i, bound in bounds.items():
            shares = []
            for size in self._cells(bound):
                number, cell = divmod(number, size)
                shares.append((cell + 0.5) / size)
            moves[i] = _at(bound, shares[0], shares[1], shares[2])
        return moves

    def _cells(self, bound: MoveRange) -> list[int]:
        """Numbers of cells along x, y and yaw; a range without width has one."""
        sizes = zip(self.config.sampling.grid, bound.is_wide, strict=True)
        return [size if is_wide else 1 for size, is_wide in sizes]

    def _perturbed(self, index: int, moves: dict[int, PlanarMove]) -> dict[int, PlanarMove]:
        small = self.config.perturbation
        rng = self._generator(index, _PERTURBATION)
        reach = np.array([small.translation_m, small.translation_m, np.deg2rad(small.yaw_deg)])
        out = {}
        for i in sorted(moves):
            dx, dy, dyaw = rng.uniform(-reach, reach)
            move = moves[i]
            out[i] = PlanarMove(move.x + dx, move.y + dy, move.yaw + dyaw)
        return out


def _turned(move: PlanarMove, yaw: float) -> PlanarMove:
    """A move along axes of some yaw (radians), along those that it is seen from."""
    if yaw == 0.0:
        return move
    cos, sin = np.cos(yaw), np.sin(yaw)
    x, y = float(cos * move.x - sin * move.y), float(sin * move.x + cos * move.y)
    return PlanarMove(x, y, move.yaw)


def _frame_heading(scene: Scene, frame: str) -> float:
    """Yaw of a frame that the base is in, seen from the base frame at the start, radians.

    Raises:
        R2RGenError: The recording has no odometry in that frame.

    """
    paths = {path.frame: path.base2frame for path in scene.demo.base_paths}
    if frame not in paths:
        has = f'has odometry in {sorted(paths)} only' if paths else 'is of a base without odometry'
        raise R2RGenError(
            f'the base is to move in "{frame}", but "{scene.demo.name}" {has}',
            f'a transform from "{frame}" to "{scene.demo.base_frame}" in /tf, or nav_msgs/Odometry,'
            ' all along, and cameras that ride on the base',
            'record the odometry, or leave out sampling.base_frame',
        )
    if scene.demo.drive is not None and frame == scene.demo.drive.frame:
        return 0.0  # the base frame is that frame
    return scene.support.yaw(paths[frame][0][:3, :3].T[:, 0])  # its x, seen by the base


def docking_error(rng: np.random.Generator, config: DockingConfig) -> PlanarMove:
    """Draw how far from where it should the base stands, seen from where it should.

    Normal errors are drawn again until they are no larger than allowed, each for itself: with half
    of that as standard deviation 1 in 22 is.
    """
    if config.is_off:
        return PlanarMove()
    if config.shape == 'uniform':
        x, y, yaw = rng.uniform(-1.0, 1.0, 3)
    else:
        x, y, yaw = (_cut_normal(rng) for _ in range(3))
    far = config.position_m
    return PlanarMove(far * x, far * y, np.deg2rad(config.yaw_deg) * yaw)


def _cut_normal(rng: np.random.Generator) -> float:
    """Draw from a normal distribution of standard deviation 0.5, cut off at -1 and 1."""
    while abs(value := 0.5 * rng.standard_normal()) > 1.0:
        pass
    return float(value)


def _at(bound: MoveRange, x: float, y: float, yaw: float) -> PlanarMove:
    """Return the move at shares 0 to 1 of a range."""
    return PlanarMove(
        bound.x_m[0] + x * (bound.x_m[1] - bound.x_m[0]),
        bound.y_m[0] + y * (bound.y_m[1] - bound.y_m[0]),
        np.deg2rad(bound.yaw_deg[0] + yaw * (bound.yaw_deg[1] - bound.yaw_deg[0])),
    )


def _uniform(rng: np.random.Generator, bound: MoveRange) -> PlanarMove:
    x, y, yaw = rng.random(3)
    return _at(bound, x, y, yaw)
