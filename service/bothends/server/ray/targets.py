"""Replicas on a Ray cluster to what Prometheus scrapes: each tells where its metrics are, any tells of all.

Told in Ray's key-value store, which outlives replicas: who hasn't been heard of for a while is left out.
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
"""Between a replica's words."""
_GONE_S = 35.0
"""After which silence a replica is left out: three words missed."""


class Targets:
    """The replica `name`, whose metrics are at `address`, host:port, and all others."""

    def __init__(self, name: str, address: str, keys: Keys | None) -> None:
        """`keys` are of those who may read; None for anybody."""
        self._name = name
        self._entry = {"targets": [address], "labels": {"replica": name}}
        self._keys = keys
        self._due = 0.0

    async def announce(self) -> None:
        """Say that this one lives, if it is time."""
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + _ANNOUNCE_S
            entry = json.dumps({"at": time.time(), **self._entry})
            await asyncio.to_thread(internal_kv._internal_kv_put, self._name, entry, namespace=_NAMESPACE)

    def forget(self) -> None:
        """Say that it doesn't."""
        internal_kv._internal_kv_del(self._name, namespace=_NAMESPACE)

    def page(self, request: Request) -> Response:
        """Prometheus's http_sd_configs: https://prometheus.io/docs/prometheus/latest/http_sd/."""
        who_calls(request, self._keys)
        return JSONResponse(sorted(_alive(), key=lambda target: target["labels"]["replica"]))


def _alive() -> list[dict[str, Any]]:
    found = []
    for key in internal_kv._internal_kv_list(b"", namespace=_NAMESPACE):
        entry = json.loads(internal_kv._internal_kv_get(key, namespace=_NAMESPACE) or "{}")
        if entry and time.time() - entry.pop("at") < _GONE_S:
            found.append(entry)
    return found
