# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The tree of joints of a robot description, read from its text."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass


@dataclass(frozen=True)
class Mimic:
    """A joint that follows another: q = multiplier * q_master + offset."""

    master: str
    multiplier: float
    offset: float


class JointTree:
    """Which movable joints lie between the links of a robot description, and which follow others.

    Args:
        description: Text of a URDF.

    Attributes:
        mimics: The joints that follow others, by name.

    Raises:
        xml.etree.ElementTree.ParseError: The text is no XML.
        ValueError: A multiplier or offset is no number.

    """

    def __init__(self, description: str) -> None:
        self._above: dict[str, tuple[str, str]] = {}
        self._movable: set[str] = set()
        self._prismatic: set[str] = set()
        self.mimics: dict[str, Mimic] = {}
        for joint in ET.fromstring(description).findall('joint'):
            name = str(joint.get('name'))
            parent, child, mimic = (joint.find(tag) for tag in ('parent', 'child', 'mimic'))
            if parent is None or child is None:
                continue
            self._above[str(child.get('link'))] = (name, str(parent.get('link')))
            if joint.get('type') != 'fixed':
                self._movable.add(name)
            if joint.get('type') == 'prismatic':
                self._prismatic.add(name)
            if mimic is not None:
                multiplier, offset = mimic.get('multiplier', '1'), mimic.get('offset', '0')
                master = str(mimic.get('joint'))
                self.mimics[name] = Mimic(master, float(multiplier), float(offset))

    def chain(self, link: str) -> tuple[str, ...]:
        """Return the movable joints from the root to a link, in order."""
        out: list[str] = []
        while link in self._above:
            joint, link = self._above[link]
            out += [joint] if joint in self._movable else []
        return tuple(reversed(out))

    def between(self, one: str, other: str) -> set[str]:
        """Return the movable joints between two links."""
        return set(self.chain(one)) ^ set(self.chain(other))

    def leader(self, joint: str) -> str:
        """Return the joint that a joint mimics, or the joint itself."""
        return self.mimics[joint].master if joint in self.mimics else joint

    def led_by(self, joint: str) -> list[str]:
        """Return a joint and those that mimic it."""
        return [joint, *(name for name, mimic in self.mimics.items() if mimic.master == joint)]

    def slides(self, joint: str) -> bool:
        """Whether a joint moves along a line."""
        return joint in self._prismatic

    def child(self, joint: str) -> str:
        """Return the link that a joint carries."""
        return next(link for link, (name, _) in self._above.items() if name == joint)
