# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Batched rigid transforms: `A2B` maps points of A into B, p_B = A2B @ p_A.

All functions take and return arrays of shape (..., 4, 4) float64 and broadcast over the leading
axes. Quaternions are x, y, z, w (REP-103). Rotations go through `scipy.spatial.transform`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.spatial.transform import Rotation

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]


def compose(rotation: ArrayLike, translation: ArrayLike) -> Floats:
    """Build transforms from rotation matrices (..., 3, 3) and translations (..., 3) in metres."""
    rotation = np.asarray(rotation, dtype=np.float64)
    translation = np.asarray(translation, dtype=np.float64)
    lead = np.broadcast_shapes(rotation.shape[:-2], translation.shape[:-1])
    out = np.zeros((*lead, 4, 4))
    out[..., :3, :3] = rotation
    out[..., :3, 3] = translation
    out[..., 3, 3] = 1.0
    return out


def inverse(a2b: ArrayLike) -> Floats:
    """Invert transforms (..., 4, 4) in closed form: B2A."""
    a2b = np.asarray(a2b, dtype=np.float64)
    rotation = np.swapaxes(a2b[..., :3, :3], -1, -2)
    return compose(rotation, -np.einsum('...ij,...j->...i', rotation, a2b[..., :3, 3]))


def apply(a2b: ArrayLike, points: ArrayLike) -> Floats:
    """Map points (..., N, 3) of A into B with transforms (..., 4, 4)."""
    a2b = np.asarray(a2b, dtype=np.float64)
    points = np.asarray(points, dtype=np.float64)
    turned = points @ np.swapaxes(a2b[..., :3, :3], -1, -2)
    return np.asarray(turned + a2b[..., None, :3, 3])


def from_quaternion(translation: ArrayLike, quaternion: ArrayLike) -> Floats:
    """Build transforms from translations (..., 3) and quaternions x, y, z, w (..., 4)."""
    quaternion = np.asarray(quaternion, dtype=np.float64)
    matrices = Rotation.from_quat(quaternion.reshape(-1, 4)).as_matrix()
    return compose(matrices.reshape(*quaternion.shape[:-1], 3, 3), translation)


def to_quaternion(a2b: ArrayLike) -> tuple[Floats, Floats]:
    """Split transforms into translations (..., 3) and quaternions x, y, z, w (..., 4), w >= 0."""
    a2b = np.asarray(a2b, dtype=np.float64)
    flat = Rotation.from_matrix(a2b[..., :3, :3].reshape(-1, 3, 3)).as_quat(canonical=True)
    return a2b[..., :3, 3].copy(), flat.reshape(*a2b.shape[:-2], 4)


def rotation_about(axis: ArrayLike, angle: ArrayLike) -> Floats:
    """Rotation matrices (..., 3, 3) about one unit axis (3,) by angles (...) in radians."""
    axis = np.asarray(axis, dtype=np.float64)
    angle = np.asarray(angle, dtype=np.float64)
    matrices = Rotation.from_rotvec(angle.reshape(-1, 1) * axis).as_matrix()
    return np.asarray(matrices.reshape(*angle.shape, 3, 3))


def about_point(rotation: ArrayLike, point: ArrayLike, translation: ArrayLike) -> Floats:
    """Transforms that turn about a fixed point and then translate.

    Args:
        rotation: Rotation matrices (..., 3, 3).
        point: Point that the rotation leaves where it is (..., 3), metres.
        translation: Translation after the rotation (..., 3), metres.

    Returns:
        Transforms (..., 4, 4).

    """
    rotation = np.asarray(rotation, dtype=np.float64)
    point = np.asarray(point, dtype=np.float64)
    turned = np.einsum('...ij,...j->...i', rotation, point)
    return compose(rotation, point - turned + np.asarray(translation, dtype=np.float64))


def interpolate(a2b: ArrayLike, at: ArrayLike) -> Floats:
    """Evaluate a sequence of poses at fractional indices.

    Positions are interpolated linearly and rotations along the shortest arc (slerp), which is what
    tf2 does between two stamped transforms. At whole indices the pose comes back bit for bit.

    Args:
        a2b: Poses (T, 4, 4), T >= 1.
        at: Indices (M,), clipped to [0, T - 1].

    Returns:
        Poses (M, 4, 4).

    """
    a2b = np.asarray(a2b, dtype=np.float64)
    at = np.clip(np.asarray(at, dtype=np.float64), 0.0, len(a2b) - 1)
    low = np.floor(at).astype(np.int64)
    share = at - low
    out = np.ascontiguousarray(a2b[low])
    mixed = np.flatnonzero(share > 0.0)
    if mixed.size:
        before, after = a2b[low[mixed]], a2b[low[mixed] + 1]
        part = share[mixed, None]
        out[mixed, :3, 3] += part * (after[:, :3, 3] - before[:, :3, 3])
        turn = Rotation.from_matrix(before[:, :3, :3].swapaxes(-1, -2) @ after[:, :3, :3])
        step = Rotation.from_rotvec(part * turn.as_rotvec()).as_matrix()
        out[mixed, :3, :3] = before[:, :3, :3] @ step
    return out


def angle_between(a2b: ArrayLike, c2d: ArrayLike) -> Any:
    """Angles (...) in radians between the rotations of two arrays of transforms."""
    first = np.asarray(a2b, dtype=np.float64)[..., :3, :3]
    second = np.asarray(c2d, dtype=np.float64)[..., :3, :3]
    relative = np.swapaxes(first, -1, -2) @ second
    flat = Rotation.from_matrix(relative.reshape(-1, 3, 3)).magnitude()
    return flat.reshape(relative.shape[:-2])


def is_transform(a2b: ArrayLike, tolerance: float = 1e-6) -> bool:
    """Whether every matrix (..., 4, 4) is a proper rigid transform to a tolerance."""
    a2b = np.asarray(a2b, dtype=np.float64)
    if a2b.shape[-2:] != (4, 4) or not np.isfinite(a2b).all():
        return False
    rotation = a2b[..., :3, :3]
    product = rotation @ np.swapaxes(rotation, -1, -2)
    return bool(
        np.abs(product - np.eye(3)).max(initial=0.0) <= tolerance
        and (np.linalg.det(rotation) > 0.0).all()
        and np.abs(a2b[..., 3, :] - [0.0, 0.0, 0.0, 1.0]).max(initial=0.0) <= tolerance
    )
