# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the launch files share. Only they import it: it needs the packages launch and launch_ros."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from r2rgen_ros.nodes import transport

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

PACKAGE = 'r2rgen_ros'


def loss_free() -> list[SetEnvironmentVariable]:
    """Return what loses no images, unless the user chose otherwise."""
    return [SetEnvironmentVariable(*item) for item in transport.settings().items()]


def declared(
    arguments: Iterable[tuple[str, Any, str]], choices: Mapping[str, Sequence[str]] | None = None
) -> list[DeclareLaunchArgument]:
    """Return the declarations of arguments.

    Args:
        arguments: Name, default and description of each; a default of None asks for a value.
        choices: Values that an argument may have, by name.

    """
    return [
        DeclareLaunchArgument(
            name,
            default_value=default,
            description=description,
            choices=(choices or {}).get(name),
        )
        for name, default, description in arguments
    ]


def value(context: LaunchContext, name: str) -> str:
    """Return the value of an argument."""
    return str(LaunchConfiguration(name).perform(context))


def texts_of(text: str) -> list[str]:
    """Return the texts between the commas of "a, b" or "['a', 'b']"."""
    return [each.strip(' \'"') for each in text.strip('[] ').split(',')]


def is_true(context: LaunchContext, name: str) -> bool:
    """Return whether an argument is true."""
    return value(context, name).lower() == 'true'


def parameters_file(context: LaunchContext) -> list[str]:
    """Return the file that the argument params_file names, if it does."""
    file = value(context, 'params_file')
    return [str(Path(file).expanduser())] if file else []


def node(context: LaunchContext, executable: str, parameters: Sequence[Any]) -> Node:
    """Return a node of this package."""
    return Node(
        package=PACKAGE,
        executable=executable,
        namespace=value(context, 'namespace'),
        parameters=parameters,
        arguments=['--ros-args', '--log-level', value(context, 'log_level')],
        output='screen',
    )


def rviz_remappings(context: LaunchContext, executable: str) -> list[tuple[str, str]]:
    """Return what leads RViz to a node in the argument `namespace`.

    RViz's files name the topics of a node without a namespace, from the root.

    Args:
        context: With the arguments namespace and rviz_config.
        executable: The node's name.

    """
    namespace = value(context, 'namespace').strip('/')
    file = Path(value(context, 'rviz_config')).expanduser()
    if not namespace or not file.is_file():
        return []
    clicks = '|/clicked_point' if executable == 'annotator' else ''
    pattern = rf': *["\']?(/{executable}/[\w/]+{clicks})["\']? *$'
    named = re.findall(pattern, file.read_text(encoding='utf-8', errors='replace'), re.MULTILINE)
    return [(topic, f'/{namespace}{topic}') for topic in dict.fromkeys(named)]


def node_with_rviz(
    executable: str,
    share: Path,
    arguments: Sequence[tuple[str, Any, str]],
    *,
    flags: Sequence[str] = ('autostart',),
    texts: Sequence[str] = (),
    numbers: Sequence[str] = (),
    lists: Sequence[str] = (),
) -> LaunchDescription:
    """Return a node of this package, and RViz where it is wanted.

    Args:
        executable: Its name, and that of its file in config/.
        share: Folder that holds config/ and rviz/.
        arguments: As for `declared`.
        flags: Arguments that are parameters of the node, true or false.
        texts: Those that are texts; empty ones leave the parameter as it is in the files.
        numbers: Those that are whole numbers; the same.
        lists: Those that are texts with commas between them; the same.

    """

    def make(context: LaunchContext) -> list[Node]:
        own: dict[str, Any] = {name: is_true(context, name) for name in flags}
        given = partial(value, context)
        own.update({name: given(name) for name in texts if given(name)})
        own.update({name: int(given(name)) for name in numbers if given(name)})
        own.update({name: texts_of(given(name)) for name in lists if given(name)})
        files = [str(share / 'config' / f'{executable}.yaml'), *parameters_file(context)]
        nodes = [node(context, executable, [*files, own])]
        if is_true(context, 'rviz'):
            nodes.append(
                Node(
                    package='rviz2',
                    executable='rviz2',
                    arguments=['--display-config', value(context, 'rviz_config')],
                    remappings=rviz_remappings(context, executable),
                    output='screen',
                )
            )
        return nodes

    return LaunchDescription([*loss_free(), *declared(arguments), OpaqueFunction(function=make)])
