# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A dataset folder: dataset.yaml, manifest.jsonl and one bag per episode.

    dataset.yaml       source, annotation, configuration, seed, versions
    manifest.jsonl     one line per attempt, in index order
    timings.jsonl      seconds per attempt; the only file that differs from run to run
    episode_000000/    a rosbag2, named after its attempt

What is there is never changed; the manifest only grows. An attempt is in the manifest only after
its bag is whole and under its final name.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from r2rgen_ros.model.episode import PlanarMove
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.model.paths import inside, os_errors, require_new, sync, write_text
from r2rgen_ros.model.yaml_file import YamlSection

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from r2rgen_ros.model.episode import Episode, Rejection

FORMAT = 'r2rgen/dataset/1'
INFO_NAME, MANIFEST_NAME, TIMINGS_NAME = 'dataset.yaml', 'manifest.jsonl', 'timings.jsonl'
_PENDING = '.pending-'
_LOCK = '.lock'
_HEAD_BYTES = 1 << 20


def episode_name(index: int) -> str:
    """Name of the folder of the episode of an attempt."""
    return f'episode_{index:06d}'


@dataclass(frozen=True)
class Entry:
    """One attempt, as the manifest has it.

    Attributes:
        index: Number of the attempt.
        accepted: Whether there is an episode.
        moves: Move per skill; None where the skill inherited.
        base: Move of the robot's base.
        frames: Frames of the episode; 0 where rejected.
        reason: Why it was rejected; empty where accepted.
        detail: The same for a person.
        frame: Source frame at which it fails, -1 where it concerns none.
        amount: By how much.
        docking: The part of `base` that is a docking error.
        unseen: Largest share of a frame's pixels that look at what the source never saw; None where
            that was not asked.
        others: The same of each further camera, by name.

    """

    index: int
    accepted: bool
    moves: tuple[PlanarMove | None, ...]
    base: PlanarMove = field(default_factory=PlanarMove)
    frames: int = 0
    reason: str = ''
    detail: str = ''
    frame: int = -1
    amount: float = 0.0
    docking: PlanarMove = field(default_factory=PlanarMove)
    unseen: float | None = None
    others: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, outcome: Episode | Rejection) -> Entry:
        """Return the entry of an episode or a rejection."""
        reason = getattr(outcome, 'reason', None)
        variation = outcome.variation
        base = variation.base if variation is not None else PlanarMove()
        docking = variation.docking if variation is not None else PlanarMove()
        if reason is None:
            assert variation is not None
            count = len(outcome)  # type: ignore[arg-type]
            return cls(variation.index, True, variation.moves, base, frames=count, docking=docking)
        rejection: Any = outcome
        return cls(
            rejection.index,
            False,
            rejection.moves,
            base,
            reason=reason.value,
            detail=rejection.detail,
            frame=rejection.frame,
            amount=round(float(rejection.amount), 9),
            docking=docking,
        )

    def to_line(self) -> str:
        """Return the line of the manifest, with its newline."""
        data: dict[str, Any] = {
            'index': self.index,
            'accepted': self.accepted,
            'moves': [_move_data(move) for move in self.moves],
            'base': _move_data(self.base),
        }
        if not self.docking.is_identity:
            data['docking'] = _move_data(self.docking)
        if self.unseen is not None:
            data['unseen_share'] = self.unseen
        if self.others:
            data['other_cameras'] = self.others
        if self.accepted:
            data['episode'] = episode_name(self.index)
            data['frames'] = self.frames
        else:
            data.update(
                reason=self.reason, detail=self.detail, frame=self.frame, amount=self.amount
            )
        return json.dumps(data, ensure_ascii=False) + '\n'

    @classmethod
    def from_line(cls, line: str) -> Entry:
        """Read a line of the manifest.

        Raises:
            ValueError: It is none.

        """
        data = json.loads(line)
        return cls(
            int(data['index']),
            bool(data['accepted']),
            tuple(_move(item) for item in data['moves']),
            _move(data['base']) or PlanarMove(),
            frames=int(data.get('frames', 0)),
            reason=data.get('reason', ''),
            detail=data.get('detail', ''),
            frame=int(data.get('frame', -1)),
            amount=float(data.get('amount', 0.0)),
            docking=_move(data.get('docking')) or PlanarMove(),
            unseen=data.get('unseen_share'),
            others={name: float(share) for name, share in data.get('other_cameras', {}).items()},
        )


def _move_data(move: PlanarMove | None) -> dict[str, float] | None:
    return None if move is None else {'x_m': move.x, 'y_m': move.y, 'yaw_rad': move.yaw}


def _move(data: Any) -> PlanarMove | None:
    if data is None:
        return None
    return PlanarMove(float(data['x_m']), float(data['y_m']), float(data['yaw_rad']))


def fingerprint(bag: Path) -> str:
    """A short hash of a recording that notices another or a changed file, without reading it all.

    It covers the metadata, and of every other file the name, the size and the first megabyte.
    """
    digest = hashlib.sha256()
    with os_errors(f'cannot read {bag}'):
        files = sorted(p for p in bag.iterdir() if p.is_file()) if bag.is_dir() else [bag]
        for path in files:
            if (
                path.suffix not in {'.mcap', '.db3', '.bag', '.zstd'}
                and path.name != 'metadata.yaml'
            ):
                continue
            digest.update(f'{path.name} {path.stat().st_size}\n'.encode())
            with path.open('rb') as file:
                digest.update(file.read(_HEAD_BYTES))
    return digest.hexdigest()[:16]


def is_dataset(folder: Path) -> bool:
    """Whether a folder is a dataset that can be read or gone on with."""
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
        self._lock: int | None = None

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
        if not isinstance(root.data, dict) or root.data.get('format') != FORMAT:
            raise root['format'].error(f'format is {root["format"].data!r}', f'"{FORMAT}"')
        return cls(folder, root.data)

    @classmethod
    def create(cls, folder: Path, info: dict[str, Any]) -> Dataset:
        """Make a new dataset and lock it.

        Raises:
            R2RGenError: Something is there already, or the disk says no.

        """
        require_new(folder)
        with os_errors(f'cannot make {folder}'):
            folder.mkdir(parents=True)
        dataset = cls(folder, {'format': FORMAT, **info})
        try:
            text = yaml.safe_dump(
                dataset.info, sort_keys=False, allow_unicode=True, default_flow_style=None
            )
            write_text(folder / INFO_NAME, text)
            write_text(folder / MANIFEST_NAME, '')
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
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
        wanted = json.loads(json.dumps({'format': FORMAT, **info}))
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

        Raises:
            R2RGenError: Another process has the lock.

        """
        with os_errors(f'cannot lock {self.folder}'):
            handle = os.open(self.folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            raise R2RGenError(
                f'another process is generating into {self.folder}', '', 'wait for it or stop it'
            ) from None
        os.set_inheritable(handle, False)
        self._lock = handle

    def unlock(self) -> None:
        """Let other processes add to the dataset, and remove what is left of unfinished work."""
        if self._lock is None:
            return
        shutil.rmtree(self.pending, ignore_errors=True)
        with contextlib.suppress(OSError):
            (self.folder / _LOCK).unlink()
        os.close(self._lock)
        self._lock = None

    @property
    def pending(self) -> Path:
        """Folder for episodes that are not in the manifest yet, one per writing process."""
        return self.folder / f'{_PENDING}{os.getpid()}'

    def episode(self, index: int) -> Path:
        """Folder of the episode of an attempt."""
        return inside(self.folder, episode_name(index))

    def entries(self) -> Iterator[Entry]:
        """Yield the attempts in index order, reading one line at a time.

        Raises:
            R2RGenError: The manifest is damaged.

        """
        path = self.folder / MANIFEST_NAME
        if not path.is_file():
            raise R2RGenError(f'{self.folder} has no {MANIFEST_NAME}', 'a dataset')
        with path.open(encoding='utf-8') as file:
            for number, line in enumerate(file, 1):
                if not line.endswith('\n'):
                    return  # a line that a crash has cut short; the attempt is made again
                try:
                    yield Entry.from_line(line)
                except (ValueError, KeyError, TypeError):
                    raise R2RGenError(
                        f'{path}, line {number} is damaged', 'one attempt per line'
                    ) from None

    def commit(self, entry: Entry, bag: Path | None, seconds: float) -> None:
        """Add an attempt: first its bag under its final name, then its line.

        Args:
            entry: The attempt; must follow the last one in the manifest.
            bag: The bag as written under `pending`; None where rejected.
            seconds: How long it took.

        Raises:
            R2RGenError: The disk says no.

        """
        with os_errors(f'cannot write to {self.folder}'):
            if bag is not None:
                final = self.episode(entry.index)
                if final.exists():
                    # A crash came between the bag and its line; the bag is whole and the same.
                    shutil.rmtree(bag)
                else:
                    bag.rename(final)
                    sync(self.folder)
            self._append(MANIFEST_NAME, entry.to_line(), durable=bag is not None)
            line = json.dumps({'index': entry.index, 'seconds': round(seconds, 6)})
            self._append(TIMINGS_NAME, line + '\n', durable=False)

    def _append(self, name: str, text: str, *, durable: bool) -> None:
        handle = os.open(self.folder / name, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            data = text.encode()
            start = os.fstat(handle).st_size
            if os.write(handle, data) != len(data):
                os.ftruncate(handle, start)
                raise OSError(28, 'No space left on device')
            if durable:
                os.fsync(handle)
        finally:
            os.close(handle)

    def _clean(self) -> None:
        """Remove what a crash has left: unfinished bags and a manifest line cut short."""
        for path in self.folder.glob(f'{_PENDING}*'):
            shutil.rmtree(path, ignore_errors=True)
        for name in (MANIFEST_NAME, TIMINGS_NAME):
            path = self.folder / name
            if not path.exists():
                continue
            with path.open('r+b') as file:
                size = file.seek(0, os.SEEK_END)
                keep, step = size, 1 << 16
                while keep > 0:
                    begin = max(0, keep - step)
                    file.seek(begin)
                    at = file.read(keep - begin).rfind(b'\n')
                    if at >= 0:
                        keep = begin + at + 1
                        break
                    keep = begin
                if keep < size:
                    file.truncate(keep)


def _difference(have: Any, want: Any, at: str = '') -> str:
    """Name the first place in which two pieces of plain data differ."""
    if isinstance(have, dict) and isinstance(want, dict):
        for key in [*want, *(key for key in have if key not in want)]:
            if have.get(key) != want.get(key):
                return _difference(have.get(key), want.get(key), f'{at}.{key}' if at else str(key))
    where = f'{at} ' if at else ''
    return f'{where}was {str(have)[:60]}, is {str(want)[:60]}'
