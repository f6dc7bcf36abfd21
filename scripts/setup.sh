#!/usr/bin/env bash
# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# Makes .venv in the checkout ready: a Python, the locked versions, this project (editable) and the
# system libraries; then the ROS 2 underlay (underlay.sh). Does nothing, and needs no network, when all
# of it is there already.
#
# PYTHON=/path/to/python chooses the interpreter. pip's own configuration (PIP_*, pip.conf) holds.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# shellcheck source=scripts/common.sh
. scripts/common.sh
stamp=$venv/.r2rgen_ros-setup

# Says whether the command in $1 is a Python this project runs on; shims that lead nowhere are not.
is_usable() {
  "$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' \
    > /dev/null 2>&1
}

find_python() {
  local candidate
  if [ -n "${PYTHON:-}" ]; then
    is_usable "$PYTHON" || fail "PYTHON=$PYTHON is not a Python 3.10, 3.11, 3.12 or 3.13."
    printf '%s\n' "$PYTHON"
    return
  fi
  for candidate in python3 python3.12 python3.11 python3.13 python3.10 python \
    /usr/bin/python3 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.1[0-3].*/bin/python; do
    if is_usable "$candidate"; then
      printf '%s\n' "$candidate"
      return
    fi
  done
  fail 'found no Python 3.10, 3.11, 3.12 or 3.13. Install one, for example' \
    '  sudo apt-get install -y python3 python3-venv' \
    'or say where it is: make PYTHON=/path/to/python3.12'
}

# All that decides what lies in .venv, as one hash; the checkout's own place is part of it.
fingerprint() {
  { pwd -P; cat "$lock" setup.py setup.cfg pyproject.toml package.xml scripts/setup.sh scripts/common.sh; } |
    "$1" -c 'import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())'
}

make_venv() {
  local python version
  is_usable "$venv/bin/python" && "$venv/bin/python" -m pip --version > /dev/null 2>&1 && return
  python=$(find_python)
  version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  if ! "$python" -c 'import ensurepip, venv' > /dev/null 2>&1; then
    if [ "$(command -v "$python")" = /usr/bin/python3 ]; then
      install_packages python3-venv
    else
      install_packages "python$version-venv"
    fi
  fi
  say "making $venv with Python $version"
  "$python" -m venv --clear "$venv"
}

install_lock() {
  local pip_version pip=("$venv/bin/python" -m pip --disable-pip-version-check)
  pip_version=$(grep -E '^pip==' "$lock" | cut -d ' ' -f 1)
  say "installing $(grep -c '==' "$lock") locked packages (the first time: some 700 MB of downloads)"
  "${pip[@]}" install --quiet "$pip_version"
  "${pip[@]}" install --quiet --progress-bar off -r "$lock"
  PYTHONWARNINGS=ignore "${pip[@]}" install --quiet --no-deps --no-build-isolation --editable .
}

check_system() {
  local packages
  packages=$("$venv/bin/python" scripts/system_libraries.py)
  [ -z "$packages" ] && return
  # shellcheck disable=SC2086  # one word per package
  install_packages $packages
  packages=$("$venv/bin/python" scripts/system_libraries.py)
  [ -z "$packages" ] || say "still not found after installing: $packages; drawing may not work"
}

if is_usable "$venv/bin/python" && [ "$(cat "$stamp" 2> /dev/null)" = "$(fingerprint "$venv/bin/python")" ]; then
  check_system
else
  make_venv
  check_system
  install_lock
  fingerprint "$venv/bin/python" > "$stamp"
  say "$venv is ready"
fi
bash scripts/underlay.sh
