# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where attempts are made: in this process, in several of this machine, or on a cluster.

An engine hands results over in index order, and nothing but the main process adds to the dataset;
so its bytes do not depend on the engine.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Protocol

from r2rgen_ros.generate.manifest import Entry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from r2rgen_ros.generate.maker import Maker

Result = tuple[Entry, 'Path | None', float]
"""An attempt, its bag below the pending folder (None where rejected), and how long it took."""
AHEAD = 3
"""So many attempts per worker are begun before their turn comes."""
WATCH_S = 0.2
TRIES = 5
"""A worker that is lost is replaced; so often in a row without any result, and it is given up."""


class Engine(Protocol):
    """Makes attempts."""

    def results(
        self, maker: Maker, pending: Path, indices: range
    ) -> AbstractContextManager[Iterator[Result]]:
        """Make attempts, ahead of being asked for them.

        Args:
            maker: Makes an attempt.
            pending: Folder for bags that are not in the manifest yet.
            indices: The attempts; those at the end may never be asked for.

        Returns:
            A context with the results in the order of the indices. What is under way when it ends
            is stopped, at the latest when the engine ends.

        Raises:
            R2RGenError: From the iterator: an attempt failed, or its workers were lost again and
                again.
            KeyboardInterrupt: From the iterator: the person pressed Ctrl-C.

        """


class InProcess:
    """Makes attempts one after the other in this process."""

    @contextlib.contextmanager
    def results(self, maker: Maker, pending: Path, indices: range) -> Iterator[Iterator[Result]]:
        """Make an attempt when it is asked for."""
        yield (maker.attempt(index, pending) for index in indices)
