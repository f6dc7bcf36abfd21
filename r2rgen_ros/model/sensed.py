# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One frame of an episode as the source's camera would have reported it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from r2rgen_ros.model.errors import require

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from r2rgen_ros.geometry.cloud import Cloud


@dataclass(frozen=True)
class SensedFrame:
    """Images or a cloud, as the source has them, and the same with labels.

    Attributes:
        depth: (H, W) float32 metres, NaN where invalid; or None.
        colour: (H, W, 3) uint8 RGB; or None.
        cloud: Points in the base frame, as many as the source's frames have; or None.
        labelled: Points in the base frame that `labels` speaks of; or None.
        labels: (N,) uint8 label of each labelled point, see `model.scene`; or None.

    """

    depth: NDArray[np.float32] | None = None
    colour: NDArray[np.uint8] | None = None
    cloud: Cloud | None = None
    labelled: Cloud | None = None
    labels: NDArray[np.uint8] | None = None

    def __post_init__(self) -> None:
        """Check that there is something, and one label per labelled point."""
        require(
            self.depth is not None or self.cloud is not None,
            'a sensed frame holds neither depth nor a cloud',
        )
        if self.labelled is not None:
            have = -1 if self.labels is None else len(self.labels)
            require(
                have == len(self.labelled), f'{have} labels', f'{len(self.labelled)}, one a point'
            )
