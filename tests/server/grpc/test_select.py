"""The transport that serves is the one asked for, or the server doesn't start."""

import sys

import pytest

from bothends.errors import StartupError
from bothends.server.grpc.select import select
from bothends.server.server import Server
from bothends.settings import Settings


def test_one_that_cannot_serve_is_told_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Auto is grpcio where the native one isn't installed."""
    monkeypatch.setitem(sys.modules, "bothends_native.transport", None)
    assert select(Settings(transport="auto")) == select(Settings(transport="grpcio")) == "grpcio"
    with pytest.raises(StartupError, match=r"^--transport native: .+ To have it: .+$"):
        select(Settings(transport="native"))


def test_a_server_says_which_transport_serves(caplog: pytest.LogCaptureFixture) -> None:
    """The banner and the log have its name."""
    caplog.set_level("INFO")
    server = Server(Settings(port=0, http_port=0, device="cpu", transport="grpcio"))
    server.start()
    assert f"127.0.0.1:{server.port}  by grpcio\n" in server.banner()
    assert [record.transport for record in caplog.records if record.message == "serving"] == ["grpcio"]  # type: ignore[attr-defined]
    assert server.stop()
