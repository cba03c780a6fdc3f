"""Both ports as Unix sockets in a folder, by each transport."""

import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from bothends import Client
from bothends.errors import SettingsError, StartupError
from bothends.model.bundle import Bundle
from bothends.server.server import Server
from bothends.settings import Settings
from tests.support.doors import serving
from tests.support.until import TIMEOUT_S

from .models import TRANSPORTS


@pytest.fixture(params=TRANSPORTS)
def server(request: pytest.FixtureRequest, toy_bundle: Bundle, tmp_path: Path) -> Iterator[Server]:
    with serving(toy_bundle, host=f"unix:{tmp_path}", transport=request.param, health_port=0) as served:
        yield served


def serving_settings(bundle: Bundle, folder: Path) -> Settings:
    return Settings(bundle=bundle.path, device="cpu", workers=1, host=f"unix:{folder}")


def over(path: Path) -> httpx.Client:
    return httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), base_url="http://localhost", timeout=TIMEOUT_S)


def test_calls_come_by_both(server: Server, tmp_path: Path) -> None:
    """The same numbers by either, and health on its own; the banner says where."""
    with Client(f"unix:{tmp_path}/grpc.sock") as client, over(tmp_path / "http.sock") as http:
        expected = client.encode(["a man"], normalize=True)
        found = http.post("/v1/embeddings", json={"input": "a man"})
        assert np.array_equal(np.array([found.json()["data"][0]["embedding"]], np.float32), expected)
    with over(tmp_path / "health.sock") as health:
        assert health.get("/readyz").status_code == 200
        assert health.get("/v1/models").status_code == 404
    banner = server.banner()
    for name in ("grpc", "http", "health"):
        assert f"unix:{tmp_path}/{name}.sock" in banner
    assert "://" not in banner


def test_other_hosts_are_not_answered(server: Server, tmp_path: Path) -> None:
    """It is this machine's alone, as a loopback address is."""
    with over(tmp_path / "http.sock") as http:
        assert http.get("/v1/models", headers={"host": "example.org"}).status_code == 421


def test_a_file_that_a_server_left_is_taken_over_and_anothers_is_not(toy_bundle: Bundle, tmp_path: Path) -> None:
    for name in ("grpc", "http"):
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(tmp_path / f"{name}.sock"))
    with serving(toy_bundle, host=f"unix:{tmp_path}"):
        with pytest.raises(StartupError, match=r"http\.sock: Address already in use; choose another --host"):
            Server(serving_settings(toy_bundle, tmp_path)).start()
        with Client(f"unix:{tmp_path}/grpc.sock") as client:
            assert client.encode(["a"]).shape[0] == 1


@pytest.mark.parametrize(("folder", "why"), [("missing", "No such file or directory"), ("x" * 200, "too long")])
def test_a_folder_that_cannot_hold_them_is_told_of(toy_bundle: Bundle, tmp_path: Path, folder: str, why: str) -> None:
    with pytest.raises(StartupError, match=why):
        Server(serving_settings(toy_bundle, tmp_path / folder)).start()


def test_a_folder_is_to_be_named() -> None:
    with pytest.raises(SettingsError, match="needs a folder for the sockets"):
        Settings(host="unix:")
