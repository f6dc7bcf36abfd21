# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The terminal: text, tables and progress bars. With --json all of it goes to standard error."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import Task, TaskID


class ReaderGoneError(Exception):
    """Who read our output, say head, has gone."""


class _Console(Console):
    """Tells the command that nobody reads on, where rich would end the process."""

    def on_broken_pipe(self) -> None:
        """Answer a BrokenPipeError."""
        raise ReaderGoneError


class _Terminal:
    """Where text goes; one for the process."""

    def __init__(self) -> None:
        self.out: Console = _Console(highlight=False, soft_wrap=True)


_terminal = _Terminal()


def use_standard_error() -> None:
    """Send text to standard error, so that standard output holds nothing but JSON."""
    _terminal.out = _Console(highlight=False, soft_wrap=True, stderr=True)


def say(text: str = '') -> None:
    """Print a line."""
    _terminal.out.print(Text(text))


def heading(text: str) -> None:
    """Print a line that stands out on a terminal."""
    _terminal.out.print(Text(text, style='bold'))


def complain(text: str) -> None:
    """Print one line of error."""
    line = ' '.join(text.split())  # a path or a library's message may hold newlines
    Console(stderr=True, highlight=False, soft_wrap=True).print(Text(line, style='red'))


def emit(text: str) -> None:
    """Print machine-readable text on standard output."""
    try:
        sys.stdout.write(text + '\n')
        sys.stdout.flush()
    except BrokenPipeError:
        raise ReaderGoneError from None


def forget_standard_output() -> None:
    """Let what is left of the output go nowhere, so that the interpreter ends quietly."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


class _Rate(ProgressColumn):
    """Steps per second."""

    def render(self, task: Task) -> Text:
        """Return the text of the column."""
        speed = task.finished_speed or task.speed
        return Text('' if speed is None else f'{speed:.1f}/s')


class Bar:
    """A running progress bar."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task

    def update(self, steps: int = 1) -> None:
        """Move on by some steps."""
        self._progress.update(self._task, advance=steps)

    def move_to(self, done: int, note: str = '') -> None:
        """Show so many steps as done, with a note behind the bar."""
        self._progress.update(self._task, completed=done, note=note)


@contextmanager
def progress(text: str, total: int) -> Iterator[Bar]:
    """Show a progress bar with rate and time left; nothing where the output is no terminal.

    Args:
        text: What is being done.
        total: Number of steps.

    Yields:
        The bar.

    """
    columns = (
        TextColumn('{task.description}'),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeElapsedColumn(),
        TextColumn('left'),
        TimeRemainingColumn(),
        TextColumn('{task.fields[note]}'),
    )
    terminal = _terminal.out
    with Progress(*columns, console=terminal, disable=not terminal.is_terminal) as bar:
        yield Bar(bar, bar.add_task(text, total=total, note=''))
