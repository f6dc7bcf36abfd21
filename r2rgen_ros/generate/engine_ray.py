# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Attempts as tasks of Ray, on this machine or on a cluster. Nothing else here knows Ray.

The maker is put into Ray's object store once, and kept by every worker process that has fetched it.
Workers write bags into folders of their own, and the bytes come back through the object store, so
the machines need not share a disk. Ray makes a task again whose worker or machine was lost, spills
to disk what does not fit into memory, and uses machines that join.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import platform
import socket
import threading
import time
import uuid
from collections import deque
from concurrent.futures import Future, wait
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from r2rgen_ros.generate import scratch
from r2rgen_ros.generate.dataset import fingerprint
from r2rgen_ros.generate.engine import AHEAD, TRIES, WATCH_S
from r2rgen_ros.generate.interrupts import Interrupts
from r2rgen_ros.generate.job import versions
from r2rgen_ros.generate.manifest import Entry, episode_name
from r2rgen_ros.generate.shipping import (
    Files,
    is_same_bag,
    join_pieces,
    pack,
    pieces_of,
    read_bag,
    unpack,
    write_bag,
)
from r2rgen_ros.model.errors import R2RGenError, require
from r2rgen_ros.model.paths import os_errors

try:
    import ray
    from ray.exceptions import RayError, RayTaskError
except ImportError:
    raise R2RGenError(
        'the engine ray needs Ray, which is not installed',
        '',
        "run: pip install ray (or '.[ray]' in a checkout), on every machine of the cluster",
    ) from None

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import TracebackType

    from r2rgen_ros.generate.engine import Result
    from r2rgen_ros.generate.maker import Maker

Answer = TypeVar('Answer')
Made = tuple[Entry, 'Files | None', float]
"""An attempt, the files of its bag (None where rejected), and how long it took."""
_REACH_S = 5.0
_COUNT_S = 2.0
_LEAVE_S = 600  # a busy machine takes its time to leave a lost cluster
_ASK_S = 2.0
_AGAIN_S = 10.0
_DOUBT_S = 60.0
_ANSWER_S = 120.0
_NOT_THERE = 'failed to import'


class RayEngine:
    """Context manager that makes attempts with Ray; it is connected to until the block ends.

    Args:
        address: HOST:PORT of a cluster, or 'auto' for the one that runs on this machine; empty to
            start Ray on this machine for the while.
        workers: So many attempts at a time; None for as many as there are processor cores.

    Raises:
        R2RGenError: There is no cluster at the address, or Ray does not start.

    """

    def __init__(self, address: str = '', workers: int | None = None) -> None:
        if address not in {'', 'auto'}:
            _reach(address)
        self._workers, self._is_own = workers, not address
        os.environ.setdefault('RAY_USAGE_STATS_ENABLED', '0')  # nobody is told what is done here
        # What attempts fail of that are not waited for any more is the same as of the first one.
        os.environ.setdefault('RAY_IGNORE_UNHANDLED_ERRORS', '1')
        # Without the head Ray ends this process without a word; `_Head` tells it before.
        os.environ.setdefault('RAY_gcs_rpc_server_reconnect_timeout_s', str(_LEAVE_S))
        options: dict[str, Any] = {'num_cpus': workers} if self._is_own else {}
        if self._is_own:
            options['include_dashboard'] = False
        try:
            ray.init(
                address=address or 'local',
                log_to_driver=False,
                logging_level=logging.ERROR,
                namespace='r2rgen',
                **options,
            )
        except Exception as error:  # Ray raises what its parts raise
            where = f'at {address}' if address else 'on this machine'
            raise R2RGenError(
                f'Ray cannot be used {where} ({_first_line(error).partition(". ")[0]})',
                '',
                _fix_connection() if address else 'run with --engine local',
            ) from error

    def __enter__(self) -> RayEngine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with Interrupts():
            ray.shutdown()
            scratch.remove_leftovers()

    @contextlib.contextmanager
    def results(self, maker: Maker, pending: Path, indices: range) -> Iterator[Iterator[Result]]:
        """Make attempts; see `Engine`."""
        with Interrupts() as interrupts:
            head = _Head(interrupts)
            with head.told_if_lost():
                order = _Order(_parcel_of(maker), None if self._is_own else self._workers, head)
            # What is still under way then ends with the connection. It is not cancelled: where a
            # task ends just then, Ray 2.60 aborts this process ("task that was not pending").
            yield order.results(pending, indices)


def _fix_connection() -> str:
    """What to do about a cluster that answers, but cannot be used."""
    start = 'start it with "ray start --head", with the same versions of Ray and Python'
    if os.environ.get('RAY_AUTH_MODE', '').lower() == 'token':
        return f"{start}, and let ~/.ray/auth_token be that of the cluster's first machine"
    return (
        f'{start}; if it was started with a token, as Ray does where ~/.ray/auth_token exists, '
        'copy that file here and set RAY_AUTH_MODE=token'
    )


def _reach(address: str) -> None:
    """Notice at once that nobody listens; Ray tries for minutes."""
    host, _, port = address.rpartition(':')
    require(
        bool(host) and port.isdigit() and '://' not in host,
        f'the address is {address}', 'HOST:PORT, or auto', 'look at what "ray start --head" prints',
    )  # fmt: skip
    try:
        socket.create_connection((host, int(port)), _REACH_S).close()
    except (OSError, OverflowError) as error:
        raise R2RGenError(
            f'no cluster answers at {address} ({_first_line(error)})',
            'the address that "ray start --head" prints',
        ) from None


class _Head:
    """The process that knows of the whole cluster: without it Ray ends this one after a while."""

    def __init__(self, interrupts: Interrupts) -> None:
        self.address = str(ray.get_runtime_context().gcs_address)
        self._interrupts = interrupts
        self._asked = time.monotonic()

    def check(self) -> None:
        """Ask now and then whether it is there; to be called while waiting for anything.

        Raises:
            R2RGenError: It is gone.
            KeyboardInterrupt: Ctrl-C has been pressed.

        """
        self._interrupts.check()
        if time.monotonic() - self._asked > _ASK_S:
            self.ask()

    def ask(self) -> None:
        """Ask whether it is there.

        Raises:
            R2RGenError: It is gone.

        """
        host, _, port = self.address.rpartition(':')
        try:
            socket.create_connection((host, int(port)), _REACH_S).close()
        except OSError as error:
            raise self.lost(error) from None
        self._asked = time.monotonic()

    def answer(self, question: Callable[[], Answer]) -> Answer:
        """Ask Ray what only the head knows: where it is gone meanwhile, Ray would wait for it.

        Raises:
            R2RGenError: It is gone, or does not answer.
            KeyboardInterrupt: Ctrl-C has been pressed.

        """
        answered: Future[Answer] = Future()

        def put() -> None:
            try:
                answered.set_result(question())
            except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
                answered.set_exception(error)

        self.ask()
        threading.Thread(target=put, daemon=True).start()
        until = time.monotonic() + _ANSWER_S
        while not wait([answered], WATCH_S).done:
            self.check()
            if time.monotonic() > until:
                raise self.lost(TimeoutError('it does not answer'))
        with self.told_if_lost():
            return answered.result()

    def lost(self, error: BaseException) -> R2RGenError:
        """What to say of it."""
        return R2RGenError(
            f'the cluster at {self.address} is lost ({_first_line(error)})',
            '',
            'start it again, and go on with --resume: what is in the dataset stays',
        )

    @contextlib.contextmanager
    def told_if_lost(self) -> Iterator[None]:
        """Turn what Ray raises where it cannot reach its own parts into one message."""
        try:
            yield
        except (RayError, ConnectionError) as error:
            raise self.lost(error) from error


@dataclass(frozen=True)
class _Parcel:
    """What a worker process needs; it fetches what the references stand for when it begins.

    Attributes:
        name: Told from that of all other parcels.
        host: Of the machine that generates.
        versions: Of what decides the bytes.
        maker: Reference of the packed maker.
        bags: Fingerprint of each recording, and its files' names with references of their pieces.

    """

    name: str
    host: str
    versions: dict[str, str]
    maker: Any
    bags: dict[str, tuple[str, list[tuple[str, Any]]]]


def _versions() -> dict[str, str]:
    return {**versions(), 'python': platform.python_version()}


def _parcel_of(maker: Maker) -> _Parcel:
    packed, bags = pack(maker)
    shipped = {}
    with os_errors('cannot read the recording'):
        for bag in bags:
            pieces = [(name, ray.put(data)) for name, data in pieces_of(bag)]
            shipped[str(bag)] = (fingerprint(bag), pieces)
    host = platform.node()
    return _Parcel(uuid.uuid4().hex, host, _versions(), ray.put(packed), shipped)


class _Order:
    """Tasks of one generation, and their results in the order of the attempts."""

    def __init__(self, parcel: _Parcel, workers: int | None, head: _Head) -> None:
        self._parcel, self._workers, self._head = ray.put(parcel), workers, head
        self._task = _task()
        self._pending: deque[_Pending] = deque()
        self._cores, self._counted = 1, 0.0
        self._machines, self._looked = head.answer(_machines), time.monotonic()
        self._lost = -math.inf

    def _room(self) -> int:
        """How many attempts may be under way; machines come and go."""
        now = time.monotonic()
        if now - self._counted > _COUNT_S or not self._counted:
            found = self._head.answer(_resources)
            self._cores, self._counted = int(found.get('CPU', 1)), now
        cores = max(self._cores, 1)
        # Results wait for their turn; of what somebody limits, no more than that is under way.
        return AHEAD * cores if self._workers is None else min(self._workers, AHEAD * cores)

    def results(self, pending: Path, indices: range) -> Iterator[Result]:
        """Yield the results; bags are written below the pending folder."""
        following = iter(indices)
        while True:
            for index in islice(following, max(0, self._room() - len(self._pending))):
                self._pending.append(_Pending(index, [self._begin(index)], again=self._doubted()))
            if not self._pending:
                return
            first = self._pending[0]
            entry, files, seconds = self._wait_for(first)
            self._pending.popleft()
            bag = None
            if files is not None:
                bag = pending / episode_name(first.index)
                write_bag(bag, files)
            del files, first  # the object store may forget them
            yield entry, bag, seconds

    def _begin(self, index: int) -> Any:
        return self._task.remote(self._parcel, index)

    def _wait_for(self, first: _Pending) -> Made:
        while True:
            self._head.check()
            while (done := first.done(WATCH_S)) is None:
                self._head.check()
                self._watch_machines()
            if len(first.tasks) == 1 or not _is_lost(done):
                return _result_of(first.index, done)
            first.tasks.remove(done)

    def _doubted(self) -> float:
        """When to begin once more what is begun now.

        Some time after a machine was lost: others may have heard of it too late, and sent it there.
        """
        now = time.monotonic()
        return now + _AGAIN_S if now < self._lost + _DOUBT_S else math.inf

    def _watch_machines(self) -> None:
        """Begin what is under way once more where a machine was lost.

        Ray does that by itself if the connections to it break. Of a machine that just fell silent,
        as one whose cable was pulled, it waits for minutes for what was begun there.
        """
        now = time.monotonic()
        if now - self._looked < _ASK_S:
            return
        self._looked = now
        before, self._machines = self._machines, self._head.answer(_machines)
        # Ray asks for no more workers than there are tasks of one kind, and those that it asked a
        # silent machine for count; tasks of another kind do not wait for them.
        if not before <= self._machines:
            self._lost, self._task = now, _task()
            for each in self._pending:
                each.again = now + each.wait
                if not each.is_made():
                    each.tasks.append(self._begin(each.index))
        first = self._pending[0]
        if first.again <= now:
            self._task = _task()
            first.wait *= 2
            first.again = now + first.wait
            first.tasks.append(self._begin(first.index))


@dataclass
class _Pending:
    """An attempt under way.

    Attributes:
        index: Its number.
        tasks: Of which any result will do: they make the same bytes.
        again: When to begin it once more if it is waited for, where a machine was lost.
        wait: How long that is from now on; grows.

    """

    index: int
    tasks: list[Any]
    again: float = math.inf
    wait: float = _AGAIN_S

    def done(self, timeout: float) -> Any:
        """The first of its tasks whose result is here; None where none is after so many seconds."""
        return next(iter(ray.wait(self.tasks, timeout=timeout)[0]), None)

    def is_made(self) -> bool:
        """Whether there is a result somewhere, as far as Ray knows."""
        return bool(ray.wait(self.tasks, timeout=0.0, fetch_local=False)[0])


def _task() -> Any:
    """An attempt as a task of Ray; each call makes another kind of task."""
    return ray.remote(num_cpus=1, max_retries=TRIES)(_attempt)


def _machines() -> set[str]:
    """Which machines the cluster has, as far as it knows."""
    return {node['NodeID'] for node in ray.nodes() if node['Alive']}  # type: ignore[no-untyped-call]


def _resources() -> dict[str, float]:
    return dict(ray.cluster_resources())  # type: ignore[no-untyped-call]


def _is_lost(task: Any) -> bool:
    """Whether a task that has ended gave nothing, not even what an attempt raised."""
    try:
        ray.get(task)
    except RayTaskError:
        return False
    except RayError:
        return True
    return False


def _result_of(index: int, task: Any) -> Made:
    try:
        made: Made = ray.get(task)
        return made
    except RayTaskError as error:
        cause = error.cause
        if isinstance(cause, ImportError) or _NOT_THERE in str(cause):
            raise R2RGenError(
                f'a machine of the cluster cannot begin ({_first_line(cause)})',
                'r2rgen_ros on every machine',
                'install it there, in the Python that Ray runs in',
            ) from error
        raise cause from error
    except RayError as error:
        raise R2RGenError(
            f'attempt {index} was lost with its worker {TRIES + 1} times'
            f' ({type(error).__name__}: {_first_line(error)})',
            '',
            'look at the memory of the machines, and run again with --resume',
        ) from error


class _Worker:
    """What a worker process keeps from attempt to attempt."""

    def __init__(self, parcel: _Parcel) -> None:
        scratch.remove_leftovers()
        self.parcel = parcel
        own = _versions()
        for name, version in parcel.versions.items():
            require(
                own[name] == version,
                f'{platform.node()} has {name} {own[name]}', f'{version}, as {parcel.host} has it',
                'install the same versions on all machines of the cluster',
            )  # fmt: skip
        self._copies: list[scratch.Scratch] = []
        self.maker = unpack(ray.get(parcel.maker), self._find)

    def _find(self, bag: Path) -> Path:
        """Return where a recording is on this machine, if need be a copy."""
        mark, pieces = self.parcel.bags[str(bag)]
        if is_same_bag(bag, mark):
            return bag
        copy = scratch.Scratch(
            f'bag-{mark}',
            lambda folder: join_pieces(folder, ((name, ray.get(piece)) for name, piece in pieces)),
        )
        self._copies.append(copy)
        files = {name for name, _ in pieces}
        return copy.path / bag.name if files == {bag.name} else copy.path

    def attempt(self, index: int) -> Made:
        """Make an attempt."""
        with scratch.Scratch(f'attempt-{uuid.uuid4().hex}') as folder:
            entry, bag, seconds = self.maker.attempt(index, folder)
            return entry, None if bag is None else read_bag(bag), seconds

    def close(self) -> None:
        """Let go of copies."""
        for copy in self._copies:
            copy.close()


_kept: _Worker | None = None


def _attempt(parcel: _Parcel, index: int) -> Made:
    """Make an attempt in a worker process."""
    global _kept  # a task finds nothing else again of what earlier tasks of its process had
    try:
        if _kept is None or _kept.parcel.name != parcel.name:
            if _kept is not None:
                _kept.close()
            _kept = _Worker(parcel)
        return _kept.attempt(index)
    except R2RGenError as error:
        if platform.node() == parcel.host:
            raise
        found = f'on {platform.node()}: {error.found}'
        raise type(error)(found, error.expected, error.fix) from error


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0].rstrip('.') if lines else type(error).__name__
