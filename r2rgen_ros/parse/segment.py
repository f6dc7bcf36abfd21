# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Objects of one frame from its patches, by what separates them and by what a person clicked on.

Regions merge in the order of the mean strength of the border between them (the ultrametric contour
map of Arbelaez, 2006), up to the strength at which an object ends. Regions that were clicked on for
different objects never merge, so that the strongest border between two clicks parts them, however
weak it is. Among borders of about the same strength those near a click go first, so that where
there is no border at all everything goes to the nearer click.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from r2rgen_ros.parse.patches import Patches

    Ints = NDArray[np.int64]

ENDS = 0.6
"""Mean strength of a border at which an object ends."""
_SHARE = 0.08  # a handle may look like another thing, but is small beside what it is on


def merge(patches: Patches, seeds: Mapping[int, int], least: int, ends: float = ENDS) -> Ints:
    """Merge patches into objects.

    Args:
        patches: The patches of a frame.
        seeds: Which object a patch was clicked on for, by patch.
        least: Regions of fewer points, or of few beside a neighbour, join one however strong the
            border.
        ends: Mean strength of a border at which an object ends.

    Returns:
        (P,) region of each patch, the number of one of its patches.

    """
    regions = _Regions(patches, seeds)
    regions.run(ends, None)
    regions.run(np.inf, least)
    return regions.roots()


class _Regions:
    """Regions that merge: a union-find with the borders of every region."""

    def __init__(self, patches: Patches, seeds: Mapping[int, int]) -> None:
        self._up = list(range(len(patches)))
        self._size = patches.size.tolist()
        self._seed = dict(seeds)
        self._far = _distances(patches, list(seeds)).tolist()
        self._borders: list[dict[int, tuple[float, float]]] = [{} for _ in self._up]
        for (a, b), length, strength in zip(
            patches.edges.tolist(), patches.length.tolist(), patches.strength.tolist(), strict=True
        ):
            had = self._borders[a].get(b, (0.0, 0.0))
            self._borders[a][b] = self._borders[b][a] = (
                had[0] + length,
                had[1] + length * strength,
            )

    def run(self, ends: float, least: int | None) -> None:
        """Merge across borders weaker than a strength; with a size, only what is smaller."""
        queue = [
            self._entry(a, b)
            for a, borders in enumerate(self._borders)
            for b in borders
            if a < b and borders[b][1] < ends * borders[b][0]
        ]
        heapify(queue)
        while queue:
            _, _, strength, a, b = heappop(queue)
            border = self._borders[a].get(b)
            if border is None or border[1] / border[0] != strength or not self._may(a, b, least):
                continue
            kept = self._join(a, b)
            for other, (length, total) in self._borders[kept].items():
                if total < ends * length:
                    heappush(queue, self._entry(min(kept, other), max(kept, other)))

    def _entry(self, a: int, b: int) -> tuple[float, float, float, int, int]:
        length, total = self._borders[a][b]
        strength = total / length
        return round(strength, 1), max(self._far[a], self._far[b]), strength, a, b

    def _may(self, a: int, b: int, least: int | None) -> bool:
        if a in self._seed and b in self._seed and self._seed[a] != self._seed[b]:
            return False
        if least is None:
            return True
        small = min((a, b), key=lambda k: (self._size[k], k))
        enough = max(least, _SHARE * self._size[a + b - small])
        return self._size[small] < enough and small not in self._seed

    def _join(self, a: int, b: int) -> int:
        """Merge two regions and return the number of what they become."""
        if len(self._borders[a]) < len(self._borders[b]):
            a, b = b, a
        self._up[b] = a
        self._size[a] += self._size[b]
        self._far[a] = min(self._far[a], self._far[b])
        if b in self._seed:
            self._seed[a] = self._seed[b]
        mine = self._borders[a]
        del mine[b]
        for other, (length, total) in self._borders[b].items():
            if other == a:
                continue
            had = mine.get(other, (0.0, 0.0))
            mine[other] = self._borders[other][a] = (had[0] + length, had[1] + total)
            del self._borders[other][b]
        self._borders[b] = {}
        return a

    def roots(self) -> Ints:
        """Return the region of each patch."""
        out = np.array(self._up, dtype=np.int64)
        while True:
            above = out[out]
            if np.array_equal(above, out):
                return out
            out = above


def _distances(patches: Patches, seeds: list[int]) -> NDArray[np.float64]:
    """Way (P,) in metres, from patch to patch, to the nearest seed; 0 where there are none."""
    if not seeds:
        return np.zeros(len(patches))
    one, two = patches.edges.T
    ways = np.linalg.norm(patches.centres[one] - patches.centres[two], axis=1)
    shape = (len(patches), len(patches))
    graph = coo_matrix((np.maximum(ways, 1e-6), (one, two)), shape=shape).tocsr()
    return np.asarray(dijkstra(graph, directed=False, indices=seeds, min_only=True))
