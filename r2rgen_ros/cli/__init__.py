# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The command r2rgen: one file per verb."""

from __future__ import annotations

from r2rgen_ros.model.threads import one_thread_for_algebra

one_thread_for_algebra()
