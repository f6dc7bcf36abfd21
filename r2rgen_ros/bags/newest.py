# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The recording that was finished last."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from r2rgen_ros.bags.live import PART
from r2rgen_ros.model.errors import R2RGenError

if TYPE_CHECKING:
    from collections.abc import Iterator

_METADATA = 'metadata.yaml'
_DATASET = 'dataset.yaml'


def newest_bag(folder: Path) -> Path:
    """Return the bag below a folder that was finished last.

    A rosbag2 counts from when its metadata.yaml is written, at the end of the recording. Hidden
    folders, datasets, and recordings that go on or were cut off are passed over.

    Args:
        folder: Where to look, folders within it included.

    Returns:
        Folder of a rosbag2, or a ROS 1 bag.

    Raises:
        R2RGenError: There is none.

    """
    found = list(_bags(folder))
    if not found:
        raise R2RGenError(
            f'no finished recording lies below {folder.absolute()}', 'a bag', 'record one first'
        )
    return max(found)[1]


def _bags(folder: Path) -> Iterator[tuple[int, Path]]:
    """Times at which bags were finished, nanoseconds, and their paths."""
    for place, folders, files in os.walk(folder):
        here = Path(place)
        if _DATASET in files:
            folders.clear()
        elif _METADATA in files:
            folders.clear()
            yield from _finished(here / _METADATA, here)
        else:
            folders[:] = [
                name for name in folders if not name.startswith('.') and not name.endswith(PART)
            ]
            for name in files:
                if name.endswith('.bag') and not name.startswith('.'):
                    yield from _finished(here / name, here / name)


def _finished(file: Path, bag: Path) -> Iterator[tuple[int, Path]]:
    try:
        yield file.stat().st_mtime_ns, bag
    except OSError:  # it was moved or removed just now
        return
