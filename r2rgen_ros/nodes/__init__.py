# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""ROS 2 nodes, thin edges over the same code as the command line."""
