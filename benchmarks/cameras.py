# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How well a demonstration is rendered for a camera that did not record it.

The virtual robot is recorded by one camera and parsed from one click per object. What is rendered
for another camera, of the recording itself and of variations of it, is compared with what that
camera really sees: the simulator draws it, with the robot at the episode's joints and the objects
moved from their true poses as the episode says.

Only pixels that the recording can know of count for depth, colour and overlap: those of the robot
and of objects, and those of the room that some frame of the source has seen. Figures at the top are
the worst of the pairs of cameras.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from benchmarks.parse import scene_of
from r2rgen_ros.generate.assemble import Assembler
from r2rgen_ros.generate.config import (
    GenerateConfig,
    MoveRange,
    OutputConfig,
    PerturbationConfig,
    SamplingConfig,
)
from r2rgen_ros.generate.deployed import DeployedComposer
from r2rgen_ros.generate.sampling import Sampler
from r2rgen_ros.geometry import se3
from r2rgen_ros.model.episode import Episode, Variation
from r2rgen_ros.model.scene import ENVIRONMENT, FIRST_OBJECT, ROBOT
from r2rgen_ros.parse.robot import robot_of
from r2rgen_ros.simulate import panda, record
from r2rgen_ros.simulate.cameras import camera_named
from r2rgen_ros.simulate.eye import Eye
from r2rgen_ros.simulate.ground_truth import GroundTruth
from r2rgen_ros.simulate.tasks import make_task
from r2rgen_ros.simulate.world import World

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from r2rgen_ros.model.deployment import MountedCamera
    from r2rgen_ros.model.scene import Scene

    Floats = NDArray[np.float64]

PAIRS = (
    ('external', 'panda_wrist'),
    ('external', 'panda_side'),
    ('panda_wrist', 'panda_wrist'),
    ('panda_wrist', 'external'),
)
EPISODES = 4
EVERY = 8
_SAME_M = 0.01
_LARGE_IS_GOOD = ('valid_iou', 'within_5_mm')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this benchmark."""
    parser.add_argument('--task', default='place-bottle', help='(default: %(default)s)')
    parser.add_argument('--seed', type=int, default=0, help='(default: %(default)s)')
    parser.add_argument(
        '--episodes', type=int, default=EPISODES, help='the recording and so many less one others'
    )
    parser.add_argument(
        '--pair', action='append', metavar='FROM,FOR', help='only these cameras; repeatable'
    )
    parser.add_argument('--pictures', type=Path, metavar='DIR', help='draw both, side by side')


def measure(
    task: str = 'place-bottle',
    seed: int = 0,
    episodes: int = EPISODES,
    pair: Sequence[str] | None = None,
    pictures: Path | None = None,
) -> dict[str, Any]:
    """Render and compare; return the figures."""
    pairs = [tuple(item.split(',')) for item in pair or []] or list(PAIRS)
    figures: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        scenes: dict[str, tuple[Scene, GroundTruth]] = {}
        for source, target in pairs:
            if source not in scenes:
                scenes[source] = parsed(task, seed, source, Path(folder) / source)
            name = f'{source}_for_{target}'
            drawn = None if pictures is None else pictures / f'{name}.png'
            mounted = camera_named(target)
            figures[name] = compare(*scenes[source], task, seed, mounted, episodes, drawn)
            print(name, figures[name], file=sys.stderr, flush=True)
    return {**_worst(list(figures.values())), 'pairs': figures}


def parsed(task: str, seed: int, camera: str, bag: Path) -> tuple[Scene, GroundTruth]:
    """Record a task with a camera, and parse it from one click per object, its skills given."""
    record.write(record.act(task, seed, camera=camera_named(camera)), bag)
    truth = GroundTruth.load(bag)
    return scene_of(bag, truth, seed), truth


def compare(
    scene: Scene,
    truth: GroundTruth,
    task: str,
    seed: int,
    target: MountedCamera,
    count: int,
    picture: Path | None,
) -> dict[str, Any]:
    """Render some episodes for a camera and compare them with what it really sees."""
    made = make_task(task, np.random.default_rng(np.random.SeedSequence([seed, 0])))
    world = World(made.things, camera=target)
    wide = MoveRange((-0.08, 0.08), (-0.08, 0.08), (-40.0, 40.0))
    config = GenerateConfig(
        sampling=SamplingConfig(ranges=wide),
        perturbation=PerturbationConfig(count=1),
        output=OutputConfig(labelled_points=False),
    )
    composer = DeployedComposer(scene, config, robot_of(scene.demo), target)
    seen = Seen(scene, truth)
    rows: list[NDArray[np.uint8]] = []
    errors, shades, overlaps, unseen = [], [], [], []
    with Eye(world) as eye:
        for episode in _episodes(scene, config, count):
            poses = true_poses(scene, truth, episode)
            for frame, sensed in enumerate(composer.frames(episode)):
                unseen.append(sensed.unseen)
                if frame % EVERY:
                    continue
                world.place(
                    simulated_joints(scene, episode, frame), {k: v[frame] for k, v in poses}
                )
                depth, colour, label = eye.depth(), eye.colour(), eye.labels()
                assert sensed.depth is not None
                assert sensed.colour is not None
                counts = seen.knows(depth, label, target, world.camera2base(), episode)
                have, want = (np.isfinite(x) & counts for x in (sensed.depth, depth))
                both = have & want
                errors.append(np.abs(sensed.depth - depth)[both])
                shades.append(np.abs(sensed.colour.astype(int) - colour).mean(axis=2)[both])
                overlaps.append(both.sum() / max(1, (have | want).sum()))
                if picture is not None and frame % (8 * EVERY) == 0 and len(rows) < 6:
                    rows.append(_side_by_side(sensed.depth, sensed.colour, depth, colour))
    if picture is not None:
        picture.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.concatenate(rows)).save(picture)
    error, shade = np.concatenate(errors), np.concatenate(shades)
    return {
        'depth_mm_median': _figure(1e3 * np.median(error)),
        'depth_mm_95': _figure(1e3 * np.percentile(error, 95)),
        'within_5_mm': _figure((error < 0.005).mean()),
        'valid_iou': _figure(np.mean(overlaps)),
        'colour_median': _figure(np.median(shade)),
        'unseen_share': _figure(np.mean([share for share in unseen if share is not None])),
    }


def _figure(value: Any) -> float:
    return round(float(value), 4)


def _worst(figures: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {
        key: (min if key in _LARGE_IS_GOOD else max)(figure[key] for figure in figures)
        for key in figures[0]
    }


def _episodes(scene: Scene, config: GenerateConfig, count: int) -> Iterator[Episode]:
    """The recording itself, then accepted variations."""
    assembler = Assembler.create(scene, config)
    skills = len(scene.annotation.skills)
    still = Variation(0, 0, (None,) * skills, np.tile(np.eye(4), (skills, 1, 1)))
    first = assembler.assemble(still, forced=True)
    assert isinstance(first, Episode), first
    yield first
    sampler, done = Sampler.create(scene, config, 0), 1
    for index in range(200):
        if done >= count:
            return
        variation = sampler.variation(index)
        episode = assembler.assemble(variation) if isinstance(variation, Variation) else variation
        if isinstance(episode, Episode):
            done += 1
            yield episode


def true_poses(scene: Scene, truth: GroundTruth, episode: Episode) -> list[tuple[str, Floats]]:
    """Names of the objects and their true poses (M, 4, 4), moved as the episode moves them."""
    source = episode.source_frames
    out = []
    for k, item in enumerate(scene.objects):
        moved = episode.object2base[k] @ se3.inverse(item.object2base[source])
        out.append((item.name, moved @ truth.object2base[truth.names.index(item.name)][source]))
    return out


def simulated_joints(scene: Scene, episode: Episode, frame: int) -> Floats:
    """Joints (9,) of an episode's frame, in the order of the simulator."""
    assert scene.demo.joints is not None
    assert episode.joints is not None
    names = scene.demo.joints.names
    return np.array([episode.joints[frame, names.index(name)] for name in panda.JOINTS])


class Seen:
    """What the source has seen of the room in any of its frames.

    Args:
        scene: The parsed source.
        truth: Its truth.

    """

    def __init__(self, scene: Scene, truth: GroundTruth) -> None:
        assert scene.demo.sensor is not None
        self._camera = scene.demo.sensor.camera
        # Every few frames of a camera that moves; one that stands sees the same each time.
        frames = range(0, len(scene.demo), 1 if scene.demo.sensor.is_static else 4)
        self._views = []
        for frame in frames:
            depth = scene.demo.frames[frame].depth
            assert depth is not None
            room = np.where(truth.labels[frame] == ENVIRONMENT, depth, np.nan)
            self._views.append((se3.inverse(scene.demo.sensor.camera2base[frame]), room))
        if scene.demo.sensor.is_static:
            deepest = np.fmax.reduce([room for _, room in self._views])
            self._views = [(self._views[0][0], deepest)]

    def knows(
        self,
        depth: NDArray[np.float32],
        label: NDArray[np.uint8],
        target: MountedCamera,
        camera2base: Floats,
        episode: Episode,
    ) -> NDArray[np.bool_]:
        """Pixels (H, W) of a true image that show robot, objects, or room that the source saw."""
        out = (label == ROBOT) | (label >= FIRST_OBJECT)
        index = np.flatnonzero((label == ENVIRONMENT) & np.isfinite(depth))
        points = target.camera.unproject(depth).reshape(-1, 3)[index]
        places = se3.apply(se3.inverse(episode.variation.base2base) @ camera2base, points)
        known = np.zeros(len(places), dtype=bool)
        for base2camera, room in self._views:
            u, v, z = self._camera.project(se3.apply(base2camera, places)).T
            with np.errstate(invalid='ignore'):
                inside = (u > -0.5) & (v > -0.5)
                inside &= (u < self._camera.width - 0.5) & (v < self._camera.height - 0.5)
            at = np.flatnonzero(inside)
            measured = room[np.rint(v[at]).astype(int), np.rint(u[at]).astype(int)]
            known[at[np.abs(measured - z[at]) < _SAME_M * np.maximum(1.0, z[at])]] = True
        out.reshape(-1)[index[known]] = True
        return np.asarray(out)


def _side_by_side(*images: Any) -> NDArray[np.uint8]:
    """Rendered and true colour and depth, and their difference, in one row."""
    depth, colour, true_depth, true_colour = images
    middle = np.nanmax(true_depth)

    def grey(values: Any, top: float) -> NDArray[np.uint8]:
        level = np.clip(255.0 * np.nan_to_num(values / top, nan=1.0), 0.0, 255.0).astype(np.uint8)
        return np.repeat(level[..., None], 3, axis=2)

    off = grey(np.abs(depth - true_depth), 0.02)
    return np.concatenate(
        [colour, true_colour, grey(depth, middle), grey(true_depth, middle), off], axis=1
    )
