# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One real demonstration in, a folder of new, replayable demonstrations out."""

from __future__ import annotations

__version__ = '0.1.0'
