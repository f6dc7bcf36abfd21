# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The calls of sensor_msgs_py and tf_transformations that the nodes use.

On a ROS 2 machine they are those packages' own. The wheels of ROS 2 on PyPI lack both; there the
functions below stand in, for exactly these calls. A test holds the two equal where both exist.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sensor_msgs.msg import PointCloud2, PointField

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray
    from std_msgs.msg import Header

__all__ = ['create_cloud', 'quaternion_from_matrix']

try:
    from sensor_msgs_py.point_cloud2 import create_cloud
except ImportError:

    def create_cloud(
        header: Header, fields: Sequence[PointField], points: NDArray[Any]
    ) -> PointCloud2:
        """Return an unorganised cloud of a structured array (N,) that has the fields' layout."""
        return PointCloud2(
            header=header,
            height=1,
            width=len(points),
            fields=list(fields),
            is_bigendian=False,
            point_step=points.dtype.itemsize,
            row_step=points.dtype.itemsize * len(points),
            is_dense=False,
            data=np.ascontiguousarray(points).tobytes(),
        )


try:
    from tf_transformations import quaternion_from_matrix
except ImportError:

    def quaternion_from_matrix(matrix: ArrayLike) -> NDArray[np.float64]:
        """Return the quaternion x, y, z, w of a transform (4, 4)."""
        from r2rgen_ros.geometry import se3

        return se3.to_quaternion(np.asarray(matrix, dtype=np.float64))[1]
