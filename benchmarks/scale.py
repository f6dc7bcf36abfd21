# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whether datasets stay whole and the same at any scale: engines, kills, 100,000 entries.

The command generates from the flower demonstration, as a process of its own, with one worker, with
two, and with Ray on two node processes of this machine; the bytes are compared. Then each kind of
process is killed with kill -9 at random moments: workers and main processes, of local processes and
of Ray, and one of the node processes. What was killed is resumed where need be until the dataset is
done, and compared with the undisturbed one.

At last a manifest of 100,000 attempts is resumed, listed and reported on. Its episodes are links to
some that were really made.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.flower import flower_demo
from benchmarks.scale_cluster import Nodes, children
from r2rgen_ros.generate import scratch
from r2rgen_ros.generate.dataset import MANIFEST_NAME, TIMINGS_NAME, Dataset

if TYPE_CHECKING:
    import argparse

KINDS = ('worker', 'driver', 'ray_worker', 'ray_driver', 'node')
CONFIG = """\
format: r2rgen/generate/1
camera: {mode: 'off'}
sampling: {learn: false}
"""
ENTRIES = 100_000
_LOOK_S, _MOST_S = 0.01, 600.0
_START_S, _WORK_S, _EARLY = 4.0, 1.5, 0.25
_ATTEMPT = b'ray::_attempt'  # what Ray calls a process that makes attempts


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the benchmark."""
    parser.add_argument('--kills', type=int, default=20, help='of each kind (default: %(default)s)')
    parser.add_argument(
        '--episodes', type=int, default=400, help='of each dataset (default: %(default)s)'
    )
    parser.add_argument('--entries', type=int, default=ENTRIES, help='(default: %(default)s)')
    parser.add_argument('--seed', type=int, default=0, help='of the moments (default: %(default)s)')
    parser.add_argument(
        '--kinds', nargs='*', choices=KINDS, default=KINDS, help='who is killed (default: all)'
    )


def measure(kills: int, episodes: int, entries: int, seed: int, kinds: list[str]) -> dict[str, Any]:
    """Return all figures of the benchmark."""
    out: dict[str, Any] = {'episodes': episodes}
    with tempfile.TemporaryDirectory() as name, Nodes() as nodes:
        place = Place(Path(name), episodes)
        for engine, words in (
            ('one', ('--workers', '1')),
            ('two', ('--workers', '2')),
            ('ray', ('--engine', 'ray', '--address', nodes.address)),
        ):
            begin = time.monotonic()
            place.run(engine, *words)
            out[f'seconds_{engine}'] = round(time.monotonic() - begin, 1)
        truth = digest(place.folder / 'one')
        out['same_bytes'] = all(digest(place.folder / each) == truth for each in ('two', 'ray'))
        for engine in ('two', 'ray'):
            place.remove(engine)
        for kind in kinds:
            print(f'scale: {kind}', file=sys.stderr, flush=True)
            rng = np.random.default_rng([seed, KINDS.index(kind)])
            out[kind] = Killer(kind, place, nodes, rng).kill(kills, truth)
        out['identical'] = all(out[kind]['identical'] for kind in kinds)
        out.update(at_size(place, entries))
    return out


class Place:
    """A demonstration, and the datasets that are made of it.

    Args:
        folder: Scratch folder.
        episodes: Of each dataset.

    """

    def __init__(self, folder: Path, episodes: int) -> None:
        self.folder, self.episodes = folder, episodes
        self.demo = flower_demo(folder)
        (folder / 'generate.yaml').write_text(CONFIG)

    def words(self, name: str, *more: str, count: int | None = None) -> list[str]:
        """Return the command that generates a dataset, or goes on with it."""
        out = self.folder / name
        words = [sys.executable, '-m', 'r2rgen_ros.cli.main', 'generate', str(self.demo)]
        words += ['-o', str(out), '-n', str(count or self.episodes), '--no-report', *more]
        words += ['--config', str(self.folder / 'generate.yaml')]
        return words + (['--resume'] if out.exists() else [])

    def start(self, name: str, *more: str) -> subprocess.Popen[str]:
        """Start that command."""
        return subprocess.Popen(
            self.words(name, *more), text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )

    def run(self, name: str, *more: str) -> None:
        """Run it to its end.

        Raises:
            RuntimeError: It ends with an error.

        """
        process = self.start(name, *more)
        _, err = process.communicate()
        if process.returncode:
            raise RuntimeError(err)

    def remove(self, name: str) -> None:
        """Remove a dataset; it is large."""
        subprocess.run(['rm', '-rf', str(self.folder / name)], check=True)


def digest(dataset: Path) -> dict[str, str]:
    """Return the hash of every file of a dataset but that of the timings, hidden ones included."""
    files = [path for path in dataset.rglob('*') if path.is_file() and path.name != TIMINGS_NAME]
    return {
        str(path.relative_to(dataset)): hashlib.blake2b(path.read_bytes()).hexdigest()
        for path in sorted(files)
    }


class Killer:
    """Kills processes of one kind at random moments, until the dataset is done.

    Args:
        kind: One of `KINDS`.
        place: Where the dataset is made.
        nodes: The processes of Ray.
        rng: Draws the moments.

    """

    def __init__(self, kind: str, place: Place, nodes: Nodes, rng: np.random.Generator) -> None:
        self._kind, self._place, self._nodes, self._rng = kind, place, nodes, rng
        self._out = place.folder / kind
        self._is_local = kind in {'worker', 'driver'}
        self._words = (
            ('--workers', '2')
            if self._is_local
            else ('--engine', 'ray', '--address', nodes.address)
        )
        self.done = self.starts = 0

    def kill(self, kills: int, truth: dict[str, str]) -> dict[str, Any]:
        """Kill so often, then let the dataset be finished, and compare it."""
        begin = time.monotonic()
        while not self._is_whole():
            self.starts += 1
            process = self._place.start(self._kind, *self._words)
            if self._kind.endswith('driver'):
                self._one_driver(process, kills)
            else:
                self._others(process, kills)
            _, err = process.communicate(timeout=_MOST_S)
            if process.returncode not in {0, -signal.SIGKILL, 2}:
                raise RuntimeError(err)
            if self.starts > 5 * kills + 5:
                raise RuntimeError(f'{self._kind}: the dataset does not get done: {err}')
        found = digest(self._out)
        scratch.remove_leftovers()
        left = [*self._out.glob('.*'), *scratch.scratch_root().glob('attempt-*')]
        self._place.remove(self._kind)
        return {
            'kills': self.done,
            'starts': self.starts,
            'identical': found == truth and self.done >= kills,
            'left_behind': len(left),
            'seconds': round(time.monotonic() - begin, 1),
        }

    def _is_whole(self) -> bool:
        if not (self._out / MANIFEST_NAME).exists():
            return False
        return (
            sum(one.accepted for one in Dataset.open(self._out).outcomes()) >= self._place.episodes
        )

    def _size(self) -> int:
        manifest = self._out / MANIFEST_NAME
        return manifest.stat().st_size if manifest.exists() else 0

    def _wait(self, process: subprocess.Popen[str], seconds: float) -> bool:
        """Wait so long, and return whether the process still runs."""
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            return True
        return False

    def _wait_for_work(self, process: subprocess.Popen[str]) -> bool:
        """Wait until an attempt has been added, and return whether the process still runs."""
        size = self._size()
        while self._size() == size:
            if not self._wait(process, _LOOK_S):
                return False
        return True

    def _one_driver(self, process: subprocess.Popen[str], kills: int) -> None:
        """Kill the main process once, some of them before they have begun with attempts."""
        if self.done == kills:
            return
        if self._rng.random() < _EARLY:
            runs = self._wait(process, self._rng.uniform(0.0, _START_S))
        else:
            runs = self._wait_for_work(process)
            runs = runs and self._wait(process, self._rng.uniform(0.0, _WORK_S))
        if runs:
            process.kill()
            self.done += 1

    def _others(self, process: subprocess.Popen[str], kills: int) -> None:
        """Kill workers or nodes, again and again, while the main process goes on."""
        while self.done < kills and self._wait_for_work(process):
            if not self._wait(process, self._rng.uniform(0.0, _WORK_S)):
                return
            if self._kind == 'node':
                self._nodes.kill_one()
                self.done += 1
                continue
            parents = [process.pid] if self._is_local else self._nodes.pids
            found = [child for parent in parents for child in workers_of(parent, self._is_local)]
            if found:
                self.done += _kill(found[int(self._rng.integers(len(found)))])


def workers_of(parent: int, is_local: bool) -> list[int]:
    """Numbers of the worker processes that a main process, or a node of Ray, has started."""
    return [pid for pid in children(parent) if is_local or _command(pid).startswith(_ATTEMPT)]


def _command(process: int) -> bytes:
    try:
        return Path(f'/proc/{process}/cmdline').read_bytes()
    except OSError:  # it has ended meanwhile
        return b''


def _kill(process: int) -> bool:
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def at_size(place: Place, entries: int) -> dict[str, Any]:
    """Return how long it takes to go on with, list and report on so many attempts."""
    grown = _grow(place, entries)
    begin = time.monotonic()
    count = sum(one.accepted for one in Dataset.open(grown).outcomes())
    listed = time.monotonic() - begin
    begin = time.monotonic()
    present = Dataset.open(grown).present()
    found = time.monotonic() - begin
    assert len(present) == count
    return {
        'entries': entries,
        'list_s': round(listed, 2),
        'present_s': round(found, 2),
        'inspect_s': _seconds('inspect', str(grown), '--json'),
        'resume_s': _seconds(*place.words(grown.name, '--workers', '2', count=count)[3:]),
        'resume_small_s': _seconds(*place.words('one', '--workers', '2')[3:]),
        'report_s': _seconds('report', str(grown)),
    }


def _seconds(*words: str) -> float:
    begin = time.monotonic()
    command = [sys.executable, '-m', 'r2rgen_ros.cli.main', *words]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return round(time.monotonic() - begin, 2)


def _grow(place: Place, count: int) -> Path:
    """Make a dataset of so many attempts: those of the first one, over and over."""
    folder = place.folder / 'grown'
    shutil.copytree(place.folder / 'one', folder)
    grown = Dataset.open(folder)
    known = list(grown.entries())
    with (folder / MANIFEST_NAME).open('a') as file:
        for index in range(len(known), count):
            entry = replace(known[index % len(known)], index=index)
            file.write(entry.to_line(grown.place(index)))
            if entry.accepted:
                link = grown.episode(index)
                link.parent.mkdir(exist_ok=True)
                link.symlink_to(grown.episode(index % len(known)))
    return folder
