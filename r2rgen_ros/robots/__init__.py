# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Robots by their URDF: kinematics and limits. The only room that knows Pinocchio."""
