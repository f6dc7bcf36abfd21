# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The documents say what is there: links resolve, commands parse, settings are the real ones."""

from __future__ import annotations

import argparse
import re
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest

from r2rgen_ros.cli.main import _parser
from r2rgen_ros.generate.config import FORMAT, GenerateConfig, MoveRange
from r2rgen_ros.generate.config_file import parse_config, read_config
from r2rgen_ros.model.episode import Reason
from r2rgen_ros.model.yaml_file import YamlSection

REPOSITORY = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted([*REPOSITORY.glob('*.md'), *(REPOSITORY / 'docs').rglob('*.md')])
EVERY_DOCUMENT = pytest.mark.parametrize('path', DOCUMENTS, ids=lambda path: path.name)


def _verbs() -> dict[str, argparse.ArgumentParser]:
    parser = _parser()
    actions = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    return dict(next(actions).choices)


VERBS = _verbs()


def _options(verb: str) -> set[str]:
    return set(VERBS[verb]._option_string_actions)


def _anchor(heading: str) -> str:
    """The name that GitHub gives a heading."""
    return re.sub(r'[^\w\- ]', '', heading.strip().lower()).replace(' ', '-')


def _anchors(path: Path) -> set[str]:
    lines = path.read_text(encoding='utf-8').splitlines()
    return {_anchor(line.lstrip('#')) for line in lines if line.startswith('#')}


def _broken_links(path: Path, text: str) -> list[str]:
    broken = []
    for link in re.findall(r'\]\(([^)\s]+)\)', text):
        if re.match(r'https?://', link):
            continue
        name, _, anchor = link.partition('#')
        target = (path.parent / name) if name else path
        wrong_anchor = anchor and target.suffix == '.md' and anchor not in _anchors(target)
        if not target.exists() or wrong_anchor:
            broken.append(link)
    return broken


def _code(text: str) -> list[str]:
    """Code spans, and the lines of code blocks with continued lines joined."""
    joined = re.sub(r'\\\n\s*', '', text)
    blocks = [line.strip() for line in joined.splitlines() if line.startswith('    ')]
    return [*blocks, *re.findall(r'`([^`\n]+)`', text)]


def _wrong_commands(text: str) -> list[str]:
    wrong = []
    for code in _code(text):
        # What follows "r2rgen" as a word of its own is a verb, unless it is a title's VERB.
        found = re.match(r'(?:\S*/|ros2 (?:run r2rgen_ros )?)?r2rgen +(\S+)(.*)', code)
        if not found or found[1] in {'VERB', '--version'}:
            continue
        verb, rest = found[1], found[2].partition('#')[0]
        if verb not in VERBS:
            wrong.append(code)
            continue
        used = set(re.findall(r'(?<!\S)(--?[a-z][a-z-]*)', rest))
        if not used <= _options(verb):
            wrong.append(code)
    return wrong


@EVERY_DOCUMENT
def test_links_lead_somewhere(path: Path):
    assert _broken_links(path, path.read_text(encoding='utf-8')) == []


def test_broken_links_are_noticed():
    path = REPOSITORY / 'README.md'
    text = '[a](docs/nowhere.md) [b](docs/design.md#nowhere) [c](docs/design.md) [d](https://x.org)'
    assert _broken_links(path, text) == ['docs/nowhere.md', 'docs/design.md#nowhere']


@EVERY_DOCUMENT
def test_commands_parse(path: Path):
    assert _wrong_commands(path.read_text(encoding='utf-8')) == []


@pytest.mark.parametrize(
    'text',
    [
        '`r2rgen fly BAG`',
        '`ros2 r2rgen fly BAG`',
        '    r2rgen generate DEMO -o DATASET --counts 3',
        '    .venv/bin/r2rgen view BAG \\\n      --quick',
    ],
)
def test_wrong_commands_are_noticed(text: str):
    assert len(_wrong_commands(text)) == 1


@EVERY_DOCUMENT
def test_options_named_in_the_text_exist(path: Path):
    text = path.read_text(encoding='utf-8')
    spans = re.findall(r'`(--[a-z-]+)[^`\n]*`', text)
    known = set().union(*(_options(verb) for verb in VERBS)) | {'--version'}
    assert set(spans) - known == set()


@pytest.mark.parametrize('verb', sorted(VERBS))
def test_reference_has_every_option_of_a_verb(verb: str):
    text = (REPOSITORY / 'docs' / 'reference.md').read_text(encoding='utf-8')
    part = re.search(rf'^### r2rgen {verb}\b(.*?)(?=^###? )', text, re.MULTILINE | re.DOTALL)
    assert part is not None
    shared = re.search(r'^### Stream options(.*?)(?=^## )', text, re.MULTILINE | re.DOTALL)
    assert shared is not None
    said = part[1] + (shared[1] if 'stream options' in part[1] else '')
    options = {option for option in _options(verb) if option.startswith('--')}
    missing = {option for option in options - {'--help', '--json'} if f'`{option}' not in said}
    assert missing == set()


def test_configuration_file_holds_the_defaults():
    assert read_config(REPOSITORY / 'config' / 'generate.yaml') == GenerateConfig()


def _settings(config: object, prefix: str = '') -> list[str]:
    """Dotted names of all settings; those of a range belong to `ranges` and `base`."""
    names = []
    for item in fields(config):  # type: ignore[arg-type]
        value = getattr(config, item.name)
        if is_dataclass(value):
            names += _settings(value, f'{prefix}{item.name}.')
        else:
            names.append(f'{prefix}{item.name}')
    return names


def test_every_setting_is_explained():
    text = (REPOSITORY / 'docs' / 'reference.md').read_text(encoding='utf-8')
    settings = _settings(GenerateConfig())
    assert f'sampling.base.{fields(MoveRange)[0].name}' in settings
    assert [name for name in settings if f'`{name}`' not in text] == []
    file = (REPOSITORY / 'config' / 'generate.yaml').read_text(encoding='utf-8')
    last = {name.rpartition('.')[2] for name in settings}
    assert [name for name in last if not re.search(rf'^ *{name}:', file, re.MULTILINE)] == []


def test_every_reason_is_explained():
    text = (REPOSITORY / 'docs' / 'reference.md').read_text(encoding='utf-8')
    assert [reason.value for reason in Reason if f'| `{reason.value}` |' not in text] == []


@EVERY_DOCUMENT
def test_configurations_shown_are_valid(path: Path):
    text = path.read_text(encoding='utf-8')
    for block in re.findall(rf'^    format: {FORMAT}\n(?:    .*\n)+', text, re.MULTILINE):
        parse_config(YamlSection.parse(re.sub('^    ', '', block, flags=re.MULTILINE), path.name))
