# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The manifest of a dataset: one line per attempt, in index order, which only grows."""

from __future__ import annotations

import errno
import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from r2rgen_ros.model.episode import PlanarMove
from r2rgen_ros.model.errors import R2RGenError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from r2rgen_ros.model.episode import Episode, Rejection

_STEP_BYTES = 1 << 16


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

    def to_line(self, folder: str = '') -> str:
        """Return the line of the manifest, with its newline.

        Args:
            folder: Of the episode, from the dataset's folder on; its name alone if empty.

        """
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
            data['episode'] = folder or episode_name(self.index)
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


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attempt; all that counting and listing need, and quick to read.

    Attributes:
        index: Number of the attempt.
        accepted: Whether there is an episode.
        frames: Frames of the episode; 0 where rejected.
        reason: Why it was rejected; empty where accepted.

    """

    index: int
    accepted: bool
    frames: int
    reason: str

    @classmethod
    def from_line(cls, line: str) -> Outcome:
        """Read a line of the manifest.

        Raises:
            ValueError: It is none.

        """
        data = json.loads(line)
        return cls(data['index'], data['accepted'], data.get('frames', 0), data.get('reason', ''))


Read = TypeVar('Read')


def read_lines(path: Path, read: Callable[[str], Read]) -> Iterator[Read]:
    """Yield the attempts of a manifest in index order, reading one line at a time.

    Args:
        path: The manifest.
        read: Reads a line.

    Raises:
        R2RGenError: It is missing or damaged.

    """
    if not path.is_file():
        raise R2RGenError(f'{path.parent} has no {path.name}', 'a dataset')
    with path.open(encoding='utf-8') as file:
        for number, line in enumerate(file, 1):
            if not line.endswith('\n'):
                return  # a line that a crash has cut short; the attempt is made again
            try:
                found = read(line)
            except (ValueError, KeyError, TypeError):
                raise R2RGenError(
                    f'{path}, line {number} is damaged', 'one attempt per line'
                ) from None
            yield found


def append_line(path: Path, text: str, *, durable: bool) -> None:
    """Add a line to a file, all of it or nothing.

    Args:
        path: The file.
        text: The line, with its newline.
        durable: Whether it shall last through a power cut.

    Raises:
        OSError: The disk says no.

    """
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        data = text.encode()
        start = os.fstat(handle).st_size
        if os.write(handle, data) != len(data):
            os.ftruncate(handle, start)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if durable:
            os.fsync(handle)
    finally:
        os.close(handle)


def drop_cut_line(path: Path) -> None:
    """Remove what a crash has left of a last line that was cut short."""
    if not path.exists():
        return
    with path.open('r+b') as file:
        size = keep = file.seek(0, os.SEEK_END)
        while keep > 0:
            begin = max(0, keep - _STEP_BYTES)
            file.seek(begin)
            at = file.read(keep - begin).rfind(b'\n')
            if at >= 0:
                keep = begin + at + 1
                break
            keep = begin
        if keep < size:
            file.truncate(keep)
