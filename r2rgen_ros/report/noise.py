# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A fitted noise model beside what it was fitted to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.report import style
from r2rgen_ros.sense.noise_look import EDGE_PX
from r2rgen_ros.sense.noise_statistics import LAGS_PX

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.gridspec import GridSpecBase
    from numpy.typing import NDArray

    from r2rgen_ros.sense.noise_fit import NoiseFit

    Floats = NDArray[np.float64]
    Image = NDArray[np.float32]

_MEASURED = style.INK
_MODEL = style.OBJECT_COLOURS[0]
_ENOUGH = 300
_JUMP_M = 0.03


def draw_noise(fit: NoiseFit, path: Path) -> Path:
    """Draw what was measured and what the model makes of the same clean images.

    Args:
        fit: The fit.
        path: PNG to write.

    Returns:
        The path.

    """
    return style.picture(path, (13.0, 7.2), lambda figure: _draw(figure, fit))


def _draw(figure: Figure, fit: NoiseFit) -> None:
    figure.suptitle(f'{fit.model.name}, {style.counted(fit.images, "image")}')
    style.legend(
        figure, [style.mark('measured', 'o', _MEASURED), style.stroke('the model', _MODEL)]
    )
    rows = figure.add_gridspec(2, 1, height_ratios=[1.0, 1.3])
    curves = rows[0].subgridspec(1, 5)
    panels = (_by_depth, _by_distance, _edges, _holes, _shadow)
    for column, panel in enumerate(panels):
        panel(figure.add_subplot(curves[column]), fit)
    _pictures(figure, rows[1].subgridspec(1, 3), fit.example)


def _both(axes: Axes, x: Floats, measured: Floats, modelled: Floats) -> None:
    axes.plot(x, modelled, color=_MODEL, linewidth=1.6)
    axes.plot(x, measured, 'o', markersize=4.5, markerfacecolor='none', color=_MEASURED)
    axes.set_ylim(bottom=0.0)
    axes.grid(color=style.HAIRLINE, linewidth=0.5)


def _by_depth(axes: Axes, fit: NoiseFit) -> None:
    depth, measured, count = fit.measured.by_depth()
    _, modelled, _ = fit.modelled.by_depth()
    seen = count >= _ENOUGH
    _both(axes, depth[seen], 1e3 * measured[seen], 1e3 * modelled[seen])
    axes.set_title('axial noise')
    axes.set_xlabel('depth [m]')
    axes.set_ylabel('standard deviation [mm]')


def _by_distance(axes: Axes, fit: NoiseFit) -> None:
    lags = np.array(LAGS_PX, dtype=float)
    _both(axes, lags, fit.measured.along, fit.modelled.along)
    axes.set_title('correlation')
    axes.set_xlabel('distance of two pixels')
    if np.isfinite(fit.measured.next_image):
        text = f'next image: {fit.measured.next_image:.2f}'
        axes.text(0.97, 0.95, text, ha='right', va='top', transform=axes.transAxes)


def _edges(axes: Axes, fit: NoiseFit) -> None:
    away = np.arange(1, EDGE_PX + 1, dtype=float)
    for what, dash in (('edge_hole_rate', '-'), ('edge_flying_rate', ':')):
        measured, modelled = (100.0 * getattr(x, what)[1:] for x in (fit.measured, fit.modelled))
        shown = slice(None) if dash == '-' else slice(0, 2)
        axes.plot(away[shown], modelled[shown], color=_MODEL, linewidth=1.6, linestyle=dash)
        mark = 'o' if dash == '-' else 's'
        axes.plot(
            away[shown], measured[shown], mark, markersize=4.5, markerfacecolor='none',
            color=_MEASURED,
        )  # fmt: skip
    axes.set_ylim(bottom=0.0)
    axes.grid(color=style.HAIRLINE, linewidth=0.5)
    axes.set_title('at edges')
    axes.set_xlabel('pixels from the edge')
    axes.set_ylabel('holes (line), flying (dots) [%]')


def _holes(axes: Axes, fit: NoiseFit) -> None:
    angle, measured, count = fit.measured.holes_by_angle()
    _, modelled, _ = fit.modelled.holes_by_angle()
    seen = count >= max(_ENOUGH, 1e-3 * count.sum())
    _both(axes, angle[seen], 100.0 * measured[seen], 100.0 * modelled[seen])
    axes.set_ylim(0.0, max(5.0, 105.0 * float(np.nanmax(measured[seen], initial=0.0))))
    axes.set_title('holes on surfaces')
    axes.set_xlabel('angle to the normal [degrees]')
    axes.set_ylabel('without depth [%]')


def _shadow(axes: Axes, fit: NoiseFit) -> None:
    baselines, extra = fit.shadow
    axes.plot(100.0 * baselines, 100.0 * extra, color=_MEASURED, linewidth=1.2)
    found = fit.model.shadow.baseline_m
    if found:
        axes.axvline(100.0 * found, color=_MODEL, linewidth=1.6)
    axes.set_title(f'shadow: {100.0 * found:.1f} cm' if found else 'shadow: none found')
    axes.set_xlabel('baseline tried [cm]')
    axes.set_ylabel('more holes in its shadow [%]')
    axes.grid(color=style.HAIRLINE, linewidth=0.5)


def _pictures(figure: Figure, grid: GridSpecBase, images: tuple[Image, Image, Image]) -> None:
    clean, raw, _ = images
    known = clean[np.isfinite(clean)]
    low, high = np.quantile(known, [0.01, 0.99]) if known.size else (0.0, 1.0)
    window = _window(clean, raw)
    for column, (name, image) in enumerate(
        zip(('rendered', 'recorded', 'rendered, with the model'), images, strict=True)
    ):
        axes = figure.add_subplot(grid[column])
        shown = np.ma.masked_invalid(image[window])
        axes.imshow(
            shown, vmin=float(low), vmax=float(high), cmap='cividis', interpolation='nearest'
        )
        axes.set_facecolor('black')
        style.framed(axes)
        axes.set_title(name)


def _window(clean: Image, raw: Image) -> tuple[slice, slice]:
    """The part of the image, half as wide, in which most jumps are: there is most to see."""
    height, width = clean.shape
    jumps = np.zeros(clean.shape)
    with np.errstate(invalid='ignore'):
        jumps[:, 1:] = np.abs(np.diff(clean, axis=1)) > _JUMP_M
    jumps += np.isnan(raw) & np.isfinite(clean)
    best = (-1.0, 0, 0)
    for v in range(0, height // 2 + 1, max(1, height // 8)):
        for u in range(0, width // 2 + 1, max(1, width // 8)):
            best = max(best, (float(jumps[v : v + height // 2, u : u + width // 2].sum()), v, u))
    _, v, u = best
    return slice(v, v + height // 2), slice(u, u + width // 2)
