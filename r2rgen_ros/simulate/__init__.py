# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A virtual robot with a depth camera, and its ground truth. The only room that knows MuJoCo."""
