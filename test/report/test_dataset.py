# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The report says of a dataset what is in it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from r2rgen_ros.bags.episode import EpisodeWriter
from r2rgen_ros.generate.assemble import Assembler
from r2rgen_ros.generate.compose import make_composer
from r2rgen_ros.generate.config import (
    DockingConfig,
    FeasibilityConfig,
    GenerateConfig,
    MoveRange,
    SamplingConfig,
)
from r2rgen_ros.generate.dataset import Dataset
from r2rgen_ros.generate.manifest import Entry
from r2rgen_ros.generate.sampling import Sampler
from r2rgen_ros.model.episode import Episode, Reason
from r2rgen_ros.report.dataset import write_report

if TYPE_CHECKING:
    from pathlib import Path

    from r2rgen_ros.bags.source import Source
    from r2rgen_ros.model.scene import Scene

CONFIG = GenerateConfig(
    sampling=SamplingConfig(ranges=MoveRange((-0.2, 0.2), (-0.2, 0.2), (-45.0, 45.0)), learn=False)
)
SEED = 5


def _generate(
    folder: Path, recorded: tuple[Scene, Source], config: GenerateConfig, attempts: int
) -> Dataset:
    scene, source = recorded
    dataset = Dataset.create(folder, {'seed': SEED})
    sampler, assembler = Sampler.create(scene, config, SEED), Assembler.create(scene, config)
    composer, writer = make_composer(scene, config), EpisodeWriter(source)
    for index in range(attempts):
        variation = sampler.variation(index)
        outcome = assembler.assemble(variation) if hasattr(variation, 'transforms') else variation
        bag = None
        if isinstance(outcome, Episode):
            bag = dataset.pending / folder.name
            writer.write(bag, outcome, composer.frames(outcome))
        dataset.commit(Entry.of(outcome), bag, 0.01)
    dataset.unlock()
    return dataset


@pytest.fixture(scope='module')
def dataset(recorded: tuple[Scene, Source], tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return _generate(tmp_path_factory.mktemp('sets') / 'set', recorded, CONFIG, 12)


class _Links(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.open: list[str] = []
        self.words = ''
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in {'img', 'meta'}:
            self.open.append(tag)
        self.sources += [value for name, value in attrs if name == 'src' and value]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


def test_page_links_to_its_pictures_and_counts_what_is_there(
    dataset: Dataset, recorded: tuple[Scene, Source]
):
    report = write_report(dataset, recorded[0], CONFIG)
    entries = list(dataset.entries())
    accepted = sum(entry.accepted for entry in entries)
    assert 0 < accepted < len(entries)
    assert report.accepted == accepted
    assert sum(report.reasons.values()) == len(entries) - accepted
    page = _Links(report.page.read_text(encoding='utf-8'))
    assert page.open == []
    assert page.sources == [path.name for path in report.pictures]
    assert len(page.sources) == 5
    for name in page.sources:
        assert min(Image.open(dataset.folder / name).size) > 200
    assert f'{accepted} of {len(entries)} attempts' in page.words


def test_report_of_the_same_dataset_is_the_same_and_touches_nothing_else(
    dataset: Dataset, recorded: tuple[Scene, Source]
):
    def contents() -> dict[str, bytes]:
        files = [path for path in dataset.folder.rglob('*') if path.is_file()]
        return {str(path.relative_to(dataset.folder)): path.read_bytes() for path in files}

    write_report(dataset, recorded[0], CONFIG)
    before = contents()
    write_report(dataset, recorded[0], CONFIG)
    assert contents() == before


def test_removed_episodes_are_left_out(
    dataset: Dataset, recorded: tuple[Scene, Source], tmp_path: Path
):
    copy = tmp_path / 'copy'
    shutil.copytree(dataset.folder, copy)
    for bag in sorted(copy.glob('shard_*/episode_*'))[1:]:
        shutil.rmtree(bag)
    report = write_report(Dataset.open(copy), recorded[0], CONFIG)
    full = Image.open(dataset.folder / 'filmstrip.png')
    assert Image.open(copy / 'filmstrip.png').height < full.height
    assert report.accepted > 1
    shutil.rmtree(next(iter(copy.glob('shard_*/episode_*'))))
    assert write_report(Dataset.open(copy), recorded[0], CONFIG).page.is_file()


def test_nothing_accepted_is_a_report_that_says_why(recorded: tuple[Scene, Source], tmp_path: Path):
    strict = replace(CONFIG, feasibility=FeasibilityConfig(support_margin_m=0.5))
    ranges = MoveRange((0.4, 0.5), (0.4, 0.5), (0.0, 0.0))
    strict = replace(strict, sampling=SamplingConfig(ranges=ranges))
    dataset = _generate(tmp_path / 'none', recorded, strict, 4)
    report = write_report(dataset, recorded[0], strict)
    assert report.accepted == 0
    assert report.reasons == {Reason.OFF_SUPPORT: 4}
    page = _Links(report.page.read_text(encoding='utf-8'))
    assert 'rejections.png' in page.sources
    assert 'filmstrip.png' not in page.sources
    assert 'leave the support' in page.words
    assert 'beyond the support' in page.words


def test_grid_and_given_moves_are_reported(recorded: tuple[Scene, Source], tmp_path: Path):
    sampling = replace(CONFIG.sampling, mode='grid', grid=(2, 1, 1))
    config = replace(CONFIG, sampling=sampling)
    dataset = _generate(tmp_path / 'grid', recorded, config, 2)
    assert write_report(dataset, recorded[0], config).page.is_file()


def test_bases_are_drawn_where_they_moved_only(
    dataset: Dataset, recorded: tuple[Scene, Source], tmp_path: Path
):
    docking = DockingConfig('normal', 0.04, 5.0)
    sampling = SamplingConfig(ranges=MoveRange(), docking=docking, learn=False)
    config = GenerateConfig(sampling=sampling)
    docked = _generate(tmp_path / 'docked', recorded, config, 6)

    report = write_report(docked, recorded[0], config)

    assert 'Where the base stood' in report.page.read_text(encoding='utf-8')
    (picture,) = [path for path in report.pictures if path.name == 'bases.png']
    with Image.open(picture) as image:
        pixels = image.convert('RGB').getcolors(1 << 20)
    assert (47, 125, 79) in {colour for _, colour in pixels}
    assert 'bases.png' not in {p.name for p in write_report(dataset, recorded[0], CONFIG).pictures}
