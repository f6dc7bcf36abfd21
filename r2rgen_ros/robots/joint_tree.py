# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The tree of joints of a robot description, read from its text."""

from __future__ import annotations

import xml.etree.ElementTree as ET


class JointTree:
    """Which movable joints lie between the links of a robot description.

    Args:
        description: Text of a URDF.

    """

    def __init__(self, description: str) -> None:
        self._above: dict[str, tuple[str, str]] = {}
        self._movable: set[str] = set()
        self._prismatic: set[str] = set()
        self._leads: dict[str, str] = {}
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
                self._leads[name] = str(mimic.get('joint'))

    def between(self, one: str, other: str) -> set[str]:
        """Return the movable joints between two links."""
        return self._chain(one) ^ self._chain(other)

    def leader(self, joint: str) -> str:
        """Return the joint that a joint mimics, or the joint itself."""
        return self._leads.get(joint, joint)

    def led_by(self, joint: str) -> list[str]:
        """Return a joint and those that mimic it."""
        return [joint, *(name for name, lead in self._leads.items() if lead == joint)]

    def slides(self, joint: str) -> bool:
        """Whether a joint moves along a line."""
        return joint in self._prismatic

    def child(self, joint: str) -> str:
        """Return the link that a joint carries."""
        return next(link for link, (name, _) in self._above.items() if name == joint)

    def _chain(self, link: str) -> set[str]:
        out = set()
        while link in self._above:
            joint, link = self._above[link]
            out.add(joint)
        return out & self._movable
