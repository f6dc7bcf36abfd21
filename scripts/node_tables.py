# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Writes the tables of docs/reference-nodes.md that the code has the last word on.

    .venv/bin/python scripts/node_tables.py

Parameters come from the nodes' PARAMETERS, launch arguments from ARGUMENTS of the launch files,
messages, services and actions from their definitions. A test compares the page with this.
"""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
PAGE = REPOSITORY / 'docs' / 'reference-nodes.md'
NODES = ('recorder', 'annotator', 'generator', 'virtual_robot')
PARTS = {'action': ('Goal', 'Result', 'Feedback'), 'srv': ('Request', 'Response'), 'msg': ('',)}
_BLOCK = re.compile(r'<!-- (\w+) ([\w/]+) -->\n(.*?)<!-- end -->', re.DOTALL)
_ROWS = re.compile(r'^\| (\w+) \|.*\n\|[-|]+\|\n((?:\|.*\n)+)', re.MULTILINE)
_FIELD = re.compile(r'(?P<type>[\w/]+(?:\[\])?)\s+(?P<name>\w+)(?:=(?P<value>\S+))?')


def page(text: str) -> str:
    """Return a page with its tables written anew."""
    kinds = {'parameters': parameters, 'arguments': arguments, 'interface': interface}

    def write(found: re.Match[str]) -> str:
        kind, name, _ = found.groups()
        return f'<!-- {kind} {name} -->\n{kinds[kind](name)}<!-- end -->'

    return _BLOCK.sub(write, text)


def blocks(text: str) -> set[tuple[str, str]]:
    """Return kind and name of every table on a page."""
    return {(kind, name) for kind, name, _ in _BLOCK.findall(text)}


def offers(text: str, node: str) -> dict[str, set[tuple[str, ...]]]:
    """Return what a page says that a node offers.

    Args:
        text: The page.
        node: Name of the node.

    Returns:
        Topics with their direction, type and quality of service; services and actions with their
        types. All names are full.

    """
    out: dict[str, set[tuple[str, ...]]] = {'topic': set(), 'service': set(), 'action': set()}
    for heading in ('All nodes', node):
        part = text[text.index(f'\n## {heading}\n') + 1 :].partition('\n## ')[0]
        for kind, rows in _ROWS.findall(part):
            for row in rows.splitlines() if kind in out else ():
                name, *cells = (cell.strip(' `') for cell in row.strip('|').split('|'))
                full = name.replace('~', f'/{node}') if name[0] in '~/' else f'/{name}'
                out[kind].add((full, *cells[: 3 if kind == 'topic' else 1]))
    return out


# Parameters.


def declared(node: str) -> list[Any]:
    """Return the parameters of a node."""
    base = importlib.import_module('r2rgen_ros.nodes.base')
    module = importlib.import_module(f'r2rgen_ros.nodes.{node}')
    (kind,) = (
        found
        for found in vars(module).values()
        if isinstance(found, type)
        and issubclass(found, base.BaseNode)
        and found.__module__ == module.__name__
    )
    return [base.AUTOSTART, *kind.PARAMETERS]


def parameters(node: str) -> str:
    """Return the table of a node's parameters."""
    rows = [
        (f'`{item.name}`', f'`{_yaml(item.default)}`', _range(item), item.description)
        for item in declared(node)
    ]
    return table(('parameter', 'default', 'range', ''), rows)


def _yaml(value: Any) -> str:
    """Return a default as config/*.yaml has it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return '[' + ', '.join(map(_yaml, value)) + ']'
    return value if isinstance(value, str) and value else repr(value)


def _range(item: Any) -> str:
    if item.choices:
        return ', '.join(f'`{choice}`' for choice in item.choices)
    if item.low is not None:
        return f'{_number(item.low)} to {_number(item.high)}'
    return ''


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else str(value)


# Arguments of launch files.


def launch_arguments(name: str) -> list[tuple[str, str, str]]:
    """Return name, default and description of each argument of a launch file."""
    path = REPOSITORY / 'launch' / f'{name}.launch.py'
    tree = ast.parse(path.read_text(encoding='utf-8'))
    (found,) = (
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == 'ARGUMENTS'
    )
    assert isinstance(found, ast.Tuple)
    out = []
    for entry in found.elts:
        assert isinstance(entry, ast.Tuple)
        key, default, description = entry.elts
        out.append(
            (ast.literal_eval(key), _default(default), ast.literal_eval(description)),
        )
    return out


def _default(node: ast.expr) -> str:
    """Return a default in words: files are given by their folder and name."""
    if isinstance(node, ast.Constant):
        if node.value is None:
            return 'needed'
        return f'`{node.value!s}`' if node.value else 'empty'
    texts = [str(each.value) for each in ast.walk(node) if isinstance(each, ast.Constant)]
    (file,) = (text for text in texts if text.endswith('.rviz'))
    return f'`rviz/{file}`'


def arguments(name: str) -> str:
    """Return the table of a launch file's arguments."""
    rows = [(f'`{key}`', default, said) for key, default, said in launch_arguments(name)]
    return table(('argument', 'default', ''), rows)


# Messages, services and actions.


def interface_names() -> list[str]:
    """Return the names of all interfaces, such as action/Record."""
    folder = REPOSITORY / 'r2rgen_interfaces'
    return sorted(f'{kind}/{path.stem}' for kind in PARTS for path in (folder / kind).glob('*.*'))


def read_interface(name: str) -> tuple[str, list[list[tuple[str, str, str, str]]]]:
    """Return what an interface is for, and per part its fields: name, type, value and meaning."""
    kind = name.partition('/')[0]
    path = REPOSITORY / 'r2rgen_interfaces' / f'{name}.{kind}'
    said: list[str] = []
    parts: list[list[tuple[str, str, str, str]]] = [[]]
    for line in path.read_text(encoding='utf-8').splitlines()[2:]:
        code, _, comment = (each.strip() for each in line.partition('#'))
        found = _FIELD.fullmatch(code)
        if line == '---':
            parts.append([])
        elif found:
            parts[-1].append((found['name'], found['type'], found['value'] or '', comment))
        elif comment and line.startswith('#'):
            said.append(comment)
        elif comment:
            *head, text = parts[-1][-1]
            parts[-1][-1] = (*head, f'{text} {comment}')  # type: ignore[assignment]
    return ' '.join(said), parts


def interface(name: str) -> str:
    """Return what an interface is for, and the tables of its fields."""
    said, parts = read_interface(name)
    out = [said + '\n']
    for title, fields in zip(PARTS[name.partition('/')[0]], parts, strict=True):
        constants = [(f'`{key}`', value, text) for key, _, value, text in fields if value]
        if constants:
            out.append(table(('constant', 'value', ''), constants))
        rows = [(f'`{key}`', f'`{kind}`', text) for key, kind, value, text in fields if not value]
        if rows:
            out.append(table((title.lower() or 'field', 'type', ''), rows))
    return '\n'.join(out)


def table(head: Sequence[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table in Markdown."""
    lines = [_line(head), '|' + '---|' * len(head), *map(_line, rows)]
    return '\n'.join(lines) + '\n'


def _line(cells: Iterable[str]) -> str:
    return ''.join(f'| {cell} '.replace('  ', ' ') for cell in cells) + '|'


def main() -> None:
    """Write the tables."""
    text = PAGE.read_text(encoding='utf-8')
    PAGE.write_text(page(text), encoding='utf-8')
    print(f'{len(blocks(text))} tables of {PAGE.relative_to(REPOSITORY)} are up to date')


if __name__ == '__main__':
    main()
