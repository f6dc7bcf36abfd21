# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The web server of the page: where it listens, and to whom it does not open the door."""

from __future__ import annotations

import contextlib
import io
import ipaddress
import socket
from typing import TYPE_CHECKING

import viser

from r2rgen_ros.model.errors import R2RGenError

if TYPE_CHECKING:
    from collections.abc import Iterator

_TRIES = 100


class _Server(viser.ViserServer):  # type: ignore[misc]
    """A server that never asks the outside for a public address, whatever a browser sends."""

    def request_share_url(self, verbose: bool = True) -> str | None:  # noqa: ARG002
        """Refuse."""
        return None


def is_local(host: str) -> bool:
    """Whether only this machine reaches a host name or address."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return False
    addresses = {ipaddress.ip_address(str(each[4][0]).partition('%')[0]) for each in found}
    return all(address.is_loopback for address in addresses)


def free_port(host: str, wanted: int) -> int:
    """Return the first free port from a wanted one on; of 0, any free one.

    Raises:
        R2RGenError: The host is none of this machine's, or all of a hundred ports are taken.

    """
    try:
        kind, _, _, _, address = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise R2RGenError(f'there is no host "{host}": {error}', '127.0.0.1') from None
    last: OSError | None = None
    for port in range(wanted, min(wanted + _TRIES, 65536)):
        with socket.socket(kind, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address[0], port))
            except OSError as error:
                last = error
                continue
            return int(probe.getsockname()[1])
    raise R2RGenError(
        f'no port from {wanted} on can be used on {host}: {last}', '', 'choose another one: --port'
    )


@contextlib.contextmanager
def serving(host: str, port: int, title: str) -> Iterator[tuple[viser.ViserServer, str]]:
    """Serve a page until the block is left.

    Args:
        host: Address or name of this machine to listen on.
        port: Port; a later one if it is taken, any free one if it is 0.
        title: What the page is of.

    Yields:
        The server and the page's address.

    Raises:
        R2RGenError: The host is none of this machine's, or no port is free.

    """
    found = free_port(host, port)
    with _quiet():
        server = _Server(host=host, port=found, label=title, verbose=False)
    try:
        # Another process may have been faster; the library then takes the next one.
        name = f'[{host}]' if ':' in host else host
        yield server, f'http://{name}:{server.get_port()}'
    finally:
        with _quiet():
            server.stop()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the library from greeting on standard output, which may be read by programs."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield
