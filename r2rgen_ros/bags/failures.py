# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What goes wrong with files, said in one line."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.model.paths import NO_SPACE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class DiskFullError(R2RGenError):
    """A bag could not be written for want of space; who can go on with it says how."""


def recovery(path: Path) -> str:
    """How to mend a damaged bag of its kind."""
    if path.suffix == '.bag':
        return 'record it again, or recover it with "rosbag reindex" of ROS 1'
    return 'record it again, or recover it with "ros2 bag reindex" or "mcap recover"'


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn whatever a broken bag raises into one line that names it.

    A damaged file may raise anything from inside the parsers (struct, zstd, YAML, SQLite, text
    decoding), so everything but an interrupt is caught here, and nowhere else.

    Raises:
        R2RGenError: The bag cannot be read.

    """
    try:
        yield
    except R2RGenError:
        raise
    except FileNotFoundError as err:
        raise R2RGenError(
            f'a file of the bag {path} is missing ({_first_line(err)})',
            'a rosbag2 folder, a .mcap or .db3 file, or a ROS 1 .bag',
            'check the path',
        ) from err
    except PermissionError as err:
        raise R2RGenError(
            f'{path} may not be read ({_first_line(err)})', '', 'change its permissions'
        ) from err
    except Exception as err:
        raise R2RGenError(
            f'{path} cannot be read as a bag ({_first_line(err)})',
            'a complete rosbag2 or ROS 1 bag',
            recovery(path),
        ) from err


@contextmanager
def decoding(what: str) -> Iterator[None]:
    """Name the message that cannot be decoded.

    Args:
        what: The message, say 'cloud 3 of /points'.

    Raises:
        R2RGenError: It contradicts itself.

    """
    try:
        yield
    except R2RGenError as err:
        found = f'{what} cannot be read: {err.found}'
        raise R2RGenError(found, err.expected, err.fix) from err


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the operating system refuses into one line.

    Raises:
        DiskFullError: There is no space left.
        R2RGenError: The folder may not be written to, or the like.

    """
    try:
        yield
    except OSError as err:
        if err.errno in NO_SPACE:
            raise DiskFullError(
                f'the disk is full: {path} could not be written and was removed',
                'room for one more bag',
                'free some space and run the command again',
            ) from err
        raise R2RGenError(
            f'{path} cannot be written ({_first_line(err)})',
            'a folder that may be written to',
            'choose another output folder, or change its permissions',
        ) from err


def _first_line(err: BaseException) -> str:
    text = str(err).strip().splitlines()
    return text[0].rstrip('.') if text else type(err).__name__
