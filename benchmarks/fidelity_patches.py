# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whether a small classifier can tell generated depth from recorded depth, patch by patch.

A two-sample test by a classifier (Lopez-Paz and Oquab, "Revisiting classifier two-sample tests",
2017): patches at the same places of both images, as many of one kind as of the other, described by
what noise, edges and holes look like in them; gradient boosting of shallow trees (Friedman 2001)
on most of the frames, judged on the others. One half of right answers is what chance gives.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Depth = NDArray[np.float32]
    Floats = NDArray[np.float64]

SIZE_PX = 12
PER_FRAME = 120
_LEAST_VALID = 0.3
_FOLDS = 5
_EDGE = 0.02  # share of the depth that makes an edge between two pixels
_QUANTILES = (0.1, 0.5, 0.9)


@dataclass(frozen=True)
class Patches:
    """Patches of one pair of images.

    Attributes:
        made: (N, F) what describes those of the generated image.
        real: (N, F) of the recorded one, at the same places.

    """

    made: Floats
    real: Floats

    @classmethod
    def of(
        cls,
        made: Depth,
        real: Depth,
        region: NDArray[np.bool_],
        rng: np.random.Generator,
        count: int = PER_FRAME,
    ) -> Patches:
        """Draw patches, half of them about pixels of a region, half anywhere there is depth.

        Args:
            made: (H, W) metres, NaN for none.
            real: (H, W) of the recording.
            region: (H, W) what moved.
            rng: Draws the places.
            count: How many places at most.

        """
        half, out = SIZE_PX // 2, []
        inner = np.zeros_like(region)
        inner[half:-half, half:-half] = True
        for where in (region & inner, (np.isfinite(made) | np.isfinite(real)) & inner):
            places = np.flatnonzero(where)
            if not len(places):
                continue
            for place in places[rng.integers(len(places), size=count // 2)]:
                v, u = divmod(int(place), made.shape[1])
                window = (slice(v - half, v + half), slice(u - half, u + half))
                pair = made[window], real[window]
                if max(np.isfinite(patch).mean() for patch in pair) >= _LEAST_VALID:
                    out.append([describe(patch) for patch in pair])
        table = np.array(out, dtype=np.float64).reshape(len(out), 2, -1)
        return cls(table[:, 0], table[:, 1])


def describe(patch: Depth) -> list[float]:
    """Describe a patch (P, P) of depth in metres by numbers.

    Lengths are in shares of the squared depth, as the noise of a stereo camera is.
    """
    valid = np.isfinite(patch)
    share = float(valid.mean())
    if share < 0.05:
        return [share] + [0.0] * (_NUMBERS - 1)
    middle = float(np.median(patch[valid]))
    unit = middle**2
    out = [share, _border(valid), _border(valid.T), middle]
    along, down = np.diff(patch, axis=1), np.diff(patch, axis=0)
    bends = patch[:, 2:] - 2.0 * patch[:, 1:-1] + patch[:, :-2]
    falls = patch[2:] - 2.0 * patch[1:-1] + patch[:-2]
    for values in (along, down, bends, falls):
        size = np.abs(values[np.isfinite(values)])
        smooth = size[size < _EDGE * middle] / unit
        out += [float(len(smooth)) / values.size]
        out += np.quantile(smooth, _QUANTILES).tolist() if len(smooth) else [0.0] * 3
        out.append(float((smooth < 1e-4).mean()) if len(smooth) else 0.0)
    v, u = np.nonzero(valid)
    z = patch[valid].astype(np.float64)
    flat = np.stack([np.ones(len(z)), u - 0.5 * SIZE_PX, v - 0.5 * SIZE_PX], axis=1)
    rest = z - flat @ np.linalg.lstsq(flat, z, rcond=None)[0]
    out += (np.quantile(np.abs(rest), _QUANTILES) / unit).tolist()
    off = np.full(patch.shape, np.nan)
    off[valid] = rest
    power = max(float(np.mean(rest**2)), 1e-12)
    for lag in (1, 2, 4):
        for product in (off[:, lag:] * off[:, :-lag], off[lag:] * off[:-lag]):
            known = np.isfinite(product)
            out.append(float(product[known].mean()) / power if known.any() else 0.0)
    out.append(float((z.max() - z.min()) / middle))
    out.append(_alone(valid))
    return out


_NUMBERS = 4 + 4 * 5 + 3 + 6 + 2


def _border(valid: NDArray[np.bool_]) -> float:
    """Share of neighbours along a row of which one has depth and one has none."""
    return float((valid[:, 1:] != valid[:, :-1]).mean())


def _alone(valid: NDArray[np.bool_]) -> float:
    """Share of pixels without depth all of whose four neighbours have some."""
    inner = ~valid[1:-1, 1:-1]
    around = valid[:-2, 1:-1] & valid[2:, 1:-1] & valid[1:-1, :-2] & valid[1:-1, 2:]
    return float((inner & around).mean())


def accuracy(frames: Sequence[Patches]) -> float:
    """Share of right answers on frames that the classifier has not seen; NaN without patches."""
    if not frames or not sum(len(one.made) for one in frames):
        return float('nan')
    right = total = 0
    folds = min(_FOLDS, len(frames))
    if folds < 2:
        return float('nan')
    for fold in range(folds):
        # Neighbouring frames are alike: a fold is a run of them.
        of = np.arange(len(frames)) * folds // len(frames)
        learn = [one for one, k in zip(frames, of, strict=True) if k != fold]
        ask = [one for one, k in zip(frames, of, strict=True) if k == fold]
        table, truth = _together(learn)
        asked, answers = _together(ask)
        if not len(truth) or not len(answers):
            continue
        right += int((_classifier().fit(table, truth).predict(asked) == answers).sum())
        total += len(answers)
    return right / total if total else float('nan')


def _classifier() -> HistGradientBoostingClassifier:
    return HistGradientBoostingClassifier(
        learning_rate=0.15, max_iter=80, max_depth=3, min_samples_leaf=15, l2_regularization=1.0,
        early_stopping=False, random_state=0,
    )  # fmt: skip


def _together(frames: Sequence[Patches]) -> tuple[Floats, NDArray[np.int64]]:
    rows = [part for one in frames for part in (one.made, one.real)]
    kinds = [np.full(len(part), k % 2) for k, part in enumerate(rows)]
    return np.concatenate(rows), np.concatenate(kinds)
