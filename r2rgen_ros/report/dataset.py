# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The report of a dataset: what was generated, what was not, and why."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.bags.keys import path_topic
from r2rgen_ros.bags.load import load_demo
from r2rgen_ros.bags.reader import BagReader
from r2rgen_ros.generate.assemble import Assembler
from r2rgen_ros.generate.sampling import Sampler
from r2rgen_ros.generate.verdict import summary
from r2rgen_ros.model.episode import Episode, PlanarMove, Reason, Variation
from r2rgen_ros.report.bases import draw_bases
from r2rgen_ros.report.coverage import SkillMoves, as_rows, draw_coverage
from r2rgen_ros.report.filmstrips import Strip, draw_filmstrip
from r2rgen_ros.report.page import Page, Section, write_page
from r2rgen_ros.report.paths import HandPath, draw_paths, skills_of
from r2rgen_ros.report.placements import draw_placements
from r2rgen_ros.report.rejections import draw_rejections
from r2rgen_ros.report.style import pretty
from r2rgen_ros.report.unseen import draw_unseen

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from r2rgen_ros.generate.config import GenerateConfig
    from r2rgen_ros.generate.dataset import Dataset
    from r2rgen_ros.generate.manifest import Entry
    from r2rgen_ros.model.scene import Scene

STRIPS = 4
_MOST_PATHS = 40
_MOST_PLACED = 600
_MOST_EXAMPLES = 8


@dataclass(frozen=True)
class Report:
    """What a report shows.

    Attributes:
        page: report.html.
        pictures: The PNGs, in the order of the page.
        accepted: Attempts that gave an episode.
        reasons: Rejected attempts by reason.
        verdict: The same in a sentence.

    """

    page: Path
    pictures: tuple[Path, ...]
    accepted: int
    reasons: dict[Reason, int]
    verdict: str


def write_report(
    dataset: Dataset,
    scene: Scene,
    config: GenerateConfig,
    progress: Callable[[str], None] | None = None,
) -> Report:
    """Draw the pictures of a dataset and put them on a page in its folder.

    Args:
        dataset: The dataset; may hold no episode at all.
        scene: What it was generated from.
        config: How it was generated.
        progress: Called with what is drawn next.

    Returns:
        Where it lies and what it says.

    Raises:
        R2RGenError: The manifest or an episode is damaged, or the disk says no.

    """
    return _Reporter(dataset, scene, config, progress or (lambda _: None)).write()


class _Reporter:
    def __init__(
        self,
        dataset: Dataset,
        scene: Scene,
        config: GenerateConfig,
        progress: Callable[[str], None],
    ) -> None:
        self.dataset, self.scene, self.config, self.progress = dataset, scene, config, progress
        self.folder = dataset.folder
        self.sampler = Sampler.create(scene, config, int(dataset.info.get('seed', 0)))
        self.assembler = Assembler.create(scene, config)
        entries = list(dataset.entries())
        self.accepted = [entry for entry in entries if entry.accepted]
        self.rejected = [entry for entry in entries if not entry.accepted]
        self.reasons = {
            Reason(reason): count
            for reason, count in Counter(entry.reason for entry in self.rejected).items()
        }

    def write(self) -> Report:
        sections = self._sections()
        verdict = summary(len(self.accepted), self.reasons)
        page = Page(
            title=f'{pretty(self.scene.demo.name)}: {len(self.accepted)} generated episodes',
            verdict=verdict,
            good=bool(self.accepted),
            facts=self._facts(),
            sections=tuple(sections),
            examples=self._examples(),
            notes=self.assembler.unchecked,
        )
        path = write_page(page, self.folder)
        pictures = tuple(section.picture for section in sections)
        return Report(path, pictures, len(self.accepted), self.reasons, verdict)

    def _facts(self) -> tuple[tuple[str, str], ...]:
        frames = sum(entry.frames for entry in self.accepted)
        unseen = [entry.unseen for entry in self.accepted if entry.unseen is not None]
        never = (
            (('pixels never seen', f'{100.0 * sum(unseen) / len(unseen):.1f} %'),) if unseen else ()
        )
        return (
            ('source', pretty(self.scene.demo.name)),
            ('episodes', str(len(self.accepted))),
            ('frames', f'{frames:,}'),
            ('attempts', str(len(self.accepted) + len(self.rejected))),
            ('objects', ', '.join(pretty(item.name) for item in self.scene.objects)),
            ('seed', str(self.dataset.info.get('seed', '?'))),
            *never,
        )

    def _examples(self) -> tuple[str, ...]:
        """Return one example per reason first, then further ones."""
        seen: set[str] = set()
        first: list[str] = []
        more: list[str] = []
        for entry in self.rejected:
            text = f'attempt {entry.index}: {entry.detail}'
            (more if entry.reason in seen else first).append(text)
            seen.add(entry.reason)
        return tuple((first + more)[:_MOST_EXAMPLES])

    def _sections(self) -> list[Section]:
        sections = []
        if self.accepted:
            sections.append(self._filmstrip())
        sections.append(self._placements())
        sections.append(self._coverage())
        if any(not entry.base.is_identity for entry in (*self.accepted, *self.rejected)):
            sections.append(self._bases())
        shares = [entry.unseen for entry in self.accepted if entry.unseen is not None]
        if shares or Reason.UNSEEN in self.reasons:
            sections.append(self._unseen(shares))
        if self.accepted:
            sections.append(self._paths())
        sections.append(self._rejections())
        return sections

    def _filmstrip(self) -> Section:
        self.progress('filmstrip')
        strips: list[Strip] = []
        for entry in _spread(self._present(), STRIPS):
            episode = self._assembled(entry)
            demo = load_demo(self.dataset.episode(entry.index))
            source: NDArray[np.float64] = np.linspace(0.0, len(self.scene.demo) - 1.0, len(demo))
            if episode is not None and len(episode) == len(demo):
                source = episode.source
            strips.append(Strip(f'episode {entry.index}', demo, source))
        path = draw_filmstrip(
            self.scene.annotation, self.scene.demo, strips, self.folder / 'filmstrip.png'
        )
        text = 'The recording and some episodes at the same moments, as the camera sees them.'
        return Section('Recorded and generated', text, path)

    def _placements(self) -> Section:
        self.progress('placements')
        shown = _spread(self.accepted, _MOST_PLACED)
        transforms = [item.transforms for entry in shown if (item := self._variation(entry))]
        file, count = self.folder / 'placements.png', len(self.accepted)
        path = draw_placements(self.scene, transforms, file, count)
        text = 'Outlines are where objects stood in the recording, areas where they stand now.'
        return Section('Where objects start and go', text, path)

    def _coverage(self) -> Section:
        self.progress('coverage')
        names = [skill.name for skill in self.scene.annotation.skills]
        small = self.config.perturbation
        reach = [small.translation_m, small.translation_m, np.deg2rad(small.yaw_deg)]
        spread = np.array(reach if small.count > 1 else [0.0, 0.0, 0.0])
        skills = []
        for place in self.sampler.free_skills:
            given = self._given(names[place])
            low, high = self._range(names[place], given)
            skills.append(
                SkillMoves(
                    names[place],
                    low,
                    high,
                    _moves(self.accepted, place),
                    _moves(self.rejected, place),
                    spread,
                    self.sampler.reach(place),
                    given,
                )
            )
        path = draw_coverage(skills, self.folder / 'coverage.png')
        text = 'Every attempt as the move that it asked of a skill, over what was asked for.'
        if any(skill.reach is not None and skill.reach.min() < 1.0 for skill in skills):
            text += ' What is shaded was not drawn from: the arm does not reach it.'
        return Section('How the ranges were covered', text, path)

    def _given(self, name: str) -> NDArray[np.float64] | None:
        """The different moves that are listed for a skill; None where it has a range."""
        sampling = self.config.sampling
        if sampling.mode != 'given':
            return None
        moves = as_rows([moves.get(name, PlanarMove()) for moves in sampling.given])
        return np.asarray(np.unique(moves, axis=0))

    def _range(
        self, name: str, given: NDArray[np.float64] | None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lower and upper ends of what a skill was asked to move by."""
        sampling = self.config.sampling
        if given is not None:
            return given.min(axis=0), given.max(axis=0)
        bound = sampling.skills.get(name, sampling.ranges)
        ends = np.array([bound.x_m, bound.y_m, np.deg2rad(bound.yaw_deg)])
        return ends[:, 0], ends[:, 1]

    def _bases(self) -> Section:
        self.progress('bases')
        accepted, rejected = ([x.base for x in some] for some in (self.accepted, self.rejected))
        path = draw_bases(self.scene, accepted, rejected, self.folder / 'bases.png')
        text = 'The base of every attempt, before the table as it was recorded.'
        return Section('Where the base stood', text, path)

    def _unseen(self, shares: list[float]) -> Section:
        self.progress('what was never seen')
        limit, rejected = self.config.camera.max_unseen_share, self.reasons.get(Reason.UNSEEN, 0)
        path = draw_unseen(shares, limit, rejected, self.folder / 'unseen.png')
        text = (
            'A moved camera sees what the recording never saw: the border that is cropped or made'
            ' up, and what comes out from behind edges.'
        )
        return Section('What was never seen', text, path)

    def _paths(self) -> Section:
        self.progress('paths')
        hands = []
        for entry in _spread(self._present(), _MOST_PATHS):
            episode = self._assembled(entry)
            for arm in self.scene.demo.arms:
                hands += self._written_path(entry, arm.name, episode)
        path = draw_paths(self.scene, hands, self.folder / 'paths.png')
        text = 'Paths of the end effector as written into the bags; skills in colour.'
        return Section('Paths', text, path)

    def _written_path(self, entry: Entry, arm: str, episode: Episode | None) -> list[HandPath]:
        """Read the path that an episode's bag holds for an arm; none where it holds none."""
        topic = path_topic(arm, len(self.scene.demo.arms))
        with BagReader(self.dataset.episode(entry.index)) as reader:
            if topic not in {item.name for item in reader.topics}:
                return []
            message = next(message for _, _, message in reader.decoded([topic]))
        points = [stamped.pose.position for stamped in message.poses]
        places = np.array([[point.x, point.y, point.z] for point in points]).reshape(-1, 3)
        skill: NDArray[np.int16] = np.full(len(places), -1, dtype=np.int16)
        if episode is not None and len(episode) == len(places):
            skill = skills_of(self.scene.annotation, arm, episode.source)
        return [HandPath(places, skill)]

    def _rejections(self) -> Section:
        self.progress('rejections')
        path = draw_rejections(len(self.accepted), self.reasons, self.folder / 'rejections.png')
        return Section('What came of the attempts', 'Accepted, and rejected by reason.', path)

    def _present(self) -> list[Entry]:
        """Return the accepted attempts whose bags have not been removed since."""
        present = self.dataset.present()
        return [entry for entry in self.accepted if entry.index in present]

    def _variation(self, entry: Entry) -> Variation | None:
        moves = {place: move for place, move in enumerate(entry.moves) if move is not None}
        found = self.sampler.from_moves(entry.index, moves, entry.base)
        return found if isinstance(found, Variation) else None

    def _assembled(self, entry: Entry) -> Episode | None:
        """Assemble an episode again, without its joints, for what its bag does not say."""
        variation = self._variation(entry)
        if variation is None:
            return None
        found = self.assembler.assemble(variation)
        return found if isinstance(found, Episode) else None


def _spread(entries: list[Entry], count: int) -> list[Entry]:
    """Return so many entries, evenly spread."""
    if len(entries) <= count:
        return entries
    places = np.linspace(0, len(entries) - 1, count).round().astype(int)
    return [entries[place] for place in places]


def _moves(entries: list[Entry], place: int) -> NDArray[np.float64]:
    return as_rows([move for entry in entries if (move := entry.moves[place]) is not None])
