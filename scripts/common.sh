#!/usr/bin/env bash
# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# What the setup scripts share; to be sourced.

venv=.venv
lock=requirements/lock.txt

say() { printf 'setup: %s\n' "$*"; }
fail() {
  printf 'setup: %s\n' "$@" >&2
  exit 1
}

# Installs Debian packages when root; otherwise prints the exact line and stops.
install_packages() {
  local line="apt-get update && apt-get install -y --no-install-recommends $*"
  if [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
    say "installing system packages: $*"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@" && return
    fail 'apt-get failed; run this line, then make again:' "  $line"
  fi
  fail "missing system packages: $*" 'Run this line, then make again:' "  sudo sh -c '$line'"
}
