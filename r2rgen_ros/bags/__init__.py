# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Bags in and out, messages to arrays and back: the one room that knows rosbags."""
