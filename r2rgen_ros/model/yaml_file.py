# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""YAML files whose errors name the line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from r2rgen_ros.model.errors import R2RGenError

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

Where = tuple[str | int, ...]


def _lines(node: yaml.Node, at: Where, out: dict[Where, int], seen: set[int]) -> None:
    """Note the line of every place; what an alias repeats is noted once."""
    out[at] = node.start_mark.line + 1
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            _lines(value, (*at, str(key.value)), out, seen)
            out[(*at, str(key.value))] = key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for place, value in enumerate(node.value):
            _lines(value, (*at, place), out, seen)


def _refuse_doubles(node: yaml.Node, file: str, seen: set[int]) -> None:
    """Raise if a mapping names a key twice: YAML would take the last and drop the others."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        lines: dict[tuple[str, str], int] = {}
        for key, value in node.value:
            line, name = key.start_mark.line + 1, (key.tag, str(key.value))
            if isinstance(key, yaml.ScalarNode) and name in lines:
                raise R2RGenError(
                    f'{file}, line {line}: the key "{key.value}" is there already, '
                    f'on line {lines[name]}',
                    'each key once',
                )
            lines[name] = line
            _refuse_doubles(value, file, seen)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _refuse_doubles(value, file, seen)


def _load(text: str, file: str, lines: dict[Where, int]) -> Any:
    """Read one document, and note the line of each of its places."""
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _refuse_doubles(node, file, set())
        _lines(node, (), lines, set())
        return loader.construct_document(node)
    finally:
        loader.dispose()


@dataclass(frozen=True)
class YamlSection:
    """A part of a YAML file that knows on which line each of its values stands.

    Attributes:
        file: Name of the file, for errors.
        data: The value of this part.
        lines: Line of every place in the file, counted from 1.
        at: Place of this part in the file.

    """

    file: str
    data: Any
    lines: dict[Where, int]
    at: Where = ()

    @classmethod
    def read(cls, path: Path) -> YamlSection:
        """Read a file.

        Raises:
            R2RGenError: The file cannot be read or is no YAML.

        """
        try:
            text = path.read_text(encoding='utf-8')
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, 'strerror', None) or 'it is not UTF-8 text'
            raise R2RGenError(f'cannot read {path}: {reason}') from None
        return cls.parse(text, str(path))

    @classmethod
    def parse(cls, text: str, file: str) -> YamlSection:
        """Parse text that came from a file of the given name.

        Raises:
            R2RGenError: The text is no YAML.

        """
        lines: dict[Where, int] = {}
        try:
            data = _load(text, file, lines)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = mark.line + 1 if mark else 1
            problem = error.problem or error.context or 'it cannot be read'
            raise R2RGenError(f'{file}, line {line}: {problem}', 'valid YAML') from None
        except yaml.reader.ReaderError as error:
            line = text.count('\n', 0, error.position) + 1
            raise R2RGenError(f'{file}, line {line}: {error.reason}', 'valid YAML') from None
        except RecursionError:
            raise R2RGenError(f'{file} is nested too deeply', 'valid YAML') from None
        except (
            yaml.YAMLError,
            ArithmeticError,
            AttributeError,
            LookupError,
            TypeError,
            ValueError,
        ) as error:
            # PyYAML trips over dates that do not exist and numbers that are none.
            reason = ' '.join(str(error).split())
            raise R2RGenError(f'{file}: {reason}', 'valid YAML', 'put it in quotes') from None
        return cls(file, data, lines)

    def error(self, found: str, expected: str = '', fix: str = '') -> R2RGenError:
        """Return an error that names the file and the line of this part."""
        at = self.at
        while at not in self.lines and at:
            at = at[:-1]
        return R2RGenError(f'{self.file}, line {self.lines.get(at, 1)}: {found}', expected, fix)

    @property
    def name(self) -> str:
        """How to call this part in an error."""
        text = ''
        for step in self.at:
            text += f'[{step}]' if isinstance(step, int) else f'.{step}' if text else str(step)
        return text or 'the file'

    def __contains__(self, key: str) -> bool:
        """Whether a mapping has a key with a value that is not null."""
        return isinstance(self.data, dict) and self.data.get(key) is not None

    def __getitem__(self, key: str | int) -> YamlSection:
        """Return a part of this part; a missing one holds None."""
        if isinstance(key, int):
            return YamlSection(self.file, self.data[key], self.lines, (*self.at, key))
        value = self.data.get(key) if isinstance(self.data, dict) else None
        return YamlSection(self.file, value, self.lines, (*self.at, key))

    def keys(
        self, required: Collection[str] = (), optional: Collection[str] = ()
    ) -> tuple[str, ...]:
        """Check that this part is a mapping with the right keys, and return them.

        Raises:
            R2RGenError: No mapping, a key is missing, or a key is not known.

        """
        if not isinstance(self.data, dict):
            raise self.error(f'{self.name} is {self._shown()}', 'a mapping of keys to values')
        known = [*required, *optional]
        for key in self.data:
            if key not in known:
                raise self[str(key)].error(
                    f'unknown key "{key}" in {self.name}', f'some of {known}'
                )
        for key in required:
            if key not in self:
                raise self.error(f'{self.name} lacks "{key}"', f'the keys {list(required)}')
        return tuple(self.data)

    def items(self) -> list[YamlSection]:
        """Check that this part is a list, and return its parts; null is an empty list.

        Raises:
            R2RGenError: No list.

        """
        if self.data is None:
            return []
        if not isinstance(self.data, list):
            raise self.error(f'{self.name} is {self._shown()}', 'a list')
        return [self[place] for place in range(len(self.data))]

    def text(self) -> str:
        """Return this part as text.

        Raises:
            R2RGenError: No text.

        """
        if not isinstance(self.data, str) or not self.data.strip():
            raise self.error(f'{self.name} is {self._shown()}', 'text')
        return self.data

    def choice(self, options: Collection[str]) -> str:
        """Return this part as one of several words.

        Raises:
            R2RGenError: None of them.

        """
        # YAML 1.1 reads on, off, yes and no as booleans; a person means the words.
        value = (
            {True: 'on', False: 'off'}.get(self.data, self.data)
            if isinstance(self.data, bool)
            else self.data
        )
        if value not in options:
            raise self.error(f'{self.name} is {self._shown()}', f'one of {list(options)}')
        return str(value)

    def flag(self) -> bool:
        """Return this part as true or false.

        Raises:
            R2RGenError: Neither.

        """
        if not isinstance(self.data, bool):
            raise self.error(f'{self.name} is {self._shown()}', 'true or false')
        return self.data

    def whole(self, low: int, high: int) -> int:
        """Return this part as a whole number from low to high.

        Raises:
            R2RGenError: No such number.

        """
        if isinstance(self.data, bool) or not isinstance(self.data, int):
            raise self.error(f'{self.name} is {self._shown()}', f'a whole number {low} to {high}')
        if not low <= self.data <= high:
            raise self.error(f'{self.name} is {self._shown()}', f'a whole number {low} to {high}')
        return self.data

    def number(self, low: float, high: float, unit: str = '') -> float:
        """Return this part as a number from low to high.

        Raises:
            R2RGenError: No such number.

        """
        wanted = f'a number from {low:g} to {high:g} {unit}'.rstrip()
        if isinstance(self.data, bool) or not isinstance(self.data, int | float):
            raise self.error(f'{self.name} is {self._shown()}', wanted)
        if not low <= self.data <= high:
            raise self.error(f'{self.name} is {self._shown()}', wanted)
        return float(self.data)

    def numbers(self, count: int, low: float, high: float, unit: str = '') -> tuple[float, ...]:
        """Return this part as a list of so many numbers.

        Raises:
            R2RGenError: Another count, or a number out of range.

        """
        parts = self.items()
        if len(parts) != count:
            raise self.error(f'{self.name} has {len(parts)} entries', f'{count} numbers')
        return tuple(part.number(low, high, unit) for part in parts)

    def words(self) -> tuple[str, ...]:
        """Return this part as a list of texts; null is an empty list."""
        return tuple(part.text() for part in self.items())

    def _shown(self) -> str:
        if self.data is None:
            return 'missing' if self.at else 'empty'
        try:
            return repr(self.data)[:60]
        except ValueError:  # Python writes no whole number of more than 4300 digits
            return 'too long a number'
