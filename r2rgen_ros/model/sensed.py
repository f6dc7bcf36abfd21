# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the camera would have seen of an episode at one instant."""

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
    """One generated frame, in the kinds that the source has.

    Attributes:
        depth: (H, W) float32 metres along the optical axis, NaN where invalid; or None.
        colour: (H, W, 3) uint8 aligned to the depth; or None.
        cloud: Points in the base frame; None where the source is depth images.
        mask: (H, W) where the cloud's points lie in an organised cloud; or None.
        labelled: Points in the base frame that a person may look at, with a label each; or None.
        labels: (N,) uint8 labels of `labelled` (see `r2rgen_ros.model.scene`).
        unseen: Share of the pixels that look at what no frame of the source saw; None where that is
            not known, or the camera stays where it was.

    """

    depth: NDArray[np.float32] | None = None
    colour: NDArray[np.uint8] | None = None
    cloud: Cloud | None = None
    mask: NDArray[np.bool_] | None = None
    labelled: Cloud | None = None
    labels: NDArray[np.uint8] | None = None
    unseen: float | None = None

    def __post_init__(self) -> None:
        """Check that there is something, and that what belongs together fits."""
        require(
            not (self.depth is None and self.cloud is None and self.labelled is None),
            'a sensed frame holds neither depth nor a cloud nor labelled points',
        )
        if self.depth is not None and self.colour is not None:
            require(
                self.depth.shape == self.colour.shape[:2],
                f'sensed depth is {self.depth.shape} but colour is {self.colour.shape[:2]} pixels',
            )
        have = None if self.labels is None else len(self.labels)
        want = None if self.labelled is None else len(self.labelled)
        require(have == want, f'there are {have} labels for {want} labelled points')
