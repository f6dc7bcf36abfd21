# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a person does takes effect in the order in which the browser sent it.

Most of it is done by the worker, one after the other. Moving through the frames, and marking the
ends of a skill, shall not wait for long work that has nothing to do with it: such is done at once,
unless something before it that still waits is about the same part of the page. This is how a
processor keeps its instructions in order (the scoreboard of the CDC 6600, Thornton, 1964).
"""

from __future__ import annotations

import threading
from collections import Counter
from enum import Flag, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Part(Flag):
    """Parts of the page that something reads or changes."""

    NONE = 0
    FRAME = auto()
    """Which frame is shown."""
    FORM = auto()
    """The fields of the skill that is being edited."""
    SKILLS = auto()
    """The skills, as listed."""


class Turns:
    """Keeps what a person does in order; asked by the thread that gets the browser's messages.

    Args:
        ask: Has something done by the worker, after all that it was asked for before.
        failed: Told of the error that ended something that was done at once.

    """

    def __init__(
        self, ask: Callable[[Callable[[], None]], None], failed: Callable[[Exception], None]
    ) -> None:
        self._ask = ask
        self._failed = failed
        self._lock = threading.Lock()
        self._waiting: Counter[Part] = Counter()

    def are_free(self, parts: Part) -> bool:
        """Whether nothing that still waits is about any of these parts."""
        with self._lock:
            return not any(parts & each for each in self._waiting)

    def take(self, work: Callable[[], None], parts: Part) -> None:
        """Have something done by the worker.

        Args:
            work: Does it; may take long.
            parts: What it reads or changes; what comes after it and is about these waits for it.

        """
        with self._lock:
            self._waiting[parts] += 1

        def in_turn() -> None:
            try:
                work()
            finally:
                with self._lock:
                    self._waiting[parts] -= 1
                    self._waiting += Counter()  # forgets those of which none is left

        self._ask(in_turn)

    def take_at_once(self, work: Callable[[], None], parts: Part) -> None:
        """Have something done here and now, or by the worker where that would be out of turn.

        Args:
            work: Does it; is over in a moment.
            parts: What it reads or changes.

        """
        if not self.are_free(parts):
            self.take(work, parts)
            return
        try:
            work()
        except Exception as error:  # noqa: BLE001  # the thread has others to serve
            self._failed(error)
