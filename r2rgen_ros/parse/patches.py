# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Small patches of surface, and how likely it is that one object ends between two of them.

Images are cut into patches by simple non-iterative clustering (Achanta and Süsstrunk, SNIC, 2017)
that never crosses a step in depth. Where two patches meet at a concave angle, as in the local
convexity of Stein et al. (LCCP, 2014), one thing may stand on another; where the colour changes
there too, it most likely does.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from r2rgen_ros.geometry.compiled import compiled
from r2rgen_ros.parse.foreground import cielab, pixel_size

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from r2rgen_ros.parse.snapshot import Snapshot

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

_SIDE_M, _SIDE_PX = 0.012, (5, 9)  # of a patch
_COLOUR = 12.0
_LIGHT = 0.5  # shading changes lightness within an object: it counts half
_NEIGHBOURS = 12
_FLATNESS = 4.0
_STEP_PX = 3.0
_BEHIND, _BEHIND_UNLIKE = 0.3, 0.25
_CELL = 0.5  # edge of a patch of a cloud, in gaps
_FLAT_RAD, _SHARP_RAD = np.deg2rad(25.0), np.deg2rad(70.0)
_LIKE, _UNLIKE = 10.0, 40.0
_BRIDGE_M = 0.025
_TOUCH_M = 0.006
_SAMPLES = 16
_SEEN_THROUGH = 2


@dataclass(frozen=True)
class Patches:
    """Patches of what rises above the support, and the edges between them.

    Attributes:
        owner: (N,) patch of each point of the snapshot, -1 for none.
        size: (P,) number of points.
        centres: (P, 3) mean of the points, metres.
        edges: (E, 2) patches that meet, the smaller number first, sorted.
        length: (E,) how long they meet, in pixels or pairs of points.
        strength: (E,) 0 to 1, how likely an object ends there.

    """

    owner: Ints
    size: Ints
    centres: Floats
    edges: Ints
    length: Floats
    strength: Floats

    def __len__(self) -> int:
        """Return the number of patches."""
        return len(self.size)


def find_patches(snapshot: Snapshot, chosen: Ints, gap: float) -> Patches:
    """Cut points into patches.

    Args:
        snapshot: Points of one frame.
        chosen: (M,) indices of those that rise above the support.
        gap: Steps wider than this are no contact, metres.

    """
    owner = np.full(len(snapshot.points), -1, dtype=np.int64)
    if not len(chosen):
        none = np.zeros(0)
        few = np.zeros(0, np.int64)
        return Patches(owner, few, np.zeros((0, 3)), few.reshape(0, 2), none, none)
    points, lab = snapshot.points[chosen], cielab(snapshot.colours[chosen]).astype(np.float64)
    lab[:, 0] *= _LIGHT
    if len(snapshot.shape) == 2:
        patch, pairs = _of_image(snapshot, chosen, points, lab, gap)
    else:
        patch, pairs = _of_cloud(points, gap)
    owner[chosen] = patch
    centres, normals, tints = _features(patch, points, lab)
    if len(snapshot.shape) == 2:
        v, u = np.divmod(snapshot.index[chosen], snapshot.shape[1])
        normals *= _facing(patch, points, v, u, normals)[:, None]
    else:
        normals[:] = 0.0  # nobody knows which side of a loose point is out
    pairs = pairs[patch[pairs[:, 0]] != patch[pairs[:, 1]]]
    meet = np.sort(patch[pairs], axis=1)
    code, back, count = np.unique(
        meet[:, 0] * len(centres) + meet[:, 1], return_inverse=True, return_counts=True
    )
    edges = np.stack(np.divmod(code, len(centres)), axis=1)
    strength = _strength(edges, centres, normals, tints)
    if len(snapshot.shape) == 2:
        steps = _are_steps(patch, pairs, points, normals, pixel_size(snapshot))
        share = np.bincount(back, steps, minlength=len(edges)) / count
        behind = _BEHIND + _BEHIND_UNLIKE * _unlike(edges, tints)
        strength = share * np.maximum(behind, strength) + (1.0 - share) * strength
    edges, length, strength = _bridged(
        snapshot, owner, chosen, (edges, count.astype(np.float64), strength), tints
    )
    return Patches(owner, np.bincount(patch), centres, edges, length, strength)


def _of_image(
    snapshot: Snapshot, chosen: Ints, points: Floats, lab: Floats, gap: float
) -> tuple[Ints, Ints]:
    """Patches (M,) of pixels, and pairs (K, 2) of neighbouring ones without a step."""
    rows, columns = snapshot.shape
    place = np.full((rows + 2) * (columns + 2), -1, dtype=np.int64)
    v, u = np.divmod(snapshot.index[chosen], columns)
    at = (v + 1) * (columns + 2) + u + 1
    place[at] = np.arange(len(chosen))
    around = np.array([1, -1, columns + 2, -columns - 2])
    beside = place[at[:, None] + around]
    step = np.linalg.norm(points[beside] - points[:, None], axis=2)
    beside[step > gap] = -1
    side = int(np.clip(round(_SIDE_M / pixel_size(snapshot)), *_SIDE_PX))
    patch = _grow_patches(beside, v, u, lab, _seeds(v, u, side), side)
    right_down = beside[:, [0, 2]]
    first, way = np.nonzero(right_down >= 0)
    return patch, np.stack([first, right_down[first, way]], axis=1)


def _seeds(v: Ints, u: Ints, side: int) -> Ints:
    """Per square of the image the pixel nearest to its middle; pixels in rows, v rising."""
    cell = (v // side) * (1 << 20) + u // side
    off = (v % side - side / 2) ** 2 + (u % side - side / 2) ** 2
    order = np.lexsort((off, cell))
    first = np.flatnonzero(np.diff(cell[order], prepend=-1))
    return np.asarray(order[first])


@compiled
def _grow_patches(beside: Any, v: Any, u: Any, lab: Any, seeds: Any, side: int) -> Any:
    """Grow patches (M,) from seeds, always by the pixel most like a patch that it touches."""
    count = len(v)
    patch = np.full(count, -1, np.int64)
    sums = np.zeros((count, 6))
    heap: Any = [(0.0, np.int64(0), np.int64(0))]
    heap.pop()
    for start in range(len(seeds)):
        heappush(heap, (0.0, np.int64(seeds[start]), np.int64(start)))
    number = len(seeds)
    following = 0
    while True:
        if not len(heap):
            # What no seed leads to becomes a patch of its own.
            while following < count and patch[following] >= 0:
                following += 1
            if following == count:
                return patch
            heappush(heap, (0.0, np.int64(following), np.int64(number)))
            number += 1
        _, at, k = heappop(heap)
        if patch[at] >= 0:
            continue
        patch[at] = k
        sums[k, 0] += 1.0
        sums[k, 1] += v[at]
        sums[k, 2] += u[at]
        for c in range(3):
            sums[k, 3 + c] += lab[at, c]
        for way in range(4):
            other = beside[at, way]
            if other < 0 or patch[other] >= 0:
                continue
            n = sums[k, 0]
            dv, du = v[other] - sums[k, 1] / n, u[other] - sums[k, 2] / n
            far = (dv * dv + du * du) / (side * side)
            tint = 0.0
            for c in range(3):
                d = lab[other, c] - sums[k, 3 + c] / n
                tint += d * d
            heappush(heap, (far + tint / (_COLOUR * _COLOUR), other, k))


def _of_cloud(points: Floats, gap: float) -> tuple[Ints, Ints]:
    """Patches (M,) of loose points, small cubes, and pairs (K, 2) of points within the gap."""
    cells = np.floor(points / (_CELL * gap)).astype(np.int64)
    _, first, patch = np.unique(cells, axis=0, return_index=True, return_inverse=True)
    patch = patch.reshape(-1)
    pairs = cKDTree(points[first]).query_pairs(gap, output_type='ndarray')
    return patch, first[pairs]


def _features(patch: Ints, points: Floats, lab: Floats) -> tuple[Floats, Floats, Floats]:
    """Middle (P, 3), normal towards the camera (P, 3), zero where unknown, and colour (P, 3)."""
    count = np.bincount(patch).astype(np.float64)

    def mean(values: Floats) -> Floats:
        return np.bincount(patch, values) / np.maximum(count, 1.0)

    centres = np.stack([mean(points[:, k]) for k in range(3)], axis=1)
    off = points - centres[patch]
    spread = np.empty((len(count), 3, 3))
    for i in range(3):
        for j in range(i, 3):
            spread[:, i, j] = spread[:, j, i] = mean(off[:, i] * off[:, j])
    sizes, axes = np.linalg.eigh(spread)
    normals = axes[:, :, 0]
    # A line, or a heap, has no normal.
    normals[(count < _NEIGHBOURS) | (sizes[:, 1] < _FLATNESS * sizes[:, 0])] = 0.0
    tints = np.stack([mean(lab[:, k]) for k in range(3)], axis=1)
    return centres, normals, tints


def _facing(patch: Ints, points: Floats, v: Ints, u: Ints, normals: Floats) -> Floats:
    """1 where a normal (P, 3) points to the camera, -1 where away.

    The surface's slopes along the image's rows and columns, down x right, point to the camera.
    """
    count = np.maximum(np.bincount(patch).astype(np.float64), 1.0)

    def off(values: NDArray[Any]) -> Floats:
        return np.asarray(values - (np.bincount(patch, values) / count)[patch])

    du, dv = off(u), off(v)
    uu, uv, vv = (np.bincount(patch, a * b) for a, b in ((du, du), (du, dv), (dv, dv)))
    right, down = np.empty((2, len(count), 3))
    for k in range(3):
        along = points[:, k] - points[0, k]
        pu, pv = np.bincount(patch, off(along) * du), np.bincount(patch, off(along) * dv)
        right[:, k] = vv * pu - uv * pv
        down[:, k] = uu * pv - uv * pu
    out = np.einsum('ij,ij->i', np.cross(down, right), normals)
    return np.where(out < 0.0, -1.0, 1.0)


def _are_steps(
    patch: Ints, pairs: Ints, points: Floats, normals: Floats, pixel: float
) -> NDArray[np.bool_]:
    """Whether one pixel of a pair (K, 2) lies before the other, rather than beside it."""
    step = points[pairs[:, 1]] - points[pairs[:, 0]]
    ends = normals[patch[pairs]]
    off = np.abs(np.einsum('ijk,ik->ij', ends, step)).max(axis=1)
    # A surface seen at a grazing angle has wide steps too, but along itself.
    return np.asarray((np.linalg.norm(step, axis=1) > _STEP_PX * pixel) & (off > pixel))


def _ramp(values: Floats, low: float, high: float) -> Floats:
    return np.clip((values - low) / (high - low), 0.0, 1.0)


def _unlike(edges: Ints, tints: Floats) -> Floats:
    """0 to 1, how much the colours of two patches differ, (E,).

    Shading scales a colour, so that a difference along the colour itself counts half.
    """
    one, two = tints[edges[:, 0]], tints[edges[:, 1]]
    along = one + two
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    off = one - two
    off -= (1.0 - _LIGHT) * np.einsum('ij,ij->i', off, along)[:, None] * along
    return _ramp(np.linalg.norm(off, axis=1), _LIKE, _UNLIKE)


def _strength(edges: Ints, centres: Floats, normals: Floats, tints: Floats) -> Floats:
    """How likely an object ends between two patches that touch, (E,)."""
    one, two = normals[edges[:, 0]], normals[edges[:, 1]]
    bend = np.arccos(np.clip(np.einsum('ij,ij->i', one, two), -1.0, 1.0))
    between = centres[edges[:, 0]] - centres[edges[:, 1]]
    hollow = np.einsum('ij,ij->i', one - two, between) < 0.0
    known = (np.abs(one).sum(axis=1) > 0.0) & (np.abs(two).sum(axis=1) > 0.0)
    bent = np.where(hollow & known, _ramp(bend, _FLAT_RAD, _SHARP_RAD), 0.0)
    unlike = _unlike(edges, tints)
    return np.asarray(bent * (0.5 + 0.2 * unlike) + 0.3 * unlike)


def _bridged(
    snapshot: Snapshot,
    owner: Ints,
    chosen: Ints,
    graph: tuple[Ints, Floats, Floats],
    tints: Floats,
) -> tuple[Ints, Floats, Floats]:
    """Add edges across holes in the image, between parts whose gap nothing is seen through."""
    edges, length, strength = graph
    count = len(tints)
    ones = np.ones(len(edges), dtype=bool)
    joined = coo_matrix((ones, (edges[:, 0], edges[:, 1])), shape=(count, count))
    part = connected_components(joined, directed=False)[1][owner[chosen]]
    order = np.argsort(part, kind='stable')
    parts = np.split(chosen[order], np.flatnonzero(np.diff(part[order])) + 1)
    parts = sorted((p for p in parts if len(p) >= _NEIGHBOURS), key=len, reverse=True)
    trees = [cKDTree(snapshot.points[p]) for p in parts]
    new: list[tuple[int, int, float, float]] = []
    for b in range(len(parts)):
        for a in range(b):
            far = np.maximum(trees[a].mins - trees[b].maxes, trees[b].mins - trees[a].maxes)
            if np.linalg.norm(np.maximum(far, 0.0)) < _BRIDGE_M:
                new += _bridge(snapshot, owner, trees[a], parts[a], parts[b])
    if not new:
        return graph
    added = np.array([edge[:2] for edge in new])
    gaps = np.array([edge[3] for edge in new])
    weak = np.where(gaps <= _TOUCH_M, 0.25, 0.35) + 0.5 * _unlike(added, tints)
    return (
        np.concatenate([edges, added]),
        np.concatenate([length, [edge[2] for edge in new]]),
        np.concatenate([strength, weak]),
    )


def _bridge(
    snapshot: Snapshot, owner: Ints, tree: cKDTree, one: Ints, two: Ints
) -> list[tuple[int, int, float, float]]:
    """Patches, length and gap of the edge between two parts; none if it can be seen through."""
    found = tree.query(snapshot.points[two], distance_upper_bound=_BRIDGE_M)
    gaps, nearest = np.asarray(found[0]), np.asarray(found[1])
    order = np.argsort(gaps, kind='stable')[:_SAMPLES]
    order = order[np.isfinite(gaps[order])]
    if not order.size:
        return []
    ends = one[nearest[order]], two[order]
    gap = float(gaps[order[0]])
    if gap > _TOUCH_M and len(snapshot.shape) == 2:
        open_ = [_seen_through(snapshot, owner, int(i), int(j)) for i, j in zip(*ends, strict=True)]
        if np.mean(open_) > 0.5:
            return []
    first, second = int(owner[ends[0][0]]), int(owner[ends[1][0]])
    return [(min(first, second), max(first, second), float(len(order)), gap)]


def _seen_through(snapshot: Snapshot, owner: Ints, i: int, j: int) -> bool:
    """Whether the support is seen between two points of an image."""
    columns = snapshot.shape[1]
    (v0, u0), (v1, u1) = divmod(snapshot.index[i], columns), divmod(snapshot.index[j], columns)
    steps = int(max(abs(v1 - v0), abs(u1 - u0)))
    share = np.arange(1, steps) / max(1, steps)
    line = np.rint(v0 + share * (v1 - v0)) * columns + np.rint(u0 + share * (u1 - u0))
    place = np.searchsorted(snapshot.index, line)
    place = np.minimum(place, len(snapshot.index) - 1)
    measured = snapshot.index[place] == line
    return int((measured & (owner[place] < 0)).sum()) >= _SEEN_THROUGH
