# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A dataset folder: dataset.yaml, manifest.jsonl and one bag per episode.

    dataset.yaml                    source, annotation, configuration, seed, versions
    manifest.jsonl                  one line per attempt, in index order
    timings.jsonl                   seconds per attempt; all that differs from run to run
    shard_00000/episode_000000/     a rosbag2, named after its attempt; 1000 attempts to a shard

What is there is never changed; the manifest only grows. An attempt is in the manifest only after
its bag is whole and under its final name. Nobody but `Dataset.place` knows where that is.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from typing import TYPE_CHECKING, Any

import yaml

from r2rgen_ros.bags.failures import writing
from r2rgen_ros.generate.manifest import (
    Entry,
    Outcome,
    append_line,
    drop_cut_line,
    episode_name,
    read_lines,
)
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.model.locks import FileLock
from r2rgen_ros.model.paths import (
    inside,
    os_errors,
    remove_leftovers,
    require_new,
    sync,
    temporary,
    write_text,
)
from r2rgen_ros.model.yaml_file import YamlSection

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


FORMAT = 'r2rgen/dataset/2'
FLAT_FORMAT = 'r2rgen/dataset/1'
"""Of datasets whose episodes lie side by side; they are read as they are."""
INFO_NAME, MANIFEST_NAME, TIMINGS_NAME = 'dataset.yaml', 'manifest.jsonl', 'timings.jsonl'
SHARD_SIZE = 1000
_SHARD, _EPISODE = 'shard_', 'episode_'
_PENDING = '.pending-'
_LOCK = '.lock'
_WAIT_S = 3.0
_HEAD_BYTES = 1 << 20
_BAGS = {'.mcap', '.db3', '.bag', '.zstd'}
_FORMATS = (FORMAT, FLAT_FORMAT)


def bag_files(bag: Path) -> list[Path]:
    """Return the files that a recording consists of, sorted.

    Raises:
        OSError: The folder cannot be read.

    """
    if not bag.is_dir():
        return [bag]
    files = (path for path in bag.iterdir() if path.is_file())
    return sorted(path for path in files if path.suffix in _BAGS or path.name == 'metadata.yaml')


def fingerprint(bag: Path) -> str:
    """A short hash of a recording that notices another or a changed file, without reading it all.

    It covers the metadata, and of every other file the name, the size and the first megabyte.
    """
    digest = hashlib.sha256()
    with os_errors(f'cannot read {bag}'):
        for path in bag_files(bag):
            digest.update(f'{path.name} {path.stat().st_size}\n'.encode())
            with path.open('rb') as file:
                digest.update(file.read(_HEAD_BYTES))
    return digest.hexdigest()[:16]


def is_dataset(folder: Path) -> bool:
    """Whether a folder is a dataset."""
    return (folder / INFO_NAME).is_file()


class Dataset:
    """A dataset folder, open for reading, or for adding to if it was made or resumed.

    Attributes:
        folder: The folder.
        info: Contents of dataset.yaml.

    """

    def __init__(self, folder: Path, info: dict[str, Any]) -> None:
        self.folder = folder
        self.info = info
        self._lock = FileLock(folder / _LOCK)
        self._is_flat = info.get('format') == FLAT_FORMAT

    @classmethod
    def open(cls, folder: Path) -> Dataset:
        """Open a dataset for reading.

        Raises:
            R2RGenError: The folder is no dataset.

        """
        if not is_dataset(folder):
            raise R2RGenError(
                f'{folder} is no dataset: it has no {INFO_NAME}',
                'a folder that "r2rgen generate" has made',
            )
        root = YamlSection.read(folder / INFO_NAME)
        if not isinstance(root.data, dict) or root.data.get('format') not in _FORMATS:
            raise root['format'].error(f'format is {root["format"].data!r}', f'"{FORMAT}"')
        return cls(folder, root.data)

    @classmethod
    def create(cls, folder: Path, info: dict[str, Any]) -> Dataset:
        """Make a new dataset and lock it.

        Raises:
            R2RGenError: Something is there already, or the disk says no.

        """
        require_new(folder)
        dataset = cls(folder, {'format': FORMAT, **info})
        # Under another name first: a folder without its files could be neither made nor resumed.
        begun = temporary(folder)
        with os_errors(f'cannot make {folder}'):
            folder.parent.mkdir(parents=True, exist_ok=True)
            remove_leftovers(folder.parent, folder.name)
            begun.mkdir()
        try:
            text = yaml.safe_dump(
                dataset.info, sort_keys=False, allow_unicode=True, default_flow_style=None
            )
            write_text(begun / INFO_NAME, text)
            write_text(begun / MANIFEST_NAME, '')
            with os_errors(f'cannot make {folder}'):
                begun.rename(folder)
                sync(folder.parent)
        except BaseException:
            shutil.rmtree(begun, ignore_errors=True)
            raise
        dataset.lock()
        return dataset

    @classmethod
    def resume(cls, folder: Path, info: dict[str, Any]) -> Dataset:
        """Open a dataset to go on with it, and lock it.

        Raises:
            R2RGenError: It was made from something else, or another process works on it.

        """
        if not folder.exists():
            raise R2RGenError(f'there is no {folder} to go on with', '', 'leave out --resume')
        if not is_dataset(folder):
            raise R2RGenError(
                f'{folder} is no dataset: it has no {INFO_NAME}',
                'a folder that "r2rgen generate" has made',
                'leave out --resume, and choose another output or move the folder away',
            )
        dataset = cls.open(folder)
        if dataset._is_flat:
            raise R2RGenError(
                f'{folder} was begun before datasets had shards, with settings of that time',
                '',
                'generate into a new folder; this one can be read as it is',
            )
        wanted = json.loads(json.dumps(info))
        for key in wanted:
            if dataset.info.get(key) != wanted[key]:
                change = _difference(dataset.info.get(key), wanted[key])
                raise R2RGenError(
                    f'{folder} was made with another {key}: {change}',
                    'the source, annotation, configuration, seed and versions it was begun with',
                    'resume with those, or generate into a new folder',
                )
        dataset.lock()
        dataset._clean()
        return dataset

    def lock(self) -> None:
        """Keep other processes from adding to the dataset; the lock ends with the process.

        Workers of a process that was killed hold it too until they have ended, so that none of
        them still writes when the next process begins; that is waited for.

        Raises:
            R2RGenError: Another process has the lock.

        """
        with os_errors(f'cannot lock {self.folder}'):
            is_held = self._lock.take(wait_s=_WAIT_S)
        if not is_held:
            raise R2RGenError(
                f'another process is generating into {self.folder}', '', 'wait for it or stop it'
            )

    def unlock(self) -> None:
        """Let other processes add to the dataset, and remove what is left of unfinished work."""
        if self._lock.is_held:
            shutil.rmtree(self.pending, ignore_errors=True)
            self._lock.remove()

    @property
    def pending(self) -> Path:
        """Folder for episodes that are not in the manifest yet, one per writing process."""
        return self.folder / f'{_PENDING}{os.getpid()}'

    def place(self, index: int) -> str:
        """Folder of the episode of an attempt, from the dataset's folder on."""
        name = episode_name(index)
        return name if self._is_flat else f'{_SHARD}{index // SHARD_SIZE:05d}/{name}'

    def episode(self, index: int) -> Path:
        """Folder of the episode of an attempt."""
        return inside(self.folder, self.place(index))

    def first(self) -> Path | None:
        """Folder of the first episode; None where every attempt was rejected.

        Raises:
            R2RGenError: The manifest is damaged.

        """
        numbers = (entry.index for entry in self.outcomes() if entry.accepted)
        index = next(numbers, None)
        return None if index is None else self.episode(index)

    def present(self) -> set[int]:
        """Numbers of the attempts whose episodes are on the disk; no bag is opened.

        Raises:
            R2RGenError: A folder may not be read.

        """
        with os_errors(f'cannot read {self.folder}'):
            shards = (self.folder,) if self._is_flat else self.folder.glob(f'{_SHARD}*')
            names = [entry.name for shard in shards for entry in os.scandir(shard)]
        numbers = (name.removeprefix(_EPISODE) for name in names if name.startswith(_EPISODE))
        return {int(number) for number in numbers if number.isdigit()}

    def entries(self) -> Iterator[Entry]:
        """Yield the attempts in index order, reading one line at a time.

        Raises:
            R2RGenError: The manifest is damaged.

        """
        return read_lines(self.folder / MANIFEST_NAME, Entry.from_line)

    def outcomes(self) -> Iterator[Outcome]:
        """Yield the same in short, which takes a fraction of the time.

        Raises:
            R2RGenError: The manifest is damaged.

        """
        return read_lines(self.folder / MANIFEST_NAME, Outcome.from_line)

    def commit(self, entry: Entry, bag: Path | None, seconds: float) -> None:
        """Add an attempt: first its bag under its final name, then its line.

        Args:
            entry: The attempt; must follow the last one in the manifest.
            bag: The bag as written under `pending`; None where rejected.
            seconds: How long it took.

        Raises:
            DiskFullError: There is no space left.
            R2RGenError: The disk says no.

        """
        with writing(self.folder / MANIFEST_NAME):
            if bag is not None:
                self._keep(bag, self.episode(entry.index))
            line = entry.to_line(self.place(entry.index))
            append_line(self.folder / MANIFEST_NAME, line, durable=bag is not None)
            line = json.dumps({'index': entry.index, 'seconds': round(seconds, 6)}) + '\n'
            append_line(self.folder / TIMINGS_NAME, line, durable=False)

    def _keep(self, bag: Path, final: Path) -> None:
        """Give a bag its final name."""
        if final.exists():
            # A crash came between the bag and its line; the bag is whole and the same.
            shutil.rmtree(bag)
            return
        if not final.parent.exists():
            final.parent.mkdir()
            sync(self.folder)
        bag.rename(final)
        sync(final.parent)

    def _clean(self) -> None:
        """Remove what a crash has left: unfinished files, and lines cut short."""
        for path in self.folder.glob(f'{_PENDING}*'):
            shutil.rmtree(path, ignore_errors=True)
        remove_leftovers(self.folder)
        for name in (MANIFEST_NAME, TIMINGS_NAME):
            drop_cut_line(self.folder / name)


def _difference(have: Any, want: Any, at: str = '') -> str:
    """Name the first place in which two pieces of plain data differ."""
    if isinstance(have, dict) and isinstance(want, dict):
        for key in [*want, *(key for key in have if key not in want)]:
            if have.get(key) != want.get(key):
                return _difference(have.get(key), want.get(key), f'{at}.{key}' if at else str(key))
    where = f'{at} ' if at else ''
    return f'{where}was {str(have)[:60]}, is {str(want)[:60]}'
