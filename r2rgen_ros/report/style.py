# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How every picture looks: one colour per object and per skill, light paper, little ink."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator

from r2rgen_ros.model.paths import write_bytes
from r2rgen_ros.model.scene import FIRST_OBJECT, ROBOT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.text import Text
    from numpy.typing import NDArray

PAPER = '#fbfaf7'
INK = '#2b2b2b'
FAINT = '#8a8a85'
HAIRLINE = '#dcdad3'
TABLE = '#efece4'
ENVIRONMENT = '#c9c6bd'
MOTION = '#9b988e'
ROBOT_COLOUR = '#7d8894'
ACCEPTED = '#2f7d4f'
REJECTED = '#c1432e'

# Okabe and Ito's palette ("Color Universal Design", 2008), told apart by colour-blind readers;
# objects take the strong half, skills the other, so that the two are never confused.
OBJECT_COLOURS = ('#d55e00', '#0072b2', '#009e73', '#cc79a7', '#8c6d1f', '#5b4ba0')
# Their order keeps likely neighbours of one hue apart: the first objects are orange and blue.
SKILL_COLOURS = ('#8fbf5a', '#a99fe0', '#e8b84a', '#7cc7ef', '#d98cb3', '#b9a441')

DOTS_PER_INCH = 130

_RC: Any = {
    'font.family': 'DejaVu Sans',
    'font.size': 9.0,
    'axes.titlesize': 10.5,
    'axes.titleweight': 'bold',
    'axes.titlelocation': 'left',
    'axes.labelcolor': INK,
    'axes.edgecolor': FAINT,
    'axes.linewidth': 0.7,
    'axes.facecolor': PAPER,
    'axes.spines.top': False,
    'axes.spines.right': False,
    'xtick.color': FAINT,
    'ytick.color': FAINT,
    'xtick.labelcolor': INK,
    'ytick.labelcolor': INK,
    'text.color': INK,
    'figure.facecolor': PAPER,
    'savefig.facecolor': PAPER,
    'legend.frameon': False,
    'lines.solid_capstyle': 'round',
}


def object_colour(place: int) -> str:
    """Colour of the object with this place in the annotation."""
    return OBJECT_COLOURS[place % len(OBJECT_COLOURS)]


def skill_colour(place: int) -> str:
    """Colour of the skill with this place in the annotation."""
    return SKILL_COLOURS[place % len(SKILL_COLOURS)]


def label_colours(labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Colours (..., 3) of labels (...): environment, robot, objects; see model/scene.py."""
    table = np.full((256, 3), np.array(to_rgb(ENVIRONMENT)) * 255.0)
    table[ROBOT] = np.array(to_rgb(ROBOT_COLOUR)) * 255.0
    for place in range(256 - FIRST_OBJECT - 1):
        table[FIRST_OBJECT + place] = np.array(to_rgb(object_colour(place))) * 255.0
    return np.asarray(np.rint(table[labels]).astype(np.uint8))


def picture(path: Path, size: tuple[float, float], draw: Callable[[Figure], Any]) -> Path:
    """Draw a picture and write it as a PNG, replacing an older one.

    No pyplot: nothing is kept between pictures, and nothing looks for a screen.

    Args:
        path: Where it goes.
        size: Width and height, inches.
        draw: Draws onto the figure.

    Returns:
        The path.

    """
    with rc_context(_RC):
        figure = Figure(figsize=size, dpi=DOTS_PER_INCH, layout='constrained')
        FigureCanvasAgg(figure)
        draw(figure)
        out = io.BytesIO()
        # Without the library's version in it the same data gives the same bytes.
        figure.savefig(out, format='png', metadata={'Software': None})
    write_bytes(path, out.getvalue(), replace=True)
    return path


def bare(axes: Axes) -> None:
    """Take ticks and frame off axes that hold an image."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def framed(axes: Axes) -> None:
    """Take the ticks off axes that hold one of several images, and put a hairline around."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set(visible=True, color=HAIRLINE, linewidth=0.8)


def plan(axes: Axes, title: str) -> None:
    """Set up axes that look down onto the support: equal scales, centimetres.

    As one stands behind the robot: x goes up the page, and so y goes to the left (REP-103).
    """
    axes.set_aspect('equal', adjustable='box', anchor='NW')
    axes.set_title(title)
    axes.set_xlabel('y [cm]')
    axes.set_ylabel('x [cm]')
    if not axes.xaxis_inverted():
        axes.invert_xaxis()
    axes.grid(color=HAIRLINE, linewidth=0.5)
    axes.set_axisbelow(True)


def swatch(label: str, colour: str, alpha: float = 1.0) -> Patch:
    """Key of a legend: an area."""
    return Patch(color=colour, label=label, alpha=alpha)


def stroke(label: str, colour: str, width: float = 1.6) -> Line2D:
    """Key of a legend: a line."""
    return Line2D([], [], color=colour, linewidth=width, label=label)


def dashes(label: str, colour: str) -> Line2D:
    """Key of a legend: a dashed line."""
    return Line2D([], [], color=colour, linewidth=0.8, linestyle=(0, (4, 3)), label=label)


def mark(label: str, shape: Literal['o', 's', 'x'], edge: str, face: str = 'none') -> Line2D:
    """Key of a legend: a marker."""
    return Line2D(
        [], [], linewidth=0.0, marker=shape, markersize=6.0, markeredgecolor=edge,
        markerfacecolor=face, label=label,
    )  # fmt: skip


def legend(figure: Figure, keys: Sequence[Artist], title: str | None = None) -> None:
    """Put keys below a picture, in one or more rows."""
    figure.legend(
        handles=keys,
        loc='outside lower left',
        ncols=min(max(len(keys), 1), 7),
        title=title,
        title_fontproperties={'size': 9.0},
        alignment='left',
        handlelength=1.2,
    )


def halo(text: Text) -> None:
    """Keep a text readable over what is drawn below it."""
    text.set_path_effects([withStroke(linewidth=2.5, foreground=PAPER)])


def whole_numbers(axis: Axis) -> None:
    """Let an axis count in whole numbers."""
    axis.set_major_locator(MaxNLocator(integer=True))


def counted(number: int, noun: str) -> str:
    """Return so many of a thing: '1 skill', '2 skills'."""
    return f'{number} {noun}' if number == 1 else f'{number} {noun}s'


def pretty(name: str) -> str:
    """Return a name as people write it."""
    return name.replace('_', ' ')
