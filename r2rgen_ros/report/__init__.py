# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures of demonstrations and datasets: the only room that knows matplotlib and rerun."""
