# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Demo + Annotation -> Scene: support plane, objects, tracking, environment, robot, skills."""
