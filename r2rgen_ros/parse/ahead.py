# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Frames got ready in a thread while those before them are thought about."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future

_AHEAD = 3

Item = TypeVar('Item')
Ready = TypeVar('Ready')


def ahead(work: Callable[[Item], Ready], items: Iterable[Item]) -> Iterator[Ready]:
    """Yield what `work` makes of every item, in their order; the next few are made meanwhile.

    Args:
        work: Called in one thread, with one item after another; what it raises is raised here.
        items: What to work on.

    """
    rest = iter(items)
    with ThreadPoolExecutor(1) as pool:
        waiting: deque[Future[Ready]] = deque()
        try:
            for item in islice(rest, _AHEAD):
                waiting.append(pool.submit(work, item))
            while waiting:
                ready = waiting.popleft().result()
                waiting.extend(pool.submit(work, item) for item in islice(rest, 1))
                yield ready
        finally:
            for future in waiting:
                future.cancel()
