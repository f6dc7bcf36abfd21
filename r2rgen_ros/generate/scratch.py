# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Folders for a while: below the system's temporary folder, gone when nobody holds them.

Each has a lock beside it that its holders share and that ends with them. What killed processes have
left is found by that, and removed by whoever works here next.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from r2rgen_ros.bags.failures import writing
from r2rgen_ros.model.errors import require
from r2rgen_ros.model.locks import FileLock

if TYPE_CHECKING:
    from collections.abc import Callable

_AGAIN_S = 0.02
_LOCK, _PART = '.lock', '.part'


def scratch_root() -> Path:
    """Folder that all of them lie in; one per user."""
    return Path(tempfile.gettempdir()) / f'r2rgen-{os.getuid()}'


def _begin_root(root: Path) -> None:
    """Make the folder, unless it is there.

    Raises:
        R2RGenError: Somebody else made it, who could then change what is read from it.

    """
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    require(
        _is_own(root), f'{root} belongs to somebody else, or others may write into it',
        'a folder of your own', 'remove it, or set TMPDIR to a folder of your own',
    )  # fmt: skip


def _is_own(root: Path) -> bool:
    """Whether a folder, no link, is the user's, and nobody else may write into it."""
    try:
        found = root.lstat()
    except OSError:
        return False
    mine = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
    return mine and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


class Scratch:
    """Context manager over a folder that this process holds, perhaps together with others.

    Args:
        name: Of the folder; who says the same name gets the same folder.
        fill: Called with the folder by the first one, before any other gets it.

    Raises:
        DiskFullError: There is no space left.
        R2RGenError: It cannot be made.

    """

    def __init__(self, name: str, fill: Callable[[Path], None] | None = None) -> None:
        self.path = scratch_root() / name
        self._lock = FileLock(self.path.with_name(name + _LOCK))
        with writing(self.path):
            _begin_root(self.path.parent)
            while not (self._lock.take(shared=True) and self.path.is_dir()):
                is_alone = False
                try:
                    is_alone = self._lock.take()
                    if is_alone and not self.path.is_dir():
                        self._make(fill)
                finally:
                    self._lock.drop()
                if not is_alone:
                    # Two that try at once would else go on getting in each other's way.
                    time.sleep(_AGAIN_S * (1 + os.getpid() % 7))

    def _make(self, fill: Callable[[Path], None] | None) -> None:
        part = self.path.with_name(self.path.name + _PART)
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        if fill is not None:
            fill(part)
        part.rename(self.path)

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the folder; the last one removes it."""
        self._lock.drop()
        _remove(self._lock, self.path)


def remove_leftovers() -> None:
    """Remove the folders that no process holds."""
    if not _is_own(scratch_root()):
        return
    for path in scratch_root().glob(f'*{_LOCK}'):
        _remove(FileLock(path), path.with_name(path.name.removesuffix(_LOCK)))


def _remove(lock: FileLock, path: Path) -> None:
    """Remove a folder unless somebody holds it."""
    if lock.take():
        shutil.rmtree(path, ignore_errors=True)
        shutil.rmtree(path.with_name(path.name + _PART), ignore_errors=True)
        lock.remove()
