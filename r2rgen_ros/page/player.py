# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which frame is shown: chosen by a person, or moved on while the demonstration plays."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_FASTEST_S = 0.05
"""Shortest time between two frames that are shown; others are passed over."""


class Player:
    """The frame that is shown, and whether it moves on by itself.

    Args:
        frames: Number of frames.
        period_s: Time between two of them, seconds.
        changed: Called, in any thread, when the frame or playing has changed.

    """

    def __init__(self, frames: int, period_s: float, changed: Callable[[], None]) -> None:
        self._frames = frames
        self._period_s = period_s
        self._changed = changed
        self._lock = threading.Condition()
        self._frame = 0
        self._playing = False
        self._run = 0
        self._ending = False
        self._thread = threading.Thread(target=self._loop, name='player', daemon=True)
        self._thread.start()

    @property
    def frame(self) -> int:
        """The frame that is shown."""
        return self._frame

    @property
    def is_playing(self) -> bool:
        """Whether it moves on by itself."""
        return self._playing

    def go(self, frame: int) -> None:
        """Show a frame, and stay there; the first or last one for numbers beyond."""
        with self._lock:
            self._playing = False
            self._run += 1
            self._frame = min(max(frame, 0), self._frames - 1)
        self._changed()

    def toggle(self) -> None:
        """Play, from the beginning where it has come to the end, or pause."""
        with self._lock:
            self._playing = not self._playing
            self._run += 1
            if self._playing and self._frame == self._frames - 1:
                self._frame = 0
            self._lock.notify_all()
        self._changed()

    def close(self) -> None:
        """End."""
        with self._lock:
            self._ending = True
            self._lock.notify_all()
        self._thread.join()

    def _loop(self) -> None:
        while True:
            with self._lock:
                self._lock.wait_for(lambda: self._playing or self._ending)
                if self._ending:
                    return
                run, first = self._run, self._frame
            self._play(run, first, time.monotonic())

    def _play(self, run: int, first: int, since: float) -> None:
        while True:
            time.sleep(max(self._period_s, _FASTEST_S))
            with self._lock:
                if self._run != run or self._ending:
                    return
                passed = int((time.monotonic() - since) / self._period_s)
                self._frame = min(first + passed, self._frames - 1)
                self._playing = self._frame < self._frames - 1
            self._changed()
