#!/usr/bin/env bash
# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# Has a Chromium for the tests of the annotator's page: they click through it without a window, and are
# skipped where there is none. Only make test needs it. BROWSERS of test/page/conftest.py are the same.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/common.sh
. scripts/common.sh

for name in chromium chromium-browser google-chrome; do
  command -v "$name" > /dev/null && exit 0
done
(install_packages chromium) || say 'until then the tests of the page are skipped'
