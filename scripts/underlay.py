# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Prepares .venv for building ROS interface packages on the wheels of ROS 2.

Two things are missing there. The CMake files of the wheels name the include folders of the machine
that built the wheels; they are replaced by this environment's. And tf2_msgs is not on PyPI; its
source is written from the definition that rosbags prints.
"""

from __future__ import annotations

import re
import sys
import sysconfig
from pathlib import Path

PACKAGE = """\
<?xml version="1.0"?>
<package format="3">
  <name>tf2_msgs</name>
  <version>0.0.0</version>
  <description>Messages of tf2, from their standard definitions</description>
  <maintainer email="r2rgen_ros@example.org">The r2rgen_ros authors</maintainer>
  <license>BSD-3-Clause</license>
  <buildtool_depend>ament_cmake</buildtool_depend>
  <buildtool_depend>rosidl_default_generators</buildtool_depend>
  <depend>geometry_msgs</depend>
  <exec_depend>rosidl_default_runtime</exec_depend>
  <member_of_group>rosidl_interface_packages</member_of_group>
  <export><build_type>ament_cmake</build_type></export>
</package>
"""
CMAKE = """\
cmake_minimum_required(VERSION 3.16)
project(tf2_msgs)
find_package(ament_cmake REQUIRED)
find_package(geometry_msgs REQUIRED)
find_package(rosidl_default_generators REQUIRED)
rosidl_generate_interfaces(${PROJECT_NAME} msg/TFMessage.msg DEPENDENCIES geometry_msgs)
ament_export_dependencies(rosidl_default_runtime)
ament_package()
"""
MESSAGE = 'tf2_msgs/msg/TFMessage'
FOREIGN = re.compile(r'INTERFACE_INCLUDE_DIRECTORIES "(?!\$\{_IMPORT_PREFIX\})[^"]*python3[^"]*"')


def mend_includes(prefix: Path) -> None:
    """Replaces, in the wheels' CMake files, the include folders of another machine's Python."""
    import numpy as np

    folders = f'{sysconfig.get_path("include")};{np.get_include()}'
    for file in sorted(prefix.glob('share/*/cmake/*Export.cmake')):
        text = file.read_text(encoding='utf-8')
        mended = FOREIGN.sub(f'INTERFACE_INCLUDE_DIRECTORIES "{folders}"', text)
        if mended != text:
            file.write_text(mended, encoding='utf-8')


def write_tf2_msgs(folder: Path) -> None:
    """Writes the source of tf2_msgs."""
    from rosbags.typesys import Stores, get_typestore

    text, _ = get_typestore(Stores.ROS2_KILTED).generate_msgdef(MESSAGE, ros_version=2)
    own = text.split('=' * 80, maxsplit=1)[0]
    (folder / 'msg').mkdir(parents=True)
    (folder / 'msg' / 'TFMessage.msg').write_text(own, encoding='utf-8')
    (folder / 'package.xml').write_text(PACKAGE, encoding='utf-8')
    (folder / 'CMakeLists.txt').write_text(CMAKE, encoding='utf-8')


if __name__ == '__main__':
    mend_includes(Path(sys.prefix))
    write_tf2_msgs(Path(sys.argv[1]) / 'tf2_msgs')
