# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""ROS 2 nodes, thin edges over the same code as the command line."""

from __future__ import annotations

from r2rgen_ros.model.threads import one_thread_for_algebra

one_thread_for_algebra()
