# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A cluster of Ray on this machine: two node processes, one of which may be killed."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ray.cluster_utils import Cluster

if TYPE_CHECKING:
    from types import TracebackType


class Nodes:
    """Context manager over two node processes with one core each.

    Args:
        settings: Of Ray's insides, for all nodes.

    Attributes:
        address: HOST:PORT of the cluster.

    """

    def __init__(self, **settings: int) -> None:
        os.environ.setdefault('RAY_USAGE_STATS_ENABLED', '0')
        options: dict[str, Any] = {'num_cpus': 1, 'include_dashboard': False}
        if settings:
            options['_system_config'] = settings
        self._cluster = Cluster(initialize_head=True, head_node_args=options)
        self._second = self._cluster.add_node(num_cpus=1)
        self.address = str(self._cluster.address)
        self._silent: list[int] = []

    def __enter__(self) -> Nodes:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for pid in self._silent:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._cluster.shutdown()  # type: ignore[no-untyped-call]

    @property
    def pids(self) -> list[int]:
        """Process numbers of both nodes, that which workers are children of."""
        return [_raylet(node) for node in (self._cluster.head_node, self._second)]

    def kill_one(self) -> None:
        """Kill the second node with kill -9, and let another one join."""
        os.kill(_raylet(self._second), signal.SIGKILL)
        self._cluster.remove_node(self._second, allow_graceful=False)
        self._second = self._cluster.add_node(num_cpus=1)

    def silence_one(self) -> None:
        """Stop the second node and its workers as they are: connections stay, nobody answers."""
        raylet = _raylet(self._second)
        self._silent = [*children(raylet), raylet]
        for pid in self._silent:
            os.kill(pid, signal.SIGSTOP)

    def kill_head(self) -> None:
        """Kill the process that knows of all nodes with kill -9; no cluster is left."""
        head: Any = self._cluster.head_node
        os.kill(int(head.all_processes['gcs_server'][0].process.pid), signal.SIGKILL)


def children(parent: int) -> list[int]:
    """Numbers of the processes that a process has started."""
    found = []
    for stat in Path('/proc').glob('[0-9]*/stat'):
        try:
            if int(stat.read_text().rpartition(')')[2].split()[1]) == parent:
                found.append(int(stat.parent.name))
        except (OSError, IndexError):  # it has ended meanwhile
            continue
    return sorted(found)


def _raylet(node: Any) -> int:
    return int(node.all_processes['raylet'][0].process.pid)
