# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A demonstration that a person is annotating, step by step."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from r2rgen_ros.bags.load import demo_of
from r2rgen_ros.bags.source import read_source
from r2rgen_ros.bags.transforms import frame_name
from r2rgen_ros.geometry import se3
from r2rgen_ros.model.annotation import Sources
from r2rgen_ros.model.annotation_file import as_written, dump_annotation, located, read_annotation
from r2rgen_ros.model.annotation_folder import masked_objects, save_annotation
from r2rgen_ros.model.errors import R2RGenError, check_finite, check_range, require
from r2rgen_ros.model.scene import FIRST_OBJECT
from r2rgen_ros.parse.cache import cached_scene, files_state, keep_scene
from r2rgen_ros.parse.draft import Draft, Removal, with_skill, without_skill
from r2rgen_ros.parse.prompts import select
from r2rgen_ros.parse.propose import propose
from r2rgen_ros.parse.scene import Ground, build_scene, survey
from r2rgen_ros.parse.sources import with_urdf

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

    from r2rgen_ros.bags.source import Source
    from r2rgen_ros.bags.streams import StreamSelection
    from r2rgen_ros.model.annotation import Annotation, ObjectNote, Prompt, Skill
    from r2rgen_ros.model.demo import Frame, Frames
    from r2rgen_ros.model.scene import Scene
    from r2rgen_ros.parse.cache import FilesState
    from r2rgen_ros.parse.prompts import Candidates

_SAME_SHARE = 0.5
"""An object that shares more of its points with another one is that other one."""
_SAME_PLACE_M, _SAME_PLACE_PX = 0.025, 12.0
"""Clicks so near each other part nothing: a person who points twice at one thing."""


def _go_on() -> None:
    """Never stop."""


def _nothing() -> R2RGenError:
    return R2RGenError(
        'nothing is annotated yet', 'objects', 'click on them, or have them proposed'
    )


def _beside(note: ObjectNote, clicks: Sequence[ObjectNote]) -> frozenset[ObjectNote]:
    """The other clicks of a click's frame."""
    frame = note.prompt.frame
    return frozenset(each for each in clicks if each != note and each.prompt.frame == frame)


def _is_same_place(one: Prompt, other: Prompt) -> bool:
    """Whether two clicks are so near each other that they mean one thing."""
    if one.point is not None and other.point is not None:
        return float(np.linalg.norm(np.subtract(one.point, other.point))) <= _SAME_PLACE_M
    if one.pixel is not None and other.pixel is not None:
        return float(np.linalg.norm(np.subtract(one.pixel, other.pixel))) <= _SAME_PLACE_PX
    return False


class _WatchedFrames:
    """Frames that ask before each read whether to go on, so that long work can be stopped."""

    def __init__(self, frames: Frames, check: Callable[[], None]) -> None:
        self._frames = frames
        self._check = check

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, index: int, /) -> Frame:
        self._check()
        return self._frames[index]


class Workbench:
    """A demonstration, what a person has said of it so far, and the scene that follows.

    The annotation begins as the one in the demonstration's folder, else as a proposal. Clicks on
    objects make a new proposal; skills that a person set or removed are kept through it. It is
    not for several threads at once.

    Args:
        path: The bag, or a folder of one.
        target: Where its annotation belongs.
        source: The bag, read.
        wanted: Topics and frames that a person chose when it was read.
        proposes: Whether to propose where nothing is clicked and no file is there.
        check: Called before each frame is read; may raise to stop what is under way.

    """

    def __init__(
        self,
        path: Path,
        target: Path,
        source: Source,
        wanted: StreamSelection | None,
        proposes: bool,
        check: Callable[[], None],
    ) -> None:
        self.target = target
        source = with_urdf(source, self._sources(), target.parent)
        demo = demo_of(source)
        self.path = path
        self.demo = replace(demo, frames=_WatchedFrames(demo.frames, check))
        self.draft = Draft()
        self.remarks: tuple[str, ...] = ()
        """What of the draft was left out when the scene was made."""
        self._buffer = source.buffer
        self._wanted = wanted
        self._ground: Ground | None = None
        self._candidates: dict[int, Candidates] = {}
        self._chosen: dict[ObjectNote, NDArray[np.int64]] = {}
        self._beside: dict[ObjectNote, frozenset[ObjectNote]] = {}
        self._from_file = self.target.exists()
        self._proposes = self._proposes_first = proposes
        self._parsed: Scene | None = None
        self._parsed_of: Any = None
        self._parsed_from: FilesState | None = None
        self._failed_of: Any = None

    @classmethod
    def open(
        cls,
        path: Path,
        target: Path,
        wanted: StreamSelection | None = None,
        *,
        proposes: bool = True,
        check: Callable[[], None] = _go_on,
    ) -> Workbench:
        """Read a recording.

        Args:
            path: A bag, or a folder that holds one.
            target: Where its annotation belongs.
            wanted: Topics and frames that a person chose.
            proposes: Whether to propose where nothing is clicked and no file is there.
            check: Called before each frame is read; may raise to stop what is under way.

        Raises:
            R2RGenError: It is no demonstration.

        """
        return cls(path, target, read_source(path, wanted), wanted, proposes, check)

    # What there is.

    @property
    def scene(self) -> Scene | None:
        """The scene with the skills as the person wants them; None where it is out of date."""
        if self._parsed is None or self._basis() != self._parsed_of:
            return None
        annotation, self.remarks = self.draft.applied(self._parsed.annotation)
        return replace(self._parsed, annotation=annotation)

    @property
    def ground(self) -> Ground | None:
        """Support plane and background, once they are known."""
        return self._ground

    @property
    def is_stale(self) -> bool:
        """Whether `refresh` would make something new, as far as is known."""
        return self._basis() not in (None, self._parsed_of, self._failed_of)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is said yet that a scene could follow from."""
        return self._basis() is None

    def labels(self, frame: int) -> NDArray[np.uint8] | None:
        """Labels of a frame: of the scene, else of the objects clicked in it, else None."""
        scene = self.scene
        if scene is not None:
            return scene.labels[frame]
        if frame not in self._candidates or not self._chosen:
            return None
        snapshot = self._candidates[frame].snapshot
        labels = np.zeros(int(np.prod(snapshot.shape)), dtype=np.uint8)
        for place, note in enumerate(self.draft.clicks):
            if note.prompt.frame == frame and note in self._chosen:
                labels[snapshot.index[self._chosen[note]]] = FIRST_OBJECT + place
        return labels.reshape(snapshot.shape)

    def to_base(self, point: ArrayLike, frame_id: str, index: int) -> tuple[float, float, float]:
        """Return a point in the base frame.

        Args:
            point: (3,) metres.
            frame_id: Frame that it is given in: the base, or one of the recording's transforms.
            index: Camera frame at whose instant the transforms count.

        Raises:
            R2RGenError: The recording does not join the two frames, or the point is not finite.

        """
        given = check_finite('a point', np.asarray(point, dtype=np.float64))
        base, name = frame_name(self.demo.base_frame), frame_name(frame_id)
        if name != base:
            require(
                self._buffer.connected(base, name),
                f'a point is given in the frame "{name}", which the demonstration does not know',
                f'its base frame "{base}", or one that its transforms join to that',
                "choose the base frame as RViz's fixed frame, or as the frame of the message",
            )
            pose = self._buffer.lookup(base, name, [int(self.demo.stamps[index])])[0]
            given = se3.apply(pose, given[None])[0]
        x, y, z = given.tolist()
        return x, y, z

    def pixel(self, u: float, v: float) -> tuple[float, float]:
        """Return a pixel of the camera, from a click on its picture.

        Raises:
            R2RGenError: The demonstration has no camera, or the click is beside its image.

        """
        if self.demo.sensor is None:
            raise R2RGenError(
                f'"{self.demo.name}" has no camera_info, so pixels mean nothing',
                'a click on the points',
            )
        camera = self.demo.sensor.camera
        # Viewers round, so a click on the last pixel may come as one beyond it.
        check_range('the column of a click', u, -0.5, camera.width, 'pixels')
        check_range('the row of a click', v, -0.5, camera.height, 'pixels')
        return float(np.clip(u, 0, camera.width - 1)), float(np.clip(v, 0, camera.height - 1))

    # What a person does. None of these takes long.

    def click(self, note: ObjectNote) -> None:
        """Point at one more object; `refresh` finds out whether something is there.

        Raises:
            R2RGenError: The name is taken, or there is no such frame.

        """
        self._check_frame(note)
        self.draft = self.draft.added(note)

    def start_anew(self, notes: Sequence[ObjectNote] | None = None) -> None:
        """Have objects and skills proposed, whatever the file says.

        Args:
            notes: Objects that are pointed at, in place of those clicked and of all that was said
                of skills; None to keep what there is.

        Raises:
            R2RGenError: A prompt selects nothing, or two objects have one name.

        """
        if notes is not None:
            draft = Draft()
            for note in notes:
                self._check_frame(note)
                draft = draft.added(note)
            for note in draft.clicks:
                self._chosen[note] = self._select(note, draft.clicks)
                self._beside[note] = _beside(note, draft.clicks)
            self.draft = draft
        self._from_file, self._proposes = False, True

    def set_skill(self, skill: Skill) -> None:
        """Add a skill, or replace the one of the same name; needs an up-to-date scene.

        Raises:
            R2RGenError: It does not fit the demonstration, its objects or its other skills.

        """
        arms = [arm.name for arm in self.demo.arms]
        require(bool(skill.name.strip()), 'a skill has no name')
        said = f'skill "{skill.name}" names arm "{skill.arm}"'
        require(skill.arm in arms, said, f'one of {arms}')
        with_skill(self._annotation(), skill)
        self.draft = self.draft.added(skill)

    def remove_skill(self, name: str) -> None:
        """Take out a skill; needs an up-to-date scene.

        Raises:
            R2RGenError: There is no such skill.

        """
        without_skill(self._annotation(), name)
        self.draft = self.draft.added(Removal(name))

    def undo(self) -> str:
        """Take back the last click or the last word on a skill, and return its name.

        Raises:
            R2RGenError: There is nothing to take back.

        """
        self.draft, step = self.draft.undone()
        return step.name

    def discard(self) -> None:
        """Forget everything that was said since the demonstration was opened."""
        self.draft = Draft()
        self._from_file, self._proposes = self.target.exists(), self._proposes_first

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Take back what was said within the block if it raises."""
        before = self.draft, self._from_file, self._proposes
        try:
            yield
        except BaseException:
            self.draft, self._from_file, self._proposes = before
            raise

    # What takes long.

    def look(self) -> tuple[R2RGenError, ...]:
        """Find out what the clicks are on.

        Clicks of one frame compete, as they will when the scene is made: a click on a thing that
        another one took in, because the two touch, parts them.

        Returns:
            Why clicks were dropped: nothing is there, or an object that has been clicked already.

        """
        failed: list[R2RGenError] = []
        # What is dropped has to be given back what it took from the others.
        while any(self._is_to_look_at(note) for note in self.draft.clicks):
            # What is known first, so that a new click is compared with what is left to the others.
            for note in sorted(self.draft.clicks, key=lambda note: note not in self._chosen):
                if self._is_to_look_at(note):
                    failed += self._look_at(note)
        return tuple(failed)

    def refresh(self, progress: Callable[[int], None] | None = None) -> Scene:
        """Bring the scene up to date.

        Args:
            progress: Called with the number of frames parsed; may raise to stop.

        Returns:
            The scene.

        Raises:
            R2RGenError: Nothing is said yet, no object is found, a prompt selects nothing, or the
                file is wrong.

        """
        basis = self._basis()
        if basis is None:
            raise _nothing()
        if self._parsed is None or self._parsed_of != basis:
            try:
                self._parsed = self._parse(progress)
            except R2RGenError:
                self._failed_of = basis
                raise
            self._parsed_of = basis
        scene = self.scene
        assert scene is not None
        return scene

    def save(self, draw: Callable[[Path], object]) -> Path | None:
        """Write the annotation, unless it is that of the file, and its picture.

        Args:
            draw: Draws the picture into the PNG file that it is given.

        Returns:
            The new name of an older annotation; None where there was none, or it is the same.

        Raises:
            R2RGenError: There is no up-to-date annotation, or the disk says no.

        """
        annotation = self._annotation()
        if self._is_saved(annotation):
            draw(self.target.with_suffix('.png'))
            return None
        old = save_annotation(self.target, annotation, draw)
        self._keep(as_written(annotation))
        if self._from_file and not self.draft.clicks:
            self._parsed_of = self._basis()
        return old

    # What only this class knows.

    def _keep(self, annotation: Annotation) -> None:
        """Keep the scene for those who read the annotation, which was just written."""
        if self._parsed is not None and self._parsed_from is not None:
            scene = replace(self._parsed, annotation=annotation)
            keep_scene(scene, self.target.parent, self._wanted, self._parsed_from)

    def _annotation(self) -> Annotation:
        scene = self.scene
        if scene is None:
            raise _nothing()
        return scene.annotation

    def _is_saved(self, annotation: Annotation) -> bool:
        if self._from_file and not self.draft.steps:
            return True
        try:
            return self.target.read_text(encoding='utf-8') == dump_annotation(annotation)
        except (OSError, UnicodeDecodeError):
            return False

    def _basis(self) -> Any:
        """What the scene follows from; None where nothing is said yet."""
        if self.draft.clicks:
            return self.draft.clicks
        if not self._from_file:
            return 'all that stands on the support' if self._proposes else None
        try:
            state = self.target.stat()
        except OSError:
            return 'a file that has gone'
        return state.st_mtime_ns, state.st_size, state.st_ino

    def _parse(self, progress: Callable[[int], None] | None) -> Scene:
        folder = self.target.parent
        if self._from_file and not self.draft.clicks:
            said = read_annotation(self.target)
            self._parsed_from = None  # this keeps it
            return cached_scene(self.demo, said, folder, self._wanted, progress)
        ground = self._surveyed()
        notes = self.draft.clicks or masked_objects(folder)
        # As it will be read from its file, so that both give the same scene.
        proposed = as_written(propose(ground, folder, notes, sources=self._sources()))
        ground = replace(ground, support=proposed.support or ground.support)
        self._parsed_from = files_state(self.demo, proposed, folder)
        return build_scene(ground, proposed, folder, progress)

    def _surveyed(self) -> Ground:
        if self._ground is None:
            sources, folder = self._sources(), self.target.parent
            capture = sources.empty_capture
            self._ground = survey(
                self.demo,
                None,
                [located(folder, name) for name in sources.mesh_folders],
                None if capture is None else located(folder, capture),
            )
        return self._ground

    def _sources(self) -> Sources:
        """The sources that the file of the demonstration names, if it can be read."""
        if not self.target.exists():
            return Sources()
        try:
            return read_annotation(self.target).sources
        except R2RGenError:
            return Sources()

    def _is_to_look_at(self, note: ObjectNote) -> bool:
        return self._beside.get(note) != _beside(note, self.draft.clicks)

    def _look_at(self, note: ObjectNote) -> list[R2RGenError]:
        """Find out what a click is on; one that is on nothing, or on another object, is dropped."""
        clicks = self.draft.clicks
        try:
            chosen = self._select(note, clicks)
            if note not in self._chosen:
                self._check_other(note, chosen)
        except R2RGenError as error:
            self.draft = self.draft.without(note)
            self._chosen.pop(note, None)
            self._beside.pop(note, None)
            return [error]
        self._chosen[note], self._beside[note] = chosen, _beside(note, clicks)
        return []

    def _select(self, note: ObjectNote, others: Sequence[ObjectNote]) -> NDArray[np.int64]:
        frame = note.prompt.frame
        if frame not in self._candidates:
            self._candidates[frame] = self._surveyed().candidates(frame)
        return select(self.demo, note, self._candidates[frame], self.target.parent, others)

    def _check_frame(self, note: ObjectNote) -> None:
        check_range(f'the frame of "{note.name}"', note.prompt.frame, 0, len(self.demo) - 1)

    def _check_other(self, note: ObjectNote, chosen: NDArray[np.int64]) -> None:
        for other, points in self._chosen.items():
            if other not in self.draft.clicks or other.prompt.frame != note.prompt.frame:
                continue
            shared = float(np.isin(chosen, points).mean())
            require(
                shared <= _SAME_SHARE and not _is_same_place(note.prompt, other.prompt),
                f'the click for "{note.name}" is on "{other.name}"',
                'another object',
            )
