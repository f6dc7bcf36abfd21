# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How much of an episode's images looks at what the source never saw, and whether it is too much.

Objects and robot hide what lies behind them, so the share is only known once frames are drawn. They
are watched on their way into the bag; the first one that shows too much ends the attempt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from r2rgen_ros.model.episode import Reason, Rejection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from r2rgen_ros.model.episode import Episode
    from r2rgen_ros.model.sensed import SensedFrame


class TooMuchUnseenError(Exception):
    """A frame shows too much that the source never saw.

    Args:
        rejection: The attempt's.

    """

    def __init__(self, rejection: Rejection) -> None:
        super().__init__(rejection.detail)
        self.rejection = rejection


class UnseenWatch:
    """Measures the frames of one episode as they pass.

    Args:
        episode: The episode.
        limit: Share of any frame's pixels that may look at what the source never saw.

    Attributes:
        largest: Largest share so far, to a millionth; None where no frame tells.

    """

    def __init__(self, episode: Episode, limit: float) -> None:
        self._episode, self._limit = episode, limit
        self.largest: float | None = None

    def over(self, frames: Iterator[SensedFrame]) -> Iterator[SensedFrame]:
        """Pass frames on.

        Raises:
            TooMuchUnseenError: A frame shows too much.

        """
        for number, frame in enumerate(frames):
            if frame.unseen is not None:
                share = round(frame.unseen, 6)
                if share > self._limit:
                    raise TooMuchUnseenError(self._rejection(number, share))
                self.largest = max(share, self.largest or 0.0)
            yield frame

    def _rejection(self, number: int, share: float) -> Rejection:
        variation = self._episode.variation
        return Rejection(
            variation.index,
            Reason.UNSEEN,
            f'{100 * share:.0f} % of the image would look at what the source never saw',
            int(self._episode.source_frames[number]),
            share - self._limit,
            variation,
            variation.moves,
        )
