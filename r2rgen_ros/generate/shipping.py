# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Makers and bags as bytes, for machines that share no disk.

A pickled maker holds all that it was made from (scene, kinematics, meshes, profiles) but the frames
of the recording, which are read when they are asked for. So the recording goes along, and a machine
that does not have it keeps a copy of it for as long as it needs it.
"""

from __future__ import annotations

import io
import os
import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from r2rgen_ros.bags.failures import writing
from r2rgen_ros.bags.reader import BagReader
from r2rgen_ros.generate.dataset import bag_files, fingerprint
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.model.paths import sync

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from r2rgen_ros.generate.maker import Maker

Files = dict[str, 'NDArray[np.uint8]']
"""Contents of the files of a bag, by name."""
PIECE_BYTES = 1 << 26


class _Packer(pickle.Pickler):
    """Names recordings in place of what reads them."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, protocol=5)
        self.bags: set[Path] = set()

    def persistent_id(self, item: Any) -> str | None:
        """Name a reader by the path of its bag."""
        if not isinstance(item, BagReader):
            return None
        path = item.path.resolve()
        self.bags.add(path)
        return str(path)


class _Unpacker(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, find: Callable[[Path], Path]) -> None:
        super().__init__(file)
        self._find = find
        self._readers: dict[str, BagReader] = {}

    def persistent_load(self, name: Any) -> BagReader:
        """Open the bag of that path, or what stands in for it."""
        if name not in self._readers:  # asked once for every place that it stands in
            self._readers[name] = BagReader(self._find(Path(name)))
        return self._readers[name]


def pack(maker: Maker) -> tuple[NDArray[np.uint8], tuple[Path, ...]]:
    """Turn a maker into bytes.

    Returns:
        The bytes, and the recordings that it reads.

    """
    file = io.BytesIO()
    packer = _Packer(file)
    packer.dump(maker)
    return np.frombuffer(file.getbuffer(), np.uint8), tuple(sorted(packer.bags))


def unpack(packed: NDArray[np.uint8], find: Callable[[Path], Path]) -> Maker:
    """Turn bytes into the maker that they were.

    Args:
        packed: From `pack`; none of it is written to, or kept.
        find: Returns where a recording is, given where it was.

    """
    maker: Maker = _Unpacker(io.BytesIO(packed.data), find).load()
    return maker


def is_same_bag(path: Path, mark: str) -> bool:
    """Whether a recording of that fingerprint lies at a path."""
    try:
        return path.exists() and fingerprint(path) == mark
    except (R2RGenError, OSError):
        return False


def pieces_of(bag: Path) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Yield the names of a recording's files with what is in them, a piece at a time.

    Raises:
        OSError: A file cannot be read.

    """
    for path in bag_files(bag):
        with path.open('rb') as file:
            while data := file.read(PIECE_BYTES):
                yield path.name, np.frombuffer(data, np.uint8)


def join_pieces(folder: Path, pieces: Iterable[tuple[str, NDArray[np.uint8]]]) -> None:
    """Write files from their pieces.

    Raises:
        OSError: The disk says no.

    """
    for name, data in pieces:
        with (folder / name).open('ab') as file:
            file.write(data.data)


def read_bag(bag: Path) -> Files:
    """Return what is in the files of an episode's bag."""
    return {path.name: np.fromfile(path, np.uint8) for path in sorted(bag.iterdir())}


def write_bag(bag: Path, files: Files) -> None:
    """Write an episode's bag, so that it lasts.

    Raises:
        DiskFullError: There is no space left.
        R2RGenError: The folder may not be written to, or the like.

    """
    with writing(bag):
        bag.mkdir()
        for name, data in files.items():
            with (bag / name).open('wb') as file:
                file.write(data.data)
                file.flush()
                os.fsync(file.fileno())
        sync(bag)
