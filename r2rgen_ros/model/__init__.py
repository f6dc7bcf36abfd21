# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The nouns of the package: frozen dataclasses that check themselves, and the error type."""
