# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Locks on files: they end with the processes that hold them, also with a kill -9."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_AGAIN_S = 0.02


class FileLock:
    """A lock on a file that is made for it (flock); forked processes hold it too.

    Args:
        path: The file; its folder exists.

    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: int | None = None

    @property
    def is_held(self) -> bool:
        """Whether this object holds the lock."""
        return self._handle is not None

    def take(self, *, shared: bool = False, wait_s: float = 0.0) -> bool:
        """Take the lock, or change one that is held into a shared or an unshared one.

        Args:
            shared: Whether others may hold it too.
            wait_s: How long to try.

        Returns:
            Whether it is held; what was held before is lost if not.

        Raises:
            OSError: The file cannot be made.

        """
        end = time.monotonic() + wait_s
        while not self._take(fcntl.LOCK_SH if shared else fcntl.LOCK_EX):
            if time.monotonic() >= end:
                return False
            time.sleep(_AGAIN_S)
        return True

    def _take(self, kind: int) -> bool:
        if self._handle is None:
            self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._handle, kind | fcntl.LOCK_NB)
            # Whoever held it before may have removed the file meanwhile: then it locks nothing.
            if os.path.samestat(os.fstat(self._handle), os.stat(self._path)):  # noqa: PTH116
                return True
        except (BlockingIOError, FileNotFoundError):
            pass
        self.drop()
        return False

    def drop(self) -> None:
        """Give the lock back."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def remove(self) -> None:
        """Remove the file, and give the lock back."""
        if self._handle is not None:
            with suppress(OSError):
                self._path.unlink()
            self.drop()
