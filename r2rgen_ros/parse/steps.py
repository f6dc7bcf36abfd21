# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How much of a long work is done, in steps of the same time."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Steps:
    """Turns the share of a work that is done into whole steps.

    Args:
        tell: Called with the number of steps done since it was called before; None for nobody.
        count: How many steps the whole work is.

    """

    def __init__(self, tell: Callable[[int], None] | None, count: int) -> None:
        self._tell, self._count, self._told = tell, count, 0

    def reach(self, share: float) -> None:
        """Note that a share of the work, from 0 to 1, is done; what was told is never taken back.

        What the listener raises, say to stop, goes on from here.
        """
        steps = int(min(share, 1.0) * self._count + 1e-9) - self._told
        if steps > 0 and self._tell is not None:
            self._told += steps
            self._tell(steps)

    def part(self, first: float, last: float) -> Callable[[float], None]:
        """Return what notes the share of a part of the work, which lies between two shares."""
        return lambda share: self.reach(first + share * (last - first))
