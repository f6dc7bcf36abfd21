# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Kernels: functions that numba compiles, kept for the next process.

What numba keeps, it drops when the file of the function has changed, but not when a function or a
constant has that the file imports: after an update, code of before would run. So each module has a
folder of its own for what was compiled, named after its source and that of all it imports from this
package.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import warnings
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numba

if TYPE_CHECKING:
    from collections.abc import Callable

_PACKAGE = Path(__file__).resolve().parent.parent
_NAME = _PACKAGE.name
_IMPORTS = re.compile(
    rf'^[ \t]*(?:from[ \t]+({_NAME}[\w.]*)[ \t]+import[ \t]*(\([^)]*\)|[^\n]*)'
    rf'|import[ \t]+({_NAME}[\w.]*))',
    re.MULTILINE,
)
_WORD = re.compile(r'\w+')
_KEPT = 3  # states of a module whose compiled code stays, so that one can go back and forth
_deciding = Lock()
_config: Any = numba.config


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function at its first call, or load what was compiled of it before.

    It runs without the interpreter's lock; a division by zero gives infinity or NaN, as in numpy.

    It is kept in the folder that `NUMBA_CACHE_DIR` names, in `__pycache__` of this package or in
    the user's cache, whichever is the first that can be written in; where there is none, every
    process compiles anew, and a warning says so.
    """
    folder = _folder(Path(function.__code__.co_filename))
    # Where numba keeps a function is decided here, from a setting of the whole process.
    with _deciding:
        before = _config.CACHE_DIR
        _config.CACHE_DIR = str(folder or '')
        try:
            decorate = numba.njit(cache=folder is not None, nogil=True, error_model='numpy')
            kernel: Callable[..., Any] = decorate(function)
        finally:
            _config.CACHE_DIR = before
    return kernel


@cache
def _folder(path: Path) -> Path | None:
    """Where the kernels of a file are kept as it is now; None for nowhere."""
    root = _root()
    if root is None:
        return None
    name = '.'.join(path.with_suffix('').parts[-2:])
    try:
        folder = root / f'{name}-{_state(path)}'
        folder.mkdir(parents=True, exist_ok=True)
        os.utime(folder)  # the last to be used are those that stay
    except OSError:
        return None
    for old in sorted(root.glob(f'{name}-*'), key=_last_used)[:-_KEPT]:
        shutil.rmtree(old, ignore_errors=True)  # who still uses it makes it anew
    return folder


def _last_used(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except OSError:  # another process has just removed it
        return 0.0


@cache
def _root() -> Path | None:
    """The first folder for compiled code that can be written in; None for none."""
    folders = _candidates()
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()
        except OSError:
            continue
        return folder
    warnings.warn(
        f'compiled code cannot be kept in {" or ".join(map(str, folders))}: every process compiles '
        'anew, which takes up to minutes; set NUMBA_CACHE_DIR to a folder that can be written in',
        RuntimeWarning,
        stacklevel=2,
    )
    return None


def _candidates() -> list[Path]:
    if _config.CACHE_DIR:
        return [Path(_config.CACHE_DIR)]
    out = [_PACKAGE / '__pycache__' / 'compiled']
    # A container may run as somebody without a home.
    with suppress(RuntimeError):
        users = Path(os.environ.get('XDG_CACHE_HOME') or '~/.cache').expanduser()
        out.append(users / _NAME / 'compiled')
    return out


def _state(path: Path) -> str:
    """What tells the source of a file, and of all that it imports from here, from others."""
    found, todo = {path}, [path]
    while todo:
        new = _imported(todo.pop()) - found
        found |= new
        todo += new
    digest = sha256()
    for each in sorted(found):
        digest.update(_digest(each))
    return digest.hexdigest()[:16]


@cache
def _digest(path: Path) -> bytes:
    return sha256(path.read_bytes()).digest()


@cache
def _imported(path: Path) -> frozenset[Path]:
    """Files of this package that one imports, wherever in it."""
    out: set[Path | None] = set()
    for base, names, alone in _IMPORTS.findall(path.read_text(encoding='utf-8')):
        module = base or alone
        out |= {_file(module), *(_file(f'{module}.{name}') for name in _WORD.findall(names))}
    return frozenset(each for each in out if each is not None)


@cache
def _file(module: str) -> Path | None:
    """The file of a module of this package; None where there is none of that name."""
    place = _PACKAGE.joinpath(*module.split('.')[1:])
    for path in (place.with_suffix('.py'), place / '__init__.py'):
        if path.is_file():
            return path
    return None
