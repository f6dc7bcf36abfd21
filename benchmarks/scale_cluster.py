# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A cluster of Ray on this machine: two node processes, one of which may be killed."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

from ray.cluster_utils import Cluster

if TYPE_CHECKING:
    from types import TracebackType


class Nodes:
    """Context manager over two node processes with one core each.

    Attributes:
        address: HOST:PORT of the cluster.

    """

    def __init__(self) -> None:
        os.environ.setdefault('RAY_USAGE_STATS_ENABLED', '0')
        options = {'num_cpus': 1, 'include_dashboard': False}
        self._cluster = Cluster(initialize_head=True, head_node_args=options)
        self._second = self._cluster.add_node(num_cpus=1)
        self.address = str(self._cluster.address)

    def __enter__(self) -> Nodes:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
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

    def kill_head(self) -> None:
        """Kill the process that knows of all nodes with kill -9; no cluster is left."""
        head: Any = self._cluster.head_node
        os.kill(int(head.all_processes['gcs_server'][0].process.pid), signal.SIGKILL)


def _raylet(node: Any) -> int:
    return int(node.all_processes['raylet'][0].process.pid)
