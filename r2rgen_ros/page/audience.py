# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Who is told what comes of what a person does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from r2rgen_ros.page.view import View


class Audience(Protocol):
    """Who is told how things stand."""

    def show(self, view: View) -> None:
        """Show how things stand."""

    def progress(self, text: str, share: float | None) -> None:
        """Tell what is under way, and how much of it is done, 0 to 1; no text: nothing is."""

    def say(self, text: str, *, is_bad: bool = False) -> None:
        """Tell what has happened."""
