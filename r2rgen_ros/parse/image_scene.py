# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Parse a demonstration of depth images: follow, fuse and complete objects, label pixels."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.cloud import Cloud
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.model.scene import IN_HAND, PUSHED, RELEASED, UNTOUCHED, SceneObject
from r2rgen_ros.parse.ahead import ahead
from r2rgen_ros.parse.background import Background, complete_behind
from r2rgen_ros.parse.beyond import with_what_lies_beyond
from r2rgen_ros.parse.closing import Resting
from r2rgen_ros.parse.completion import Completed, surroundings
from r2rgen_ros.parse.following import ObjectPath, follow
from r2rgen_ros.parse.fusion import Seen, View, fuse
from r2rgen_ros.parse.labelling import Labeller, drawing
from r2rgen_ros.parse.looks import Looks
from r2rgen_ros.parse.registration import Surface
from r2rgen_ros.parse.room import Room
from r2rgen_ros.parse.sources import complete_object, tracked_paths
from r2rgen_ros.parse.steps import Steps
from r2rgen_ros.parse.views import (
    moving_seed_views,
    object_views,
    open_frame,
    seed_views,
    telling_frames,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from r2rgen_ros.model.annotation import Annotation, ObjectNote
    from r2rgen_ros.parse.ground import Ground
    from r2rgen_ros.parse.snapshot import Snapshot

    Floats = NDArray[np.float64]

_SAME_M = 0.01
_FEWEST = 30
_LEAST_NOISE = 1e-4
_LOW_M = 0.004
_HIGH_M = 0.02
_MOST = 0.5
_CARRIED_FRAMES = 60
_RADIUS_M = 0.0025
_THREADS = 2
_FIRST_PASS, _SECOND_PASS = 0.4, 0.8  # share of the time after which each ends, about


class ImageParser:
    """Turns depth images and what a person said of them into objects and labels.

    Args:
        ground: The survey of the demonstration.
        annotation: Objects, skills and sources.
        folder: Folder that the paths of meshes are relative to.
        snapshots: Per object, the frame of its prompt.
        chosen: Per object, indices of its points in that.
        held: Per object, (T,) arm that holds it, -1 for none.
        progress: Called with the number of frames done.

    """

    def __init__(
        self,
        ground: Ground,
        annotation: Annotation,
        folder: Path,
        snapshots: Sequence[Snapshot],
        chosen: Sequence[NDArray[np.int64]],
        held: Sequence[NDArray[np.int8]],
        progress: Callable[[int], None] | None,
    ) -> None:
        assert ground.background is not None
        self.ground, self.annotation, self.held = ground, annotation, held
        self._notes = annotation.objects
        self._folder = folder
        self._remarks: list[str] = []
        self._steps = Steps(progress, len(ground.demo))
        pairs = list(zip(snapshots, chosen, strict=True))
        self._pixels = [snapshot.index[places] for snapshot, places in pairs]
        self._starts = [
            se3.compose(np.eye(3), snapshot.points[places].mean(axis=0))
            for snapshot, places in pairs
        ]
        self._seeds = [snapshot.points[places] for snapshot, places in pairs]
        self._asked: list[list[int]] = [[] for _ in pairs]
        self.behind: Background | Room
        if isinstance(ground.background, Room):
            self._look_beyond()
            self.behind = ground.background.without(self._seeds, ground.support)
        else:
            self.behind = complete_behind(
                ground.demo, ground.background, self._covered(), ground.support
            )
        self.looks = Looks(ground, self.behind)

    def _look_beyond(self) -> None:
        """Take what was clicked at the rim of an image for the whole that other frames show."""
        frames = [note.prompt.frame for note in self._notes]
        found = with_what_lies_beyond(self.ground, frames, self._pixels, self._seeds, self.held)
        for k, (seed, asked) in enumerate(found):
            if asked:
                self._seeds[k], self._asked[k] = seed, asked
                middle = 0.5 * (seed.min(axis=0) + seed.max(axis=0))
                self._starts[k] = se3.compose(np.eye(3), middle)

    @property
    def _growth(self) -> float:
        """Standard deviation of the depth at 1 m; quantisation alone leaves some."""
        return max(self.behind.noise, _LEAST_NOISE)

    def _covered(self) -> NDArray[np.bool_]:
        """Pixels (H, W) whose background is an object that never moved away, or the robot."""
        background = self.ground.background
        assert isinstance(background, Background)
        out = np.zeros(background.depth.shape, dtype=bool)
        for note, index in zip(self._notes, self._pixels, strict=True):
            depth = self.ground.demo.frames[note.prompt.frame].depth
            assert depth is not None
            gap = np.abs(background.depth.reshape(-1)[index] - depth.reshape(-1)[index])
            out.reshape(-1)[index[gap < _SAME_M]] = True
        if background.hidden is not None:
            out |= background.hidden
        return out

    def parse(
        self,
    ) -> tuple[list[SceneObject], list[NDArray[np.uint8]], Background | Room, list[str]]:
        """Return the objects, the labels of every frame, the environment, and warnings."""
        seeds = [fuse(self._seed_views(k), self._growth) for k in range(len(self._notes))]
        self._check(seeds)
        surfaces = [Surface.of(seen) for seen in seeds]
        paths = self._follow(surfaces, self._steps.part(0.0, _FIRST_PASS))
        self._uncover(surfaces, paths)
        views = self._views(surfaces, paths)
        seen = self._fused(seeds, views)
        if any((path.carrier >= 0).any() or path.has_moved.any() for path in paths):
            surfaces = [Surface.of(each) for each in seen]
            paths = self._follow(surfaces, self._steps.part(_FIRST_PASS, _SECOND_PASS))
            views = self._views(surfaces, paths)
            seen = self._fused(seeds, views)
        completed = self._all_completed(seen, views, paths)
        labels, environment, strangers = self._labelled(completed, paths)
        objects = [
            SceneObject(
                note.name, done.cloud, path.poses, held, path.residual,
                _states(path, held), path.is_trusted, done.seen_share,
            )
            for note, done, path, held in zip(
                self._notes, completed, paths, self.held, strict=True
            )
        ]  # fmt: skip
        return objects, labels, environment, self._warnings(objects, paths, strangers)

    def _seed_views(self, k: int) -> list[View]:
        """Views of an object about the frame of its prompt."""
        frame, pose, held = self._notes[k].prompt.frame, self._starts[k], self.held[k]
        if isinstance(self.behind, Room):
            asked = self._asked[k]
            found = moving_seed_views(self.looks, frame, self._seeds, k, pose, held, asked)
            if found:
                return found
        return seed_views(self.looks, frame, self._pixels[k], pose, held)

    def _check(self, seeds: Sequence[Seen]) -> None:
        for note, seen in zip(self._notes, seeds, strict=True):
            if len(seen.cloud) < _FEWEST:
                raise R2RGenError(
                    f'"{note.name}" is hardly seen in frame {note.prompt.frame}: depth says '
                    f'little of it ({len(seen.cloud)} points)',
                    'an object whose surface the camera measures',
                    'choose a frame in which it is seen well; see-through and shiny things have '
                    'no depth: cover or paint them',
                )

    def _follow(
        self, surfaces: Sequence[Surface], tell: Callable[[float], None]
    ) -> list[ObjectPath]:
        demo = self.ground.demo
        assert demo.sensor is not None
        named = self.annotation.sources.tracker
        if named is not None:
            clouds = [Cloud.from_arrays(surface.points) for surface in surfaces]
            return tracked_paths(demo, self._notes, clouds, self._starts, named)
        return follow(
            surfaces,
            self._starts,
            [note.prompt.frame for note in self._notes],
            self.held,
            [arm.ee2base for arm in demo.arms],
            self.looks,
            demo.sensor.camera,
            self.behind.noise,
            self.ground.support,
            tell,
        )

    def _uncover(self, surfaces: Sequence[Surface], paths: Sequence[ObjectPath]) -> None:
        """Take carried objects out of the environment.

        Where the robot was in the way nearly always, an object that was carried past is the
        farthest that was ever seen; where an object is set down over the place that it was taken
        from, it is itself.
        """
        background, sensor = self.ground.background, self.ground.demo.sensor
        assert sensor is not None
        if isinstance(background, Room):
            self._clear(background, [surface.points for surface in surfaces], paths)
            return
        assert background is not None
        points = se3.apply(
            sensor.camera2base[0], sensor.camera.unproject(background.depth).reshape(-1, 3)
        )
        height = self.ground.support.height(points).reshape(background.depth.shape)
        # A low floor of what was set down is near to the table: it has to fit better.
        limit = np.where(height > _HIGH_M, _SAME_M, _LOW_M)
        found = np.zeros(height.shape, dtype=bool)
        for path, surface in zip(paths, surfaces, strict=True):
            for frame in _telling_poses(path):
                at = [path.poses[frame]]
                drawn = drawing(sensor, frame, [surface.points], at, _RADIUS_M)
                with np.errstate(invalid='ignore'):
                    same = np.abs(drawn.depth - background.depth) < limit
                    found |= (height > _LOW_M) & same
        found = _with_rests(found, height)
        if found.any():
            covered = self._covered() | found
            self.behind = complete_behind(
                self.ground.demo, background, covered, self.ground.support
            )
            self.looks = Looks(self.ground, self.behind)

    def _clear(self, room: Room, clouds: Sequence[Floats], paths: Sequence[ObjectPath]) -> None:
        """Take objects, given by their points, out of a room, wherever they were."""
        things = list(self._seeds)
        for path, cloud in zip(paths, clouds, strict=True):
            few = path.poses[:: max(1, len(path.poses) // _CARRIED_FRAMES)]
            things.append(np.concatenate([se3.apply(pose, cloud) for pose in few]))
        self.behind = room.without(things, self.ground.support)
        self.looks = Looks(self.ground, self.behind)

    def _views(self, surfaces: Sequence[Surface], paths: Sequence[ObjectPath]) -> list[list[View]]:
        """Per object, the views that tell most of it."""
        in_hand = self.ground.view is not None
        wanted: dict[int, list[int]] = {}
        for k, (path, held) in enumerate(zip(paths, self.held, strict=True)):
            for frame in telling_frames(path, held, in_hand=in_hand):
                wanted.setdefault(frame, []).append(k)
        out: list[list[View]] = [[] for _ in paths]
        frames = sorted(wanted)
        opened = ahead(lambda frame: open_frame(self.looks, frame), frames)
        for frame, ready in zip(frames, opened, strict=True):
            poses = [path.poses[frame] for path in paths]
            views = object_views(self.looks, frame, surfaces, poses, wanted[frame], ready)
            for k, view in views.items():
                out[k].append(view)
        return out

    def _fused(self, seeds: Sequence[Seen], views: Sequence[Sequence[View]]) -> list[Seen]:
        out = []
        for seed, own in zip(seeds, views, strict=True):
            seen = fuse(own, self._growth) if own else seed
            out.append(seen if len(seen.cloud) >= len(seed.cloud) // 2 else seed)
        return out

    def _all_completed(
        self, seen: Sequence[Seen], views: Sequence[Sequence[View]], paths: Sequence[ObjectPath]
    ) -> list[Completed]:
        with ThreadPoolExecutor(_THREADS) as pool:
            found = list(pool.map(self._completed, self._notes, seen, views, paths))
        self._remarks += [remark for _, remark in found if remark]
        return [done for done, _ in found]

    def _completed(
        self, note: ObjectNote, seen: Seen, views: Sequence[View], path: ObjectPath
    ) -> tuple[Completed, str]:
        still = np.flatnonzero((path.carrier < 0) & path.is_trusted)
        resting = None
        if still.size and np.isfinite(self.ground.support.residual):
            pose = path.poses[still[0]]
            heights = self.ground.support.height(se3.apply(pose, seen.points))
            lift = float(np.quantile(heights, 0.01))
            if lift < _SAME_M + 4.0 * seen.noise:
                resting = Resting.on(self.ground.support, pose)
        space = surroundings(seen, list(views), self._growth) if views else None
        return complete_object(note, self._folder, seen, space, resting)

    def _labelled(
        self, completed: Sequence[Completed], paths: Sequence[ObjectPath]
    ) -> tuple[list[NDArray[np.uint8]], Background | Room, list[int]]:
        clouds = [done.cloud.points.astype(np.float64) for done in completed]
        if isinstance(self.ground.background, Room):
            self._clear(self.ground.background, clouds, paths)
        labeller = Labeller(self.looks, clouds)
        labels = []
        poses = [[path.poses[frame] for path in paths] for frame in range(len(self.ground.demo))]
        labelled = self._steps.part(_SECOND_PASS, 1.0)
        for image in labeller.label_all(poses):
            labels.append(image)
            labelled(len(labels) / len(poses))
        if isinstance(self.behind, Room):
            return labels, self.behind, labeller.strangers
        measured = labeller.environment()
        depth = np.where(np.isfinite(measured), measured, self.behind.depth)
        behind = Background(depth.astype(np.float32), self.behind.colour, self.behind.noise)
        return labels, behind, labeller.strangers

    def _warnings(
        self,
        objects: Sequence[SceneObject],
        paths: Sequence[ObjectPath],
        strangers: Sequence[int],
    ) -> list[str]:
        out = list(self._remarks)
        for item, path, held in zip(objects, paths, self.held, strict=True):
            doubtful = spans(np.flatnonzero(~path.is_trusted), least=2)
            if doubtful:
                out.append(
                    f'the pose of "{item.name}" cannot be trusted in frames {doubtful}: what the '
                    'camera sees does not agree with it'
                )
            claimed, carried = held >= 0, _carried(path, held)
            alone = spans(np.flatnonzero(claimed & ~carried), least=3)
            if alone:
                out.append(
                    f'"{item.name}" is said to be in the hand in frames {alone}, but does not '
                    'move with it'
                )
            taken = spans(np.flatnonzero(carried & ~claimed), least=3)
            if taken:
                out.append(f'"{item.name}" moves with the hand in frames {taken}: is it held?')
            pushed = spans(np.flatnonzero(path.has_moved & ~claimed & ~carried), least=2)
            if pushed:
                out.append(f'"{item.name}" moves in no hand in frames {pushed}')
        foreign = spans(np.array(strangers, dtype=np.int64), least=2)
        if foreign:
            out.append(
                f'something moves in frames {foreign} that is neither robot nor object: a person, '
                'or an object that is not annotated'
            )
        return out


def environment_cloud(ground: Ground, behind: Background | Room) -> Cloud:
    """Return the environment as a cloud in the base frame."""
    if isinstance(behind, Room):
        return behind.cloud
    sensor = ground.demo.sensor
    assert sensor is not None
    known = np.isfinite(behind.depth)
    points = sensor.camera.unproject(behind.depth)[known]
    return Cloud.from_arrays(se3.apply(sensor.camera2base[0], points), behind.colour[known])


def spans(frames: NDArray[np.int64], least: int = 1) -> str:
    """Write frames (N,) as ranges such as '3-7, 12-14', leaving out runs shorter than `least`."""
    runs = []
    for _, group in groupby(enumerate(np.unique(frames).tolist()), lambda pair: pair[1] - pair[0]):
        run = [frame for _, frame in group]
        if len(run) >= least:
            runs.append(str(run[0]) if len(run) == 1 else f'{run[0]}-{run[-1]}')
    return ', '.join(runs)


def _with_rests(found: NDArray[np.bool_], height: Floats) -> NDArray[np.bool_]:
    """Add (H, W) the rest of what stands above the support, where most of it was found."""
    with np.errstate(invalid='ignore'):
        part, count = ndimage.label(height > _LOW_M)
    shares = ndimage.mean(found, part, np.arange(count + 1))
    shares[0] = 0.0
    return np.asarray(found | (shares > _MOST)[part])


def _telling_poses(path: ObjectPath) -> list[int]:
    """Frames of some poses in which an object was carried, and of those in which it rested."""
    carried = np.flatnonzero(path.carrier >= 0)
    few = carried[:: max(1, len(carried) // _CARRIED_FRAMES)].tolist()
    ends = np.flatnonzero(np.diff(path.carrier >= 0)).tolist()
    return sorted({*few, *ends, len(path.carrier) - 1} if few else set())


def _carried(path: ObjectPath, held: NDArray[np.int8]) -> NDArray[np.bool_]:
    """Frames (T,) in which a hand carries an object, the first and last of a grasp with them."""
    moved = path.carrier >= 0
    beside = moved.copy()
    beside[1:] |= moved[:-1]
    beside[:-1] |= moved[1:]
    return np.asarray(moved | (beside & (held >= 0)))


def _states(path: ObjectPath, held: NDArray[np.int8]) -> NDArray[np.uint8]:
    """State (T,) of an object per frame."""
    carried = _carried(path, held)
    by_itself = path.has_moved & ~carried
    after = np.maximum.accumulate(carried | by_itself)
    out = np.where(after, RELEASED, UNTOUCHED)
    out[by_itself] = PUSHED
    out[carried] = IN_HAND
    return out.astype(np.uint8)
