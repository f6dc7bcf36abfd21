# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One thread that does what a person asks for, and in between brings the scene up to date."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_END_S = 10.0


class StoppedError(Exception):
    """The work under way shall end: there is other work, or the page closes. Not a fault."""


class Worker:
    """Does one thing after the other, never two at once.

    What a person asks for is done in order, all of it. Only when nothing is left is the scene
    brought up to date, and that stops as soon as a person asks for something else.

    Args:
        catch_up: Brings things up to date; calls `check` now and then.
        failed: Told of the error that ended some work.

    """

    def __init__(self, catch_up: Callable[[], None], failed: Callable[[Exception], None]) -> None:
        self._catch_up = catch_up
        self._failed = failed
        self._changed = threading.Condition()
        self._asked: deque[Callable[[], None]] = deque()
        self._behind = True
        self._catching_up = False
        self._ending = False
        # A daemon: one step that hangs must not keep the process from ending.
        self._thread = threading.Thread(target=self._loop, name='annotation', daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def ask(self, work: Callable[[], None]) -> None:
        """Have something done, after what was asked for before; returns at once."""
        with self._changed:
            self._asked.append(work)
            self._changed.notify_all()

    def check(self) -> None:
        """Raise if the work under way shall stop here.

        Raises:
            StoppedError: It shall.

        """
        if threading.current_thread() is self._thread and (
            self._ending or (self._catching_up and self._asked)
        ):
            raise StoppedError

    def close(self) -> None:
        """Stop what is under way and end the thread."""
        with self._changed:
            self._ending = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(_END_S)

    def _loop(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._asked or self._behind or self._ending)
                if self._ending:
                    return
                self._catching_up = not self._asked
                self._behind = not self._catching_up
                work = self._catch_up if self._catching_up else self._asked.popleft()
            try:
                work()
            except StoppedError:
                self._behind = True
            except Exception as error:  # noqa: BLE001  # a page that dies helps nobody
                self._failed(error)
