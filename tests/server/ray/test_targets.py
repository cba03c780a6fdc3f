"""Targets for Prometheus on a Ray cluster, in a store of the test's own."""

import asyncio
import json

import pytest
from starlette.requests import Request

pytest.importorskip("ray")

from bothends.server.ray import targets
from bothends.server.ray.targets import Targets


class Store:
    """Ray's key-value store."""

    def __init__(self) -> None:
        self.entries: dict[str, str] = {}

    def _internal_kv_put(self, key: str, content: str, *, namespace: bytes) -> None:
        self.entries[key] = content

    def _internal_kv_del(self, key: str, *, namespace: bytes) -> None:
        self.entries.pop(key, None)

    def _internal_kv_list(self, prefix: bytes, *, namespace: bytes) -> list[str]:
        return list(self.entries)

    def _internal_kv_get(self, key: str, *, namespace: bytes) -> str | None:
        return self.entries.get(key)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    kept = Store()
    monkeypatch.setattr(targets, "internal_kv", kept)
    return kept


def listed(by: Targets) -> object:
    return json.loads(bytes(by.page(Request({"type": "http", "headers": []})).body))


def test_any_replica_lists_all_that_live(store: Store) -> None:
    """The list has the form of Prometheus's http_sd_configs, without those that have taken their announcement back."""
    first, second = Targets("a", "10.0.0.1:1", None), Targets("b", "10.0.0.2:2", None)
    for replica in (second, first):
        asyncio.run(replica.announce())
    both = [
        {"targets": ["10.0.0.1:1"], "labels": {"replica": "a"}},
        {"targets": ["10.0.0.2:2"], "labels": {"replica": "b"}},
    ]
    assert listed(first) == listed(second) == both
    second.forget()
    assert listed(first) == both[:1]


def test_a_silent_replica_is_left_out(store: Store) -> None:
    """One that died without a word is listed no more after a while."""
    replica = Targets("a", "10.0.0.1:1", None)
    asyncio.run(replica.announce())
    entry = json.loads(store.entries["a"])
    store.entries["a"] = json.dumps(entry | {"at": entry["at"] - 3600})
    assert listed(replica) == []


def test_it_is_announced_now_and_then(store: Store) -> None:
    """Ray asks for a replica's health more often than the store is to be written."""
    replica = Targets("a", "10.0.0.1:1", None)
    asyncio.run(replica.announce())
    store.entries.clear()
    asyncio.run(replica.announce())
    assert store.entries == {}
