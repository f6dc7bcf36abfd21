# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The texts that describe a robot, URDF and SRDF: where they are, and what is wrong with them.

What is checked here is what the parser of URDFs only complains of on standard error.
"""

from __future__ import annotations

import difflib
import math
import xml.etree.ElementTree as ET
from collections import Counter
from typing import TYPE_CHECKING

from r2rgen_ros.model.errors import R2RGenError, require

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from r2rgen_ros.robots.meshes import MeshFinder

PREFIX = (
    'give each arm a prefix of its own in one URDF (as xacro arguments "prefix:=left_" and'
    ' "prefix:=right_" do), and record again'
)
"""What to do where two arms have the same names."""
_FEW = 3
_LIMITED = ('revolute', 'prismatic')
_KINDS = (*_LIMITED, 'continuous', 'fixed', 'floating', 'planar')
_NUMBERS = {
    'origin': {'xyz': 3, 'rpy': 3},
    'axis': {'xyz': 3},
    'limit': {'lower': 1, 'upper': 1, 'effort': 1, 'velocity': 1},
    'mimic': {'multiplier': 1, 'offset': 1},
}
"""Attributes of a joint's elements that are so many numbers."""


def find_text(name: str, finder: MeshFinder, what: str) -> tuple[Path, str]:
    """Read a file of a robot description.

    Args:
        name: `package://PKG/path`, `file:///path`, or a path.
        finder: Finds it.
        what: How to call it in an error, as in "the URDF".

    Returns:
        The file and its text.

    Raises:
        R2RGenError: It is not found, not readable, or a xacro.

    """
    path = finder.find(name)
    if path is None:
        is_package = name.startswith('package://')
        raise R2RGenError(
            f'{what} {name} is not found',
            'a file',
            'source the workspace that has the package, or give the folder that holds it'
            if is_package
            else 'correct the path, which counts from the folder of the file that names it',
        )
    require(
        path.suffix != '.xacro',
        f'{what} {path} is a xacro',
        'what xacro makes of it',
        f'run "xacro {path} > {path.stem.split(".")[0]}.urdf" and name that file',
    )
    try:
        return path, path.read_text(encoding='utf-8')
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, 'strerror', None) or 'it is not UTF-8 text'
        raise R2RGenError(f'cannot read {what} {path}: {reason}') from None


def check_description(text: str) -> ET.Element:
    """Check a URDF and return its root element.

    Raises:
        R2RGenError: It is no XML, names something twice, lacks a limit, or is no single tree.

    """
    root = _parsed(text, 'the robot description', 'a URDF')
    links = [str(link.get('name')) for link in root.findall('link')]
    joints = root.findall('joint')
    require(bool(links), 'the robot description has no links', 'a URDF')
    _check_unique('links', links)
    _check_unique('joints', [str(joint.get('name')) for joint in joints])
    for joint in joints:
        _check_joint(joint, links)
    _check_tree(links, joints)
    return root


def mesh_names(root: ET.Element) -> tuple[str, ...]:
    """Names of the mesh files that a URDF's visual and collision geometry needs, sorted."""
    found = {str(mesh.get('filename')) for mesh in root.iterfind('link//geometry/mesh')}
    return tuple(sorted(found))


def links_with_geometry(root: ET.Element) -> tuple[str, ...]:
    """Names of the links of a URDF that have a shape, in order."""
    return tuple(
        str(link.get('name'))
        for link in root.findall('link')
        if any(len(shape) for shape in link.iterfind('*/geometry'))
    )


def touching_pairs(text: str, file: str) -> tuple[tuple[str, str], ...]:
    """Pairs of links that an SRDF allows to touch (`disable_collisions`), each sorted, as sorted.

    Raises:
        R2RGenError: The text is no SRDF.

    """
    root = _parsed(text, f'the SRDF {file}', 'an SRDF')
    pairs = [
        (str(item.get('link1')), str(item.get('link2')))
        for item in root.findall('disable_collisions')
    ]
    return sorted_pairs(pairs)


def sorted_pairs(pairs: Iterable[Sequence[str]]) -> tuple[tuple[str, str], ...]:
    """Pairs without their order and without doubles, sorted."""
    return tuple(sorted({(min(pair), max(pair)) for pair in pairs}))


def nearest(name: str, names: Iterable[str], count: int = _FEW) -> list[str]:
    """Return the names most like a name, best first; none where nothing is like it.

    Names that differ by their prefix only come first, as left_joint1 and panda_joint1.
    """
    have = sorted(set(names))
    tail = _tail(name)
    same = [other for other in have if tail and _tail(other) == tail]
    like = difflib.get_close_matches(name, have, n=count, cutoff=0.7)
    return list(dict.fromkeys([*difflib.get_close_matches(name, same, count, 0.0), *like]))[:count]


def _tail(name: str) -> str:
    """A name without its first word; empty where what is left says little, such as "link"."""
    tail = name.partition('_')[2] if '_' in name else name
    return tail if '_' in tail or any(letter.isdigit() for letter in tail) else ''


def listed(names: Sequence[str]) -> str:
    """Some names as words, cut short after the first few."""
    more = f' and {len(names) - _FEW} more' if len(names) > _FEW else ''
    return ', '.join(f'"{name}"' for name in names[:_FEW]) + more


def missing_names(missing: Sequence[str], names: Iterable[str]) -> str:
    """Names that are missing, each with the one most like it among those that are there."""
    have = list(names)
    words = []
    for name in missing[:_FEW]:
        near = nearest(name, have, 1)
        words.append(f'"{name}"' + (f' (nearest: "{near[0]}")' if near else ''))
    more = f' and {len(missing) - _FEW} more' if len(missing) > _FEW else ''
    return ', '.join(words) + more


def _parsed(text: str, what: str, wanted: str) -> ET.Element:
    try:
        root = ET.fromstring(text)
    except ET.ParseError as error:
        raise R2RGenError(f'{what} cannot be read: {error}', wanted) from None
    require(root.tag == 'robot', f'{what} begins with <{root.tag}>', f'{wanted}, <robot>')
    return root


def _check_unique(what: str, names: list[str]) -> None:
    double = [name for name, count in Counter(names).items() if count > 1]
    require(
        not double,
        f'the robot description has several {what} {listed(double)}',
        'a name of its own for each',
        PREFIX,
    )


def _check_joint(joint: ET.Element, links: list[str]) -> None:
    name = f'the joint "{joint.get("name")}" of the robot description'
    for which in ('parent', 'child'):
        element = joint.find(which)
        link = element.get('link') if element is not None else None
        require(link is not None, f'{name} has no {which} link', f'<{which} link="..."/>')
        near = nearest(str(link), links)
        require(
            link in links,
            f'{name} has the {which} link "{link}", which is not there',
            f'one of {near or links[:8]}',
        )
    kind = joint.get('type')
    require(kind in _KINDS, f'{name} has the type "{kind}"', f'one of {list(_KINDS)}')
    for element in joint:
        for key, count in _NUMBERS.get(element.tag, {}).items():
            require(
                key not in element.attrib or _are_numbers(element.attrib[key], count),
                f'{name} has {key}="{element.get(key)}" in its {element.tag}',
                f'{count} finite numbers' if count > 1 else 'a finite number',
            )
    if kind in _LIMITED:
        limit = joint.find('limit')
        have = {} if limit is None else limit.attrib
        lack = [key for key in ('effort', 'velocity') if key not in have]
        require(
            not lack,
            f'{name} is {kind} but has no limit for {", ".join(lack)}',
            '<limit lower="..." upper="..." effort="..." velocity="..."/>',
            'add the limits of the data sheet to the URDF',
        )


def _are_numbers(text: str, count: int) -> bool:
    try:
        values = [float(word) for word in text.split()]
    except ValueError:
        return False
    return len(values) == count and all(map(math.isfinite, values))


def _check_tree(links: list[str], joints: list[ET.Element]) -> None:
    children = [_end(joint, 'child') for joint in joints]
    double = [name for name, count in Counter(children).items() if count > 1]
    require(
        not double,
        f'in the robot description the links {listed(double)} hang on several joints',
        'a tree',
        'break the loop: leave out one of the joints',
    )
    roots = [name for name in links if name not in children]
    require(
        len(roots) == 1,
        f'the robot description has {len(roots)} roots: {listed(roots)}',
        'one tree',
        'join them by fixed joints to one link, such as "world"',
    )
    _check_reach(links, joints, roots[0])


def _check_reach(links: list[str], joints: list[ET.Element], root: str) -> None:
    pairs = [(_end(joint, 'parent'), _end(joint, 'child')) for joint in joints]
    reached, edge = {root}, [root]
    while edge:
        edge = [child for parent, child in pairs if parent in edge]
        reached.update(edge)
    lost = [name for name in links if name not in reached]
    require(
        not lost,
        f'in the robot description the links {listed(lost)} hang on each other in a ring',
        'a tree',
        f'let one of them hang on "{root}"',
    )


def _end(joint: ET.Element, which: str) -> str:
    """The parent or the child link of a joint that was checked to have them."""
    element = joint.find(which)
    return '' if element is None else str(element.get('link'))
