# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How far one depth and colour image is from another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.spatial import cKDTree

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from benchmarks.fidelity_stage import Retake
    from r2rgen_ros.geometry.camera import PinholeCamera

    Depth = NDArray[np.float32]

NEAR_M = 0.005
"""Points of the F-score are right if a point of the other cloud is this near."""
_POINTS = 3000
_PIXELS = 20_000


@dataclass(frozen=True)
class Made:
    """A frame that is to be judged.

    Attributes:
        depth: (H, W) float32 metres, NaN for none.
        colour: (H, W, 3) uint8; None where it is not judged.
        outside: (N, 3) points of its cloud that are on no pixel, camera optical frame.

    """

    depth: Depth
    colour: NDArray[np.uint8] | None = None
    outside: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class FrameScore:
    """How one frame differs from a recording.

    Attributes:
        error: (N,) float32 absolute differences of depth where both have some, metres; a sample.
        iou: Intersection over union of the pixels with depth.
        chamfer: Mean distance from each cloud's points to the nearest of the other, metres.
        precision: Share of its points that have a recorded one within `NEAR_M`.
        recall: Share of the recorded points that have one of its points within `NEAR_M`.
        colour: (N,) mean absolute differences of colour where both have depth, of 255; a sample.
        holes: Share of pixels without depth.
        lost: Share of the recording's pixels with depth that have none here.
        added: Share of the recording's pixels without depth that have some here.
        shadow: Share without depth of the pixels that the other imager does not see; NaN for none.

    """

    error: Depth
    iou: float
    chamfer: float
    precision: float
    recall: float
    colour: Depth
    holes: float
    lost: float
    added: float
    shadow: float


def score(
    made: Made,
    retake: Retake,
    camera: PinholeCamera,
    region: NDArray[np.bool_],
    *,
    clouds: bool = True,
) -> FrameScore:
    """Compare a frame with a recording.

    Args:
        made: The frame.
        retake: The recording.
        camera: Intrinsics of both.
        region: (H, W) the pixels that count.
        clouds: Whether the clouds are compared too, which takes the longest.

    """
    here, there = (np.isfinite(x) & region for x in (made.depth, retake.one))
    both, either = here & there, here | there
    rng = np.random.default_rng(0)
    error = _some(np.abs(made.depth - retake.one)[both], rng)
    shade = np.zeros(0, np.float32)
    if made.colour is not None:
        gap = made.colour[both].astype(np.int16) - retake.colour[both]
        shade = _some(np.abs(gap).mean(axis=1).astype(np.float32), rng)
    chamfer, precision, recall = float('nan'), float('nan'), float('nan')
    if clouds:
        chamfer, precision, recall = _clouds_of(made, retake, camera, here, there)
    pixels = max(1, int(region.sum()))
    open_, shadow = region & ~there & np.isfinite(retake.exact), region & retake.hidden
    return FrameScore(
        error, both.sum() / max(1, either.sum()), chamfer, precision, recall, shade,
        1.0 - here.sum() / pixels, _share(~here, there), _share(here, open_),
        _share(~here, shadow),
    )  # fmt: skip


def _clouds_of(
    made: Made,
    retake: Retake,
    camera: PinholeCamera,
    here: NDArray[np.bool_],
    there: NDArray[np.bool_],
) -> tuple[float, float, float]:
    rays = camera.rays().astype(np.float32)
    points = rays[here] * made.depth[here][:, None]
    if made.outside is not None:
        points = np.concatenate([points, made.outside])
    recorded = rays[there] * retake.one[there][:, None]
    return _clouds(points, recorded, np.random.default_rng(0))


def figures(scores: Sequence[FrameScore]) -> dict[str, float]:
    """Figures of the frames of one or several episodes."""
    error = np.concatenate([one.error for one in scores])
    shade = np.concatenate([one.colour for one in scores])
    precision, recall = _mean(scores, 'precision'), _mean(scores, 'recall')
    none = not error.size
    return {
        'depth_mm_median': float('inf') if none else 1e3 * float(np.median(error)),
        'depth_mm_95': float('inf') if none else 1e3 * float(np.percentile(error, 95)),
        'iou': _mean(scores, 'iou'),
        'chamfer_mm': 1e3 * _mean(scores, 'chamfer'),
        'precision_5mm': precision,
        'recall_5mm': recall,
        'fscore_5mm': 2.0 * precision * recall / max(1e-9, precision + recall),
        'colour_median': float(np.median(shade)) if shade.size else 0.0,
        'colour_95': float(np.percentile(shade, 95)) if shade.size else 0.0,
        'hole_share': _mean(scores, 'holes'),
        'holes_added': _mean(scores, 'lost'),
        'holes_filled': _mean(scores, 'added'),
        'shadow_open': _mean(scores, 'shadow'),
    }


RATIOS = (
    'depth_mm_median', 'depth_mm_95', 'iou', 'chamfer_mm', 'fscore_5mm', 'hole_share',
    'holes_added', 'holes_filled', 'shadow_open',
)  # fmt: skip


def over_floor(made: dict[str, float], floor: dict[str, float]) -> dict[str, float | None]:
    """Each figure as a ratio to that of two recordings; None where theirs is nothing."""
    return {key: made[key] / floor[key] if floor[key] > 0.0 else None for key in RATIOS}


def _mean(scores: Sequence[FrameScore], name: str) -> float:
    values: Any = np.array([getattr(one, name) for one in scores], dtype=np.float64)
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float('nan')


def _share(what: NDArray[np.bool_], among: NDArray[np.bool_]) -> float:
    """Share of some pixels; NaN where there are none of them."""
    count = int(among.sum())
    return float((what & among).sum()) / count if count else float('nan')


def _some(values: Depth, rng: np.random.Generator) -> Depth:
    """At most so many values, drawn at random."""
    if len(values) <= _PIXELS:
        return values.astype(np.float32)
    return values[rng.integers(len(values), size=_PIXELS)].astype(np.float32)


def _clouds(
    points: NDArray[np.float32], recorded: NDArray[np.float32], rng: np.random.Generator
) -> tuple[float, float, float]:
    """Chamfer distance in metres, precision and recall."""
    if not len(points) or not len(recorded):
        return float('nan'), 0.0, 0.0
    gaps: list[Any] = []
    for ask, tell in ((points, recorded), (recorded, points)):
        few = ask[rng.integers(len(ask), size=_POINTS)] if len(ask) > _POINTS else ask
        gaps.append(cKDTree(tell, balanced_tree=False).query(few)[0])
    share = [float((gap < NEAR_M).mean()) for gap in gaps]
    return 0.5 * float(gaps[0].mean() + gaps[1].mean()), share[0], share[1]
