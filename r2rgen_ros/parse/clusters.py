# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Euclidean clusters: points that hang together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def spacing(points: Floats) -> float:
    """Median distance (metres) of a point (N, 3) from its nearest neighbour."""
    if len(points) < 2:
        return 0.0
    few = points[:: max(1, len(points) // 2000)]
    distances = np.asarray(cKDTree(points).query(few, k=2)[0])
    return float(np.median(distances[:, 1]))


def clusters(points: Floats, radius: float, least: int) -> NDArray[np.int64]:
    """Label points by the cluster they belong to.

    Two points belong together if a chain of points leads from one to the other with no gap wider
    than the radius. Dense clouds are thinned to a grid of half the radius first.

    Args:
        points: (N, 3) metres.
        radius: Widest gap, metres.
        least: Fewest points of a cluster.

    Returns:
        (N,) cluster of each point, -1 for too small ones; clusters are numbered by size, the
        largest first.

    """
    if len(points) == 0:
        return np.zeros(0, dtype=np.int64)
    cells, inverse = np.unique(np.floor(points / (radius / 2)), axis=0, return_inverse=True)
    inverse = inverse.reshape(-1)
    sums = np.stack([np.bincount(inverse, points[:, k]) for k in range(3)], axis=1)
    centres = sums / np.bincount(inverse)[:, None]
    pairs = cKDTree(centres).query_pairs(radius, output_type='ndarray')
    ones = np.ones(len(pairs), dtype=bool)
    graph = coo_matrix((ones, (pairs[:, 0], pairs[:, 1])), shape=(len(cells), len(cells)))
    _, component = connected_components(graph, directed=False)
    return by_size(component[inverse].astype(np.int64), least)[0]


def by_size(label: NDArray[np.int64], least: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Number labels anew by size, the largest first.

    Args:
        label: (N,) label of each point, below 0 for none.
        least: Fewest points of a label that is kept.

    Returns:
        (N,) new label of each point, -1 for none and for too small ones; and the old label of each
        new one.

    """
    counts = np.bincount(label[label >= 0])
    order = np.argsort(-counts, kind='stable')
    rank = np.full(len(counts) + 1, -1, dtype=np.int64)
    big = order[counts[order] >= max(1, least)]
    rank[big] = np.arange(len(big))
    return np.asarray(rank[np.maximum(label, -1)]), big
