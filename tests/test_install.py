"""What installs tests' packages: an index that doesn't answer is left soon, and a long silence is broken."""

import os
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests import install
from tests.support.until import TIMEOUT_S


class Index(BaseHTTPRequestHandler):
    """An index that has one package."""

    def do_HEAD(self) -> None:
        self.send_response(200 if self.path == "/torch/" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def index() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Index) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_an_index_that_answers_is_reachable(index: str) -> None:
    assert install.is_reachable(f"{index}/torch/", answers_s=TIMEOUT_S)
    assert not install.is_reachable(f"{index}/other/", answers_s=TIMEOUT_S)


def test_one_that_never_answers_is_left() -> None:
    """It takes a connection, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert not install.is_reachable(f"http://127.0.0.1:{silent.getsockname()[1]}/", answers_s=0.5)


def test_torch_is_asked_for_as_the_project_does() -> None:
    assert install.torch_range().startswith("torch>=")


def test_a_silent_pip_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the last line that it wrote, until it ends; its exit code is passed on."""
    told, go_on = tmp_path / "told", tmp_path / "go-on"
    os.mkfifo(go_on)
    (tmp_path / "pip.py").write_text(
        f"print('Collecting a', flush=True)\nopen({str(go_on)!r}).read()\nraise SystemExit(3)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def tell(line: str) -> None:
        if "Collecting a" in line and not told.exists():
            told.write_text(line)
            go_on.write_text("")

    monkeypatch.setattr(install, "tell", tell)
    assert install.pip("a", tells_s=0.1) == 3
    assert told.read_text().strip().endswith("min: Collecting a")
