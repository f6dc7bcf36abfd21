# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Prints the Debian and Ubuntu packages whose shared libraries this machine lacks.

It loads the libraries themselves instead of asking a package manager, because they may come from
anywhere: a driver, a container's base image, a package of another name.
"""

from __future__ import annotations

import ctypes
import os
import sys

# Package to install -> any one of these libraries will do.
LIBRARIES = {
    'libegl1': ('libEGL.so.1',),  # MuJoCo draws off screen through EGL
    'libopengl0': ('libOpenGL.so.0', 'libGL.so.1'),  # PyOpenGL, which MuJoCo uses
    'libgomp1': ('libgomp.so.1',),  # Pinocchio and numba
    'libstdc++6': ('libstdc++.so.6',),  # every compiled wheel
}
RENDERERS = 'libgl1-mesa-dri'


def loads(name: str) -> bool:
    """Says whether the dynamic linker finds a library."""
    try:
        ctypes.CDLL(name, mode=ctypes.RTLD_GLOBAL)
    except OSError:
        return False
    return True


def draws() -> bool:
    """Says whether EGL finds a driver that draws without a screen."""
    if loads('libEGL_nvidia.so.0'):
        return True
    os.environ['EGL_PLATFORM'] = 'surfaceless'
    os.environ.setdefault('EGL_LOG_LEVEL', 'fatal')
    egl = ctypes.CDLL('libEGL.so.1')
    egl.eglGetDisplay.restype = ctypes.c_void_p
    egl.eglGetDisplay.argtypes = [ctypes.c_void_p]
    egl.eglInitialize.argtypes = [ctypes.c_void_p] * 3
    display = egl.eglGetDisplay(None)
    return bool(display) and bool(egl.eglInitialize(display, None, None))


def missing() -> list[str]:
    """Returns the names of the packages to install, sorted."""
    packages = {package for package, names in LIBRARIES.items() if not any(map(loads, names))}
    if 'libegl1' in packages or not draws():
        packages.add(RENDERERS)
    return sorted(packages)


if __name__ == '__main__':
    if sys.platform.startswith('linux'):
        print(*missing())
