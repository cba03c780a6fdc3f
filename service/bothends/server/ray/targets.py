"""Tells Prometheus which replicas of a Ray cluster to scrape: each announces its address, and each can list all.

Addresses are kept in Ray's key-value store. That outlives replicas, so an address that wasn't renewed lately is left
out.
"""

import asyncio
import json
import time
from typing import Any

from ray.experimental import internal_kv
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..http.auth import who_calls
from ..keys import Keys

_NAMESPACE = b"bothends.targets"
_ANNOUNCE_S = 10.0
"""Seconds between two announcements of a replica."""
_GONE_S = 35.0
"""Seconds of silence after which a replica is left out: three announcements missed."""


class Targets:
    """Scrape targets of a cluster: this replica, `name`, with metrics at `address` (host:port), and all others."""

    def __init__(self, name: str, address: str, keys: Keys | None) -> None:
        """Announce nothing yet. `keys` are of those who may read the list; None for anyone."""
        self._name = name
        self._entry = {"targets": [address], "labels": {"replica": name}}
        self._keys = keys
        self._due = 0.0

    async def announce(self) -> None:
        """Announce this replica again, if the last announcement is old enough."""
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + _ANNOUNCE_S
            entry = json.dumps({"at": time.time(), **self._entry})
            await asyncio.to_thread(internal_kv._internal_kv_put, self._name, entry, namespace=_NAMESPACE)

    def forget(self) -> None:
        """Remove this replica's announcement."""
        internal_kv._internal_kv_del(self._name, namespace=_NAMESPACE)

    def page(self, request: Request) -> Response:
        """Answer in the format of Prometheus's http_sd_configs:
        https://prometheus.io/docs/prometheus/latest/http_sd/.
        """
        who_calls(request, self._keys)
        return JSONResponse(sorted(_alive(), key=lambda target: target["labels"]["replica"]))


def _alive() -> list[dict[str, Any]]:
    found = []
    for key in internal_kv._internal_kv_list(b"", namespace=_NAMESPACE):
        entry = json.loads(internal_kv._internal_kv_get(key, namespace=_NAMESPACE) or "{}")
        if entry and time.time() - entry.pop("at") < _GONE_S:
            found.append(entry)
    return found
