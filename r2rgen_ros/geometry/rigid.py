# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Rigid motions for compiled loops: written into arrays that are there, nothing is checked.

Twists are linear before angular. Logarithm and exponential: Murray, Li, Sastry, *Robotic
Manipulation*, 1994, appendix A. For whole arrays of poses see `se3`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.geometry.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_SMALL = 1e-2  # angle, rad, below which a series is more exact than the closed form


def twist_between(a2c: Floats, b2c: Floats) -> Floats:
    """Twist (6,), linear before angular, in A, that leads from a pose (4, 4) to another."""
    out = np.empty(6)
    twist_into(a2c, b2c, out)
    return out


def part_way(a2c: Floats, b2c: Floats, share: float) -> Floats:
    """Pose (4, 4) a share of the screw from one pose to another."""
    out, moved = np.empty(6), np.eye(4)
    twist_into(a2c, b2c, out)
    screw_into(share * out, moved)
    return np.asarray(a2c @ moved)


@compiled
def twist_into(a: Floats, b: Floats, out: Floats) -> None:
    """Logarithm (6,) of A^-1 B, by way of a quaternion, which is exact at any angle."""
    turn = np.empty((3, 3))
    at = np.empty(3)
    for i in range(3):
        at[i] = 0.0
        for k in range(3):
            at[i] += a[k, i] * (b[k, 3] - a[k, 3])
        for j in range(3):
            turn[i, j] = a[0, i] * b[0, j] + a[1, i] * b[1, j] + a[2, i] * b[2, j]
    x, y, z, w = _quaternion(turn)
    sine = np.sqrt(x * x + y * y + z * z)
    angle = 2.0 * np.arctan2(sine, w)
    scale = angle / sine if sine > 1e-12 else 2.0
    wx, wy, wz = scale * x, scale * y, scale * z
    if angle < _SMALL:
        squared = angle * angle
        far = 1.0 / 12.0 + squared / 720.0 + squared * squared / 30240.0
    else:
        far = 1.0 / (angle * angle) - 1.0 / (2.0 * angle * np.tan(0.5 * angle))
    # V^-1 p = p - w x p / 2 + far w x (w x p)
    cx, cy, cz = wy * at[2] - wz * at[1], wz * at[0] - wx * at[2], wx * at[1] - wy * at[0]
    out[0] = at[0] - 0.5 * cx + far * (wy * cz - wz * cy)
    out[1] = at[1] - 0.5 * cy + far * (wz * cx - wx * cz)
    out[2] = at[2] - 0.5 * cz + far * (wx * cy - wy * cx)
    out[3], out[4], out[5] = wx, wy, wz


@compiled
def _quaternion(turn: Floats) -> tuple[float, float, float, float]:
    """Quaternion x, y, z, w, w >= 0, of a rotation matrix (Shepperd 1978)."""
    xx, yy, zz = turn[0, 0], turn[1, 1], turn[2, 2]
    trace = xx + yy + zz
    if trace >= max(xx, yy, zz):
        w = 0.5 * np.sqrt(1.0 + trace)
        s = 0.25 / w
        x = (turn[2, 1] - turn[1, 2]) * s
        y = (turn[0, 2] - turn[2, 0]) * s
        z = (turn[1, 0] - turn[0, 1]) * s
    elif xx >= yy and xx >= zz:
        x = 0.5 * np.sqrt(1.0 + xx - yy - zz)
        s = 0.25 / x
        w, y, z = (
            (turn[2, 1] - turn[1, 2]) * s,
            (turn[0, 1] + turn[1, 0]) * s,
            (turn[0, 2] + turn[2, 0]) * s,
        )
    elif yy >= zz:
        y = 0.5 * np.sqrt(1.0 - xx + yy - zz)
        s = 0.25 / y
        w, x, z = (
            (turn[0, 2] - turn[2, 0]) * s,
            (turn[0, 1] + turn[1, 0]) * s,
            (turn[1, 2] + turn[2, 1]) * s,
        )
    else:
        z = 0.5 * np.sqrt(1.0 - xx - yy + zz)
        s = 0.25 / z
        w, x, y = (
            (turn[1, 0] - turn[0, 1]) * s,
            (turn[0, 2] + turn[2, 0]) * s,
            (turn[1, 2] + turn[2, 1]) * s,
        )
    if w < 0.0:
        return -x, -y, -z, -w
    return x, y, z, w


@compiled
def screw_into(twist: Floats, out: Floats) -> None:
    """Exponential of a twist (6,), into the upper three rows of (4, 4)."""
    wx, wy, wz = twist[3], twist[4], twist[5]
    angle = np.sqrt(wx * wx + wy * wy + wz * wz)
    squared = angle * angle
    if angle < _SMALL:
        one = 1.0 - squared / 6.0 + squared * squared / 120.0
        two = 0.5 - squared / 24.0 + squared * squared / 720.0
        three = 1.0 / 6.0 - squared / 120.0 + squared * squared / 5040.0
    else:
        one = np.sin(angle) / angle
        two = (1.0 - np.cos(angle)) / squared
        three = (1.0 - one) / squared
    cross = np.array([[0.0, -wz, wy], [wz, 0.0, -wx], [-wy, wx, 0.0]])
    for i in range(3):
        out[i, 3] = 0.0
        for j in range(3):
            double = (
                cross[i, 0] * cross[0, j] + cross[i, 1] * cross[1, j] + cross[i, 2] * cross[2, j]
            )
            same = 1.0 if i == j else 0.0
            out[i, j] = same + one * cross[i, j] + two * double
            out[i, 3] += (same + two * cross[i, j] + three * double) * twist[j]


@compiled
def turn_about(pose: Floats, axis: Floats, angle: float) -> None:
    """Turn a pose (4, 4) about an axis of its own (Rodrigues)."""
    x, y, z = axis[0], axis[1], axis[2]
    c, s = np.cos(angle), np.sin(angle)
    d = 1.0 - c
    for i in range(3):
        a, b, e = pose[i, 0], pose[i, 1], pose[i, 2]
        pose[i, 0] = a * (c + d * x * x) + b * (d * x * y + s * z) + e * (d * x * z - s * y)
        pose[i, 1] = a * (d * x * y - s * z) + b * (c + d * y * y) + e * (d * y * z + s * x)
        pose[i, 2] = a * (d * x * z + s * y) + b * (d * y * z - s * x) + e * (c + d * z * z)


@compiled
def product_into(a: Floats, b: Floats, out: Floats) -> None:
    """Product of two poses (4, 4)."""
    for i in range(3):
        for j in range(3):
            out[i, j] = a[i, 0] * b[0, j] + a[i, 1] * b[1, j] + a[i, 2] * b[2, j]
        out[i, 3] = a[i, 0] * b[0, 3] + a[i, 1] * b[1, 3] + a[i, 2] * b[2, 3] + a[i, 3]
    out[3, 0], out[3, 1], out[3, 2], out[3, 3] = 0.0, 0.0, 0.0, 1.0


@compiled
def inverse_into(pose: Floats, out: Floats) -> None:
    """Inverse (4, 4) of a pose."""
    for i in range(3):
        out[i, 3] = 0.0
        for j in range(3):
            out[i, j] = pose[j, i]
            out[i, 3] -= pose[j, i] * pose[j, 3]
    out[3, 0], out[3, 1], out[3, 2], out[3, 3] = 0.0, 0.0, 0.0, 1.0
