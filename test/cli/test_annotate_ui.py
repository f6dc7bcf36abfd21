# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What `r2rgen annotate --ui` says and how it ends; the page itself is in test/page."""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import urllib.request

import pytest

pytest.importorskip('viser')


@pytest.fixture
def demo(table_demo, tmp_path):
    return shutil.copytree(table_demo, tmp_path / 'demo')


@pytest.fixture
def serve(start):
    """Start the page, and wait until it says where it is."""
    started = []

    def run(*words):
        process = start('annotate', *words, '--ui')
        started.append(process)
        said = []
        for line in process.stdout if '--json' not in words else process.stderr:
            said.append(line)
            found = re.search(r'annotate at (http://\S+) ', line)
            if found:
                return process, found.group(1), ''.join(said)
        raise AssertionError(process.communicate())

    yield run
    for process in started:
        process.kill()
        process.communicate()


def _get(address):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(address, timeout=400) as answer:
        return answer.read()


def test_ctrl_c_ends_it_and_says_what_is_written(serve, demo, tree):
    before = tree(demo)
    process, address, said = serve(demo, '--port', 0, '--json')
    assert address.startswith('http://127.0.0.1:')
    assert 'warning' not in said
    assert b'<html' in _get(address)

    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=400)

    assert process.returncode == 0
    assert json.loads(out) == {'annotation': str(demo / 'annotation.yaml'), 'saved': True}
    assert 'Traceback' not in err
    assert tree(demo) == before


def test_without_a_file_it_says_that_nothing_was_saved(serve, demo):
    (demo / 'annotation.yaml').unlink()
    process, _, _ = serve(demo, '--port', 0)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=400)
    assert (process.returncode, err) == (0, '')
    assert out == 'nothing was saved\n'


def test_the_next_port_is_taken_and_an_open_host_is_warned_of(serve, demo):
    with socket.socket() as taken:
        taken.bind(('0.0.0.0', 0))
        taken.listen()
        port = taken.getsockname()[1]
        _, address, said = serve(demo, '--port', port, '--host', '0.0.0.0')
        assert int(address.rpartition(':')[2]) > port
    assert 'warning: anyone who reaches 0.0.0.0 over the network can edit' in said


@pytest.mark.parametrize(
    ('words', 'said'),
    [
        (['--port', '8080'], '--port means nothing without --ui'),
        (['--ui', '--auto'], 'not allowed with argument'),
        (['--ui', '--pixel', 'cup=1,2'], 'objects are pointed at on the page'),
        (['--ui', '--port', '70000'], '--port is 70000'),
        (['--ui', '--host', '192.0.2.1'], 'can be used on 192.0.2.1'),
    ],
)
def test_words_that_do_not_fit_are_refused(r2rgen, demo, tree, words, said):
    before = tree(demo)
    result = r2rgen('annotate', demo, *words)
    assert result.is_refusal()
    assert said in result.err
    assert tree(demo) == before


def test_what_is_no_demonstration_is_refused(r2rgen, tmp_path):
    result = r2rgen('annotate', tmp_path / 'none', '--ui')
    assert result.is_refusal()
    assert 'there is no' in result.err
    (tmp_path / 'empty').mkdir()
    assert r2rgen('annotate', tmp_path / 'empty', '--ui', '--port', 0).is_refusal()
