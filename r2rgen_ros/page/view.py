# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How an annotation stands, for the page to show; made by one thread and read by others."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from r2rgen_ros.model.scene import FIRST_OBJECT, UNSEEN

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from r2rgen_ros.model.annotation import ObjectNote, Skill, SupportPlane
    from r2rgen_ros.model.scene import Scene


@dataclass(frozen=True)
class View:
    """How an annotation stands.

    Attributes:
        scene: The scene; None while it is not up to date.
        support: The support plane, once it is known.
        objects: Those that are named, in the order of their labels.
        skills: In order of time; those of the scene before where it is not up to date.
        checks: What a person should check.
        clicked: Labels of the frames that were clicked in, for while there is no scene.

    """

    scene: Scene | None = None
    support: SupportPlane | None = None
    objects: tuple[ObjectNote, ...] = ()
    skills: tuple[Skill, ...] = ()
    checks: tuple[str, ...] = ()
    clicked: Mapping[int, NDArray[np.uint8]] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the objects."""
        return tuple(note.name for note in self.objects)

    def labels(self, frame: int) -> NDArray[np.uint8] | None:
        """Labels of a frame's pixels or points; None where none are known."""
        if self.scene is not None:
            return self.scene.labels[frame]
        return self.clicked.get(frame)

    def name_at(self, frame: int, place: int) -> str | None:
        """Return the object that a place of a frame's flattened labels belongs to."""
        labels = self.labels(frame)
        if labels is None:
            return None
        label = int(labels.reshape(-1)[place])
        known = FIRST_OBJECT <= label < FIRST_OBJECT + len(self.objects) and label != UNSEEN
        return self.names[label - FIRST_OBJECT] if known else None
