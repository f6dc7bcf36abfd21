# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Writing files so that a reader finds either all of one or nothing, and only where allowed."""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from r2rgen_ros.model.errors import R2RGenError

if TYPE_CHECKING:
    from collections.abc import Iterator

NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""What the system says where a disk, a quota or the size of a file has come to its end."""


def inside(folder: Path, name: str) -> Path:
    """Return the path of a name below a folder, or raise if it leads out of it.

    Args:
        folder: The folder that must not be left.
        name: A relative path from a file or a person.

    Raises:
        R2RGenError: The name is absolute, or leads out of the folder, also through links.

    """
    path = folder / name
    try:
        leads_out = Path(name).is_absolute() or not path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):  # links in a circle; a name with a zero byte
        raise R2RGenError(f'{name!r} is no path below {folder}') from None
    if leads_out:
        raise R2RGenError(f'"{name}" leads out of {folder}', 'a path below that folder')
    return path


def as_is_or_below(folder: Path, name: str) -> Path:
    """Return the path that a person means: the name as it is, or below a folder if only there.

    Args:
        folder: Where such things usually lie.
        name: A path; '~' is the home folder.

    Returns:
        The path, which need not exist. Without anything there it is the name as it is.

    """
    path = Path(name).expanduser()
    below = folder / path
    return below if not path.exists() and below.exists() else path


def require_new(path: Path) -> Path:
    """Return a path that does not exist yet.

    Raises:
        R2RGenError: Something is there; nothing is ever overwritten.

    """
    if path.exists() or path.is_symlink():
        raise R2RGenError(
            f'{path} exists already', 'a new name', 'choose another output or move it away'
        )
    return path


@contextlib.contextmanager
def os_errors(doing: str) -> Iterator[None]:
    """Turn errors of the operating system into one clear line.

    Args:
        doing: What is being done, to begin the message: 'cannot write /x'.

    Raises:
        R2RGenError: Instead of any OSError.

    """
    try:
        yield
    except OSError as error:
        if error.errno in NO_SPACE:
            raise R2RGenError(
                f'{doing}: the disk is full', '', 'free some space and run again'
            ) from None
        raise R2RGenError(f'{doing}: {error.strerror or error}') from None


def sync(path: Path) -> None:
    """Make a file's contents, or the renames in a folder, last through a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def temporary(path: Path) -> Path:
    """Return the name, beside it, under which this process writes what shall be called so."""
    return path.with_name(f'.{path.name}.tmp-{os.getpid()}')


def remove_leftovers(folder: Path, name: str = '*') -> None:
    """Remove what processes that are gone have left under temporary names.

    Args:
        folder: Where to look.
        name: What they were writing; '*' for anything.

    """
    pattern = name if name == '*' else glob.escape(name)
    for path in folder.glob(f'.{pattern}.tmp-*'):
        number = path.name.rpartition('-')[2]
        if not number.isdigit() or is_running(int(number)):
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def is_running(process: int) -> bool:
    """Whether another process of that number runs on this machine."""
    if process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def write_bytes(path: Path, data: bytes, *, replace: bool = False) -> None:
    """Write a whole file under a temporary name, sync it and rename it.

    Args:
        path: Where the file goes; its folder is made if need be.
        data: The contents.
        replace: Whether a file that is there may be replaced.

    Raises:
        R2RGenError: Something is there already, or the disk says no; nothing is left behind.

    """
    if not replace:
        require_new(path)
    begun = temporary(path)
    with os_errors(f'cannot write {path}'):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with begun.open('wb') as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            begun.replace(path)
            sync(path.parent)
        except BaseException:
            begun.unlink(missing_ok=True)
            raise


def write_text(path: Path, text: str, *, replace: bool = False) -> None:
    """Write a whole text file; see `write_bytes`."""
    write_bytes(path, text.encode(), replace=replace)
