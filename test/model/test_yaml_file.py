# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.model.yaml_file import YamlSection

TEXT = """\
# a comment

name: cup
size: 3
list:
  - first
  - 2.5
deep:
  inner: {a: 1, b: yes}
"""


def parse(text=TEXT):
    return YamlSection.parse(text, 'some.yaml')


@pytest.mark.parametrize(
    ('read', 'line', 'words'),
    [
        (lambda root: root['name'].whole(0, 5), 3, "name is 'cup'"),
        (lambda root: root['size'].text(), 4, 'size is 3'),
        (lambda root: root['size'].whole(4, 5), 4, 'a whole number 4 to 5'),
        (lambda root: root['size'].number(4, 5, 'm'), 4, 'a number from 4 to 5 m'),
        (lambda root: root['list'].keys(), 5, 'a mapping'),
        (lambda root: root['list'].numbers(3, 0, 9), 5, 'list has 2 entries'),
        (lambda root: root['list'].numbers(2, 0, 9), 6, "list[0] is 'first'"),
        (lambda root: root['list'].words(), 7, 'list[1] is 2.5'),
        (lambda root: root['name'].items(), 3, 'a list'),
        (lambda root: root['deep'].keys(['gone']), 9, 'unknown key "inner" in deep'),
        (lambda root: root['deep'].keys(['gone', 'inner']), 8, 'deep lacks "gone"'),
        (lambda root: root['deep']['inner']['a'].flag(), 9, 'deep.inner.a is 1'),
        (lambda root: root['deep']['inner']['b'].choice(['off']), 9, 'deep.inner.b is True'),
        (lambda root: root['deep']['gone'].text(), 8, 'deep.gone is missing'),
        (lambda root: root['gone'].text(), 3, 'gone is missing'),
    ],
)
def test_errors_name_the_line(read, line, words):
    with pytest.raises(R2RGenError) as caught:
        read(parse())
    assert str(caught.value).startswith(f'some.yaml, line {line}: ')
    assert words in str(caught.value)


def test_what_fits_is_handed_over():
    root = parse()
    assert root.keys(['name'], ['size', 'list', 'deep']) == ('name', 'size', 'list', 'deep')
    assert root['name'].text() == 'cup'
    assert root['size'].whole(0, 3) == 3
    assert root['size'].number(0, 3) == 3.0
    assert root['deep']['inner']['b'].flag() is True
    assert root['gone'].items() == []
    assert root['gone'].words() == ()
    assert 'size' in root
    assert 'gone' not in root
    assert parse('[1, 2.5]').numbers(2, 0, 3) == (1.0, 2.5)


@pytest.mark.parametrize(
    ('word', 'options', 'read'),
    [
        ('on', ['on', 'off', 'auto'], 'on'),
        ('off', ['on', 'off', 'auto'], 'off'),
        ('yes', ['on', 'off'], 'on'),
        ('no', ['on', 'off'], 'off'),
        ('auto', ['on', 'off', 'auto'], 'auto'),
        ('"on"', ['on'], 'on'),
    ],
)
def test_words_that_yaml_1_1_takes_for_booleans_are_words(word, options, read):
    assert parse(f'mode: {word}')['mode'].choice(options) == read


@pytest.mark.parametrize(
    ('text', 'line'),
    [
        ('a: [1, 2\nb: 3\n', 2),
        ('a: 1\n\tb: 2\n', 2),
        ('a: 1\nb: "open\n', 3),
        ('a: 1\n---\nb: 2\n', 2),
        ('a: 1\nb: *nobody\n', 2),
        ('a: 1\nb: !!python/object:os.system {}\n', 2),
        ('a: 1\nb: 2\nc: \x00\n', 3),
        ('a: 1\nb: 2\na: 3\n', 3),
        ('a: 1\nb: {c: 1,\n  c: 2}\n', 3),
        ('a: 1\n? [x]\n: 2\n', 2),
    ],
)
def test_what_is_no_yaml_is_refused_in_one_line_that_names_the_line(text, line):
    with pytest.raises(R2RGenError) as caught:
        parse(text)
    assert str(caught.value).startswith(f'some.yaml, line {line}: ')
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
    'text', ['a: 2020-13-45', 'a: 0x_', 'a: ' + '9' * 5000, '[' * 5000, 'a: 0b_\n']
)
def test_what_the_yaml_library_trips_over_is_refused_in_one_line(text):
    with pytest.raises(R2RGenError) as caught:
        parse(text)
    assert str(caught.value).startswith('some.yaml')
    assert '\n' not in str(caught.value)


@given(st.text(alphabet=st.sampled_from('ab01:-[]{},&*!|>\'"#?%@`\t\n x_.~<='), max_size=60))
@example('a: &x [*x]')
@example('? {a: b}\n: c')
@example('!!int "x"')
@example('!!float ""')
@example('!!timestamp "x"')
@example('!!bool "x"')
@example('!!binary "x"')
def test_any_text_is_read_or_refused(text):
    with pytest.raises(R2RGenError) as caught:
        parse(text).keys(['never'], [])
    assert str(caught.value).startswith('some.yaml')
    assert '\n' not in str(caught.value)


def test_aliases_are_followed_once_however_often_they_repeat():
    rows = ['a0: &a0 [x, x]']
    rows += [f'a{k}: &a{k} [{", ".join([f"*a{k - 1}"] * 9)}]' for k in range(1, 12)]
    root = parse('\n'.join(rows))
    assert root['a1'].items()[8].words() == ('x', 'x')
    with pytest.raises(R2RGenError, match='line 1: '):
        root['a1'].items()[8].items()[0].whole(0, 1)


@pytest.mark.parametrize('value', ['.inf', '.nan', '-1', '1.5', 'true', 'x', '~', '1e999'])
def test_numbers_are_finite_and_in_range(value):
    with pytest.raises(R2RGenError, match='line 1: a is '):
        parse(f'a: {value}')['a'].number(0.0, 1.0)


def test_a_whole_number_too_long_for_a_float_is_out_of_range():
    with pytest.raises(R2RGenError, match='line 1'):
        parse('a: ' + '9' * 400)['a'].number(0.0, 1.0)


keys = st.text(min_size=1, max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(keys, values, max_size=4))
def test_every_place_that_yaml_has_knows_its_line(data):
    text = yaml.safe_dump(data, sort_keys=False, allow_unicode=False)
    root = parse(text)
    assert root.data == data
    for place in root.lines:
        assert 1 <= root.lines[place] <= text.count('\n') + 1
    assert {place[0] for place in root.lines if place} == set(data)


def test_a_file_that_is_missing_no_text_or_empty_is_refused(tmp_path):
    with pytest.raises(R2RGenError, match=r'cannot read .*gone\.yaml: No such file'):
        YamlSection.read(tmp_path / 'gone.yaml')
    with pytest.raises(R2RGenError, match='cannot read'):
        YamlSection.read(tmp_path)
    (tmp_path / 'bytes.yaml').write_bytes(b'a: \xff\xfe')
    with pytest.raises(R2RGenError, match='not UTF-8'):
        YamlSection.read(tmp_path / 'bytes.yaml')
    (tmp_path / 'empty.yaml').write_text('# nothing\n')
    with pytest.raises(R2RGenError, match='the file is empty'):
        YamlSection.read(tmp_path / 'empty.yaml').keys(['a'])
