# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The things on the table: what they look like, what collides, and how they are gripped.

Every object's frame has its origin in the middle of its foot, z up.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.simulate.shapes import Mesh, bent_tube, revolve, stick, vessel, wall_pieces

if TYPE_CHECKING:
    from numpy.typing import NDArray

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Box:
    """A box: its middle (3,) and half sizes (3,), metres."""

    middle: tuple[float, float, float]
    half: tuple[float, float, float]


@dataclass(frozen=True)
class Cylinder:
    """An upright cylinder between two heights, metres."""

    radius: float
    bottom: float
    top: float


@dataclass(frozen=True)
class Rod:
    """A capsule between two points, metres."""

    start: tuple[float, float, float]
    end: tuple[float, float, float]
    radius: float


@dataclass(frozen=True, eq=False)
class Piece:
    """The convex hull of points (V, 3), metres."""

    vertices: NDArray[np.float64]


Solid = Box | Cylinder | Rod | Piece


@dataclass(frozen=True)
class Grip:
    """How the hand takes an object from above.

    Attributes:
        height: Height of the tool centre above the object's foot, metres.
        yaws: Directions of the closing axis in the object's frame, measured from its y axis,
            radians; None where every direction will do. Directions repeat after half a turn.
        point: (x, y) in the object's frame, metres.

    """

    height: float
    yaws: tuple[float, ...] | None
    point: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, eq=False)
class Thing:
    """An object.

    Attributes:
        name: As in the ground truth.
        mass: Kilograms.
        size: Full extents (3,), for the inertia and the room it needs, metres.
        looks: What is seen: pairs of a solid or a mesh and its colour.
        solids: What collides.
        grip: How it is taken; None where it is only ever a target.
        rest: Height inside it that others stand on, above its foot, metres.
        rolling_m: Rolling friction, which ends the swinging of what hangs on it, metres; 0 for
            none.

    """

    name: str
    mass: float
    size: tuple[float, float, float]
    looks: tuple[tuple[Mesh | Solid, Colour], ...]
    solids: tuple[Solid, ...]
    grip: Grip | None = None
    rest: float = field(default=0.0)
    rolling_m: float = 0.0


def bottle() -> Thing:
    """Return a bottle: body with a label, shoulder, neck and cap, 19 cm high."""
    body, neck = 0.032, 0.0135
    shell = revolve(
        [
            (0.0, 0.0),
            (0.029, 0.0),
            (body, 0.003),
            (body, 0.112),
            (0.030, 0.121),
            (0.024, 0.131),
            (0.017, 0.139),
            (neck, 0.146),
            (neck, 0.166),
            (0.0, 0.166),
        ]
    )
    label = revolve([(0.0, 0.035), (body + 4e-4, 0.035), (body + 4e-4, 0.095), (0.0, 0.095)])
    stripe = revolve([(0.0, 0.055), (body + 6e-4, 0.055), (body + 6e-4, 0.075), (0.0, 0.075)])
    cap = revolve([(0.0, 0.160), (0.0155, 0.160), (0.0155, 0.188), (0.0145, 0.190), (0.0, 0.190)])
    ring = revolve([(0.0, 0.112), (body, 0.112), (neck, 0.146), (0.0, 0.146)], 24)
    return Thing(
        'bottle',
        0.25,
        (0.064, 0.064, 0.190),
        (
            (shell, (0.10, 0.42, 0.20)),
            (label, (0.93, 0.91, 0.84)),
            (stripe, (0.78, 0.13, 0.13)),
            (cap, (0.90, 0.75, 0.15)),
        ),
        (
            Cylinder(body, 0.0, 0.112),
            Piece(ring.vertices),
            Cylinder(neck, 0.146, 0.16),
            Cylinder(0.0155, 0.160, 0.190),
        ),
        Grip(0.174, None),
    )


def plate() -> Thing:
    """Return a plate with a raised rim, 20 cm wide."""
    stations = ((0.0, 0.062, 0.060), (0.006, 0.074, 0.066), (0.016, 0.100, 0.096))
    return Thing(
        'plate',
        0.45,
        (0.200, 0.200, 0.016),
        ((vessel(stations, 0.006), (0.20, 0.38, 0.62)),),
        (Cylinder(0.068, 0.0, 0.006), *map(Piece, wall_pieces(stations))),
        rest=0.006,
    )


def bowl() -> Thing:
    """Return a bowl, 17 cm wide and 5.5 cm high."""
    stations = (
        (0.0, 0.050, 0.048),
        (0.010, 0.062, 0.055),
        (0.028, 0.077, 0.071),
        (0.055, 0.086, 0.082),
    )
    return Thing(
        'bowl',
        0.45,
        (0.172, 0.172, 0.055),
        ((vessel(stations, 0.008), (0.88, 0.87, 0.82)),),
        (Cylinder(0.054, 0.0, 0.008), *map(Piece, wall_pieces(stations))),
        rest=0.008,
    )


def mug() -> Thing:
    """Return a hollow mug with a handle towards +x, 9 cm high."""
    radius, wall, height = 0.0325, 0.004, 0.088
    stations = (
        (0.0, radius - 0.002, radius - wall - 0.002),
        (0.006, radius, radius - wall),
        (height, radius, radius - wall),
    )
    handle, line = bent_tube((radius - 0.002, 0.0, 0.047), 0.021, 0.0042, (-1.45, 1.45))
    rods = tuple(Rod(tuple(a), tuple(b), 0.0042) for a, b in pairwise(line))
    colour = (0.83, 0.18, 0.14)
    return Thing(
        'mug',
        0.28,
        (0.112, 0.065, height),
        ((vessel(stations, 0.006), colour), (handle, colour)),
        (Cylinder(radius - 0.002, 0.0, 0.006), *map(Piece, wall_pieces(stations[1:])), *rods),
        Grip(0.062, (0.0,)),
        rest=0.006,
    )


def box() -> Thing:
    """Return a carton with a printed panel, 11 cm high."""
    half = (0.024, 0.035, 0.055)
    panel = tuple(
        (Box((side * half[0], 0.0, 0.058), (4e-4, 0.025, 0.030)), (0.96, 0.85, 0.30))
        for side in (-1.0, 1.0)
    )
    badge = tuple(
        (Box((side * half[0], 0.0, 0.062), (6e-4, 0.014, 0.012)), (0.12, 0.20, 0.55))
        for side in (-1.0, 1.0)
    )
    solid = Box((0.0, 0.0, half[2]), half)
    return Thing(
        'box',
        0.20,
        (0.048, 0.070, 0.110),
        ((solid, (0.85, 0.42, 0.10)), *panel, *badge),
        (solid,),
        Grip(0.085, (0.5 * np.pi,)),
    )


def pier(name: str, colour: Colour) -> Thing:
    """Return a pier of the bridge, a block 9 cm high."""
    half = (0.0225, 0.0225, 0.045)
    solid = Box((0.0, 0.0, half[2]), half)
    return Thing(
        name,
        0.15,
        (0.045, 0.045, 0.090),
        ((solid, colour),),
        (solid,),
        Grip(0.066, (0.0, 0.5 * np.pi)),
    )


def deck() -> Thing:
    """Return the deck of the bridge, a plank 20 cm long, along its y axis."""
    half = (0.025, 0.100, 0.014)
    solid = Box((0.0, 0.0, half[2]), half)
    stripe = Box((0.0, 0.0, 2.0 * half[2]), (0.003, 0.085, 4e-4))
    return Thing(
        'deck',
        0.20,
        (0.050, 0.200, 0.028),
        ((solid, (0.93, 0.70, 0.16)), (stripe, (0.97, 0.97, 0.94))),
        (solid,),
        Grip(0.016, (0.5 * np.pi,)),
    )


@dataclass(frozen=True)
class Handle:
    """The handle of a cup: a tube bent along an arc in the x-z plane of the cup's frame.

    Attributes:
        middle: (x, z) of the arc's middle, metres.
        radius: Radius of the arc, metres.
        thickness: Radius of the tube, metres.
        wall: x of the cup's wall, where the hole ends, metres.

    """

    middle: tuple[float, float]
    radius: float
    thickness: float
    wall: float


CUP_HANDLE = Handle((0.028, 0.038), 0.029, 0.0045, 0.030)


def cup() -> Thing:
    """Return a cup with a handle towards +x that is wide enough to hang by, 8.5 cm high."""
    handle, wall, height = CUP_HANDLE, 0.0035, 0.085
    radius = handle.wall
    stations = (
        (0.0, radius - 0.003, radius - wall - 0.003),
        (0.008, radius, radius - wall),
        (height, radius, radius - wall),
    )
    x, z = handle.middle
    tube, line = bent_tube((x, 0.0, z), handle.radius, handle.thickness, (-1.48, 1.48))
    rods = tuple(Rod(tuple(a), tuple(b), handle.thickness) for a, b in pairwise(line))
    colour = (0.16, 0.36, 0.68)
    band = revolve(
        [(radius, 0.060), (radius + 4e-4, 0.060), (radius + 4e-4, 0.072), (radius, 0.072)]
    )
    return Thing(
        'cup',
        0.24,
        (0.122, 0.060, height),
        ((vessel(stations, 0.006), colour), (tube, colour), (band, (0.93, 0.91, 0.86))),
        (Cylinder(radius - 0.003, 0.0, 0.006), *map(Piece, wall_pieces(stations[1:])), *rods),
        Grip(0.060, (0.0,)),
        rest=0.006,
    )


PEG = Rod((0.0, 0.0, 0.170), (0.115, 0.0, 0.170 + 0.115 * np.tan(0.26)), 0.005)
"""The peg of the stand, in its frame: it slants upwards."""


def stand() -> Thing:
    """Return a heavy stand, 22 cm high, with a peg towards +x that cups hang on."""
    foot, post, height = 0.075, 0.010, 0.215
    steel, wood = (0.30, 0.31, 0.34), (0.80, 0.27, 0.16)
    disc = revolve([(0.0, 0.0), (foot, 0.0), (foot, 0.014), (foot - 0.004, 0.018), (0.0, 0.018)])
    column = revolve([(0.0, 0.018), (post, 0.018), (post, height), (0.0, height)], 32)
    return Thing(
        'stand',
        3.0,
        (0.300, 0.160, height),  # with room for the peg, and for a hand beside it
        (
            (disc, steel),
            (column, steel),
            (stick(PEG.start, PEG.end, PEG.radius), wood),
        ),
        (Cylinder(foot, 0.0, 0.018), Cylinder(post, 0.018, height), PEG),
        rolling_m=5e-4,
    )


def brick(name: str, colour: Colour) -> Thing:
    """Return a brick with its longer side along x, 4 cm high."""
    half = (0.034, 0.0225, 0.020)
    solid = Box((0.0, 0.0, half[2]), half)
    return Thing(
        name,
        0.15,
        (2.0 * half[0], 2.0 * half[1], 2.0 * half[2]),
        ((solid, colour),),
        (solid,),
        Grip(0.024, (0.0,)),
        rest=2.0 * half[2],
    )


def tumbler() -> Thing:
    """Return a cup without a handle that widens upwards, 8.6 cm high."""
    wall, height = 0.0035, 0.086
    stations = ((0.0, 0.0265, 0.0265 - wall), (height, 0.0315, 0.0315 - wall))
    ring = revolve([(0.0300, 0.064), (0.0308, 0.064), (0.0312, 0.072), (0.0304, 0.072)])
    return Thing(
        'tumbler',
        0.18,
        (0.063, 0.063, height),
        ((vessel(stations, 0.006), (0.86, 0.50, 0.12)), (ring, (0.95, 0.93, 0.88))),
        (Cylinder(0.0265, 0.0, 0.006), *map(Piece, wall_pieces(stations))),
        Grip(0.066, None),
        rest=0.006,
    )


def crate() -> Thing:
    """Return an open crate, 34 cm long along its y axis, which two hands take by its end walls."""
    x, y, height, wall = 0.10, 0.17, 0.10, 0.004
    side, end = (0.86, 0.62, 0.16), (0.16, 0.36, 0.62)
    solids = (
        Box((0.0, 0.0, wall), (x, y, wall)),
        *(Box((s * (x - wall), 0.0, 0.5 * height), (wall, y, 0.5 * height)) for s in (-1.0, 1.0)),
        *(
            Box((0.0, s * (y - wall), 0.5 * height), (x - 2.0 * wall, wall, 0.5 * height))
            for s in (-1.0, 1.0)
        ),
    )
    colours = (side, side, side, end, end)
    looks = tuple(zip(solids, colours, strict=True))
    return Thing('crate', 0.5, (2.0 * x, 2.0 * y, height), looks, solids)


CRATE_GRIPS = (0.166, 0.080)
"""How far from the middle of the crate, and how high, its end walls are taken, metres."""


def baton() -> Thing:
    """Return a baton, 30 cm long along its y axis, with ends of two colours."""
    half = (0.018, 0.150, 0.018)
    solid = Box((0.0, 0.0, half[2]), half)
    ends = tuple(
        (Box((0.0, s * 0.115, half[2]), (half[0] + 4e-4, 0.0355, half[2] + 4e-4)), colour)
        for s, colour in ((-1.0, (0.82, 0.20, 0.16)), (1.0, (0.18, 0.55, 0.30)))
    )
    return Thing(
        'baton',
        0.12,
        (2.0 * half[0], 2.0 * half[1], 2.0 * half[2]),
        ((solid, (0.93, 0.90, 0.80)), *ends),
        (solid,),
    )


def mat() -> Thing:
    """Return a flat mat, 34 cm long along its y axis."""
    half = (0.060, 0.170, 0.005)
    solid = Box((0.0, 0.0, half[2]), half)
    return Thing(
        'mat',
        0.6,
        (2.0 * half[0], 2.0 * half[1], 2.0 * half[2]),
        ((solid, (0.13, 0.34, 0.36)),),
        (solid,),
        rest=2.0 * half[2],
    )


def coaster() -> Thing:
    """Return a coaster, a flat disc 11 cm wide."""
    radius, height = 0.055, 0.012
    disc = revolve(
        [
            (0.0, 0.0),
            (radius, 0.0),
            (radius, height - 0.002),
            (radius - 0.002, height),
            (0.0, height),
        ]
    )
    return Thing(
        'coaster',
        0.30,
        (2.0 * radius, 2.0 * radius, height),
        ((disc, (0.13, 0.34, 0.36)),),
        (Cylinder(radius, 0.0, height),),
        rest=height,
    )
