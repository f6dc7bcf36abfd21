# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The page in a browser on which a person annotates a demonstration."""
