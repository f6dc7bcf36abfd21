# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where the page listens."""

from __future__ import annotations

import socket
import urllib.request

import pytest

from r2rgen_ros.model.errors import R2RGenError

pytest.importorskip('viser')
from r2rgen_ros.page.server import free_port, is_local, serving

LOCAL = '127.0.0.1'


def _listening(port):
    """Addresses, as the kernel writes them, that a port of this machine is open at."""
    found = set()
    for table in ('tcp', 'tcp6'):
        try:
            with open(f'/proc/net/{table}', encoding='ascii') as file:  # noqa: PTH123
                rows = [line.split() for line in file.readlines()[1:]]
        except OSError:
            continue
        found |= {
            row[1].split(':')[0]
            for row in rows
            if row[3] == '0A' and int(row[1].split(':')[1], 16) == port
        }
    return found


def test_it_is_served_to_this_machine_only_and_greets_nobody(capfd):
    with serving(LOCAL, 0, 'title') as (server, address):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(address, timeout=300) as answer:
            assert b'<html' in answer.read()
        assert _listening(server.get_port()) == {'0100007F'}
        assert server.request_share_url() is None
    assert capfd.readouterr().out == ''
    assert _listening(server.get_port()) == set()


def test_a_port_that_is_taken_is_passed_over():
    with socket.socket() as taken:
        taken.bind((LOCAL, 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert free_port(LOCAL, port) > port


@pytest.mark.parametrize(
    ('host', 'expected'),
    [('127.0.0.1', True), ('localhost', True), ('0.0.0.0', False), ('::', False)],
)
def test_what_is_local_is_known(host, expected):
    assert is_local(host) is expected


def test_a_host_of_another_machine_is_refused():
    with pytest.raises(R2RGenError, match='no port from 8080 on can be used on'):
        free_port('192.0.2.1', 8080)
