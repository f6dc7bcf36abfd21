# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C while processes are forked and waited for."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType


class Interrupts:
    """Context manager that takes note of Ctrl-C instead of raising at once.

    Python drops a KeyboardInterrupt that is raised in a callback, such as those that run around a
    fork: the press would be lost. One that is raised while processes are waited for leaves them
    behind, and the interpreter then waits for them in vain. So no press raises here: the first one
    is noted, and `check` raises at a moment that suits; every further one calls `hurry`. Where
    Ctrl-C is handled already, or in a thread that gets no signals, nothing is changed.

    Args:
        hurry: Cuts short what is waited for.

    """

    def __init__(self, hurry: Callable[[], None] | None = None) -> None:
        self._hurry = hurry
        self._pressed = False
        self._installed = False

    def __enter__(self) -> Interrupts:
        """Begin to take note."""
        is_main = threading.current_thread() is threading.main_thread()
        if is_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._note)
            self._installed = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let Ctrl-C raise again."""
        if self._installed:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _note(self, _number: int, _frame: Any) -> None:
        if self._pressed and self._hurry is not None:
            self._hurry()
        self._pressed = True

    @property
    def is_pressed(self) -> bool:
        """Whether Ctrl-C has been pressed."""
        return self._pressed

    def check(self) -> None:
        """Raise if Ctrl-C has been pressed.

        Raises:
            KeyboardInterrupt: It has.

        """
        if self._pressed:
            raise KeyboardInterrupt
