"""How several models are asked for from outside: by the command line, and by probes of health."""

import json
from collections.abc import Callable
from pathlib import Path

import grpc
import numpy as np
import pytest
from click.testing import CliRunner, Result
from grpc_health.v1 import health_pb2, health_pb2_grpc

from bothends.cli.main import main
from bothends.server.server import Server
from tests.support.doors import connected
from tests.support.fronts import http_of
from tests.support.until import TIMEOUT_S

from .models import NAMES, SENTENCES, Truth

SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.fixture
def ask(both: Server) -> Callable[..., Result]:
    """Runs a command that asks the server of both."""

    def run(*words: str) -> Result:
        return CliRunner().invoke(main, [*words, "--server", f"127.0.0.1:{both.port}"])

    return run


@pytest.mark.parametrize("name", NAMES)
def test_the_command_line_names_a_model(ask: Callable[..., Result], truth: Truth, name: str) -> None:
    """For sentences; `info` describes it, `health` tells of it."""
    result = ask("embed", "--model", name, "--json", *SENTENCES)
    assert result.exit_code == 0, result.output
    rows = [json.loads(line)["embedding"] for line in result.stdout.splitlines()]
    assert np.array_equal(np.array(rows, np.float32), truth[name])
    assert result.stderr.startswith(f"Embedded by {name} of the server at 127.0.0.1:")
    described = ask("info", "--model", name).stdout.split()
    assert described[described.index("dimension") + 1] == str(truth[name].shape[1])
    assert ask("health", "--model", name).stdout.endswith(f" is SERVING {name}\n")


def test_the_command_line_embeds_files_by_a_model_of_a_server(
    ask: Callable[..., Result], truth: Truth, tmp_path: Path
) -> None:
    """And searches in them."""
    source, vectors = tmp_path / "lines.txt", tmp_path / "vectors.npy"
    source.write_text("\n".join(SENTENCES), encoding="utf-8")
    result = ask("embed", "--model", "old", "--input", str(source), "--output", str(vectors))
    assert result.exit_code == 0, result.output
    assert np.array_equal(np.load(vectors), truth["old"])
    found = ask("search", str(source), SENTENCES[1], "--model", "old", "--index", str(tmp_path / "index"))
    assert found.exit_code == 0, found.output
    assert next((tmp_path / "index").glob("*.npy")).stat().st_size < truth["english"].nbytes


def test_the_command_line_is_told_of_a_wrong_name(ask: Callable[..., Result]) -> None:
    """In one line; nor is there a model of a server's in this process."""
    result = ask("embed", "--model", "older", "a dog")
    assert (result.exit_code, result.stderr) == (
        1,
        "Error: model 'older' isn't served here; 'english' and 'old' are\n",
    )
    result = ask("health", "--model", "older")
    assert result.exit_code == 1
    assert "has no model 'older'" in result.stderr
    result = CliRunner().invoke(main, ["embed", "a", "--model", "old", "--bundle", "english"])
    assert result.exit_code == 2
    assert "--bundle embeds in this process, --model elsewhere" in result.stderr


def test_health_is_asked_of_each_model_by_its_name(both: Server) -> None:
    """By gRPC, also of who watches, and by HTTP; without a name it is that of all."""
    readiness = both.service._readiness  # noqa: SLF001  as a supervisor's thread has it

    def states() -> list[int]:
        return [stub.Check(health_pb2.HealthCheckRequest(service=name)).status for name in ("", *NAMES)]

    def codes() -> list[int]:
        asked = ("", "?model=english", "?model=old")
        return [http.get(f"/readyz{query}").status_code for query in asked]

    with connected(both) as channel, http_of(both) as http:
        stub = health_pb2_grpc.HealthStub(channel)
        watch = {name: stub.Watch(health_pb2.HealthCheckRequest(service=name), timeout=TIMEOUT_S) for name in NAMES}
        assert [next(watched).status for watched in watch.values()] == [SERVING, SERVING]
        assert (states(), codes()) == ([SERVING] * 3, [200] * 3)
        readiness.set_fit("old", fit=False)
        try:
            assert next(watch["old"]).status == NOT_SERVING
            assert (states(), codes()) == ([NOT_SERVING, SERVING, NOT_SERVING], [503, 200, 503])
        finally:
            readiness.set_fit("old", fit=True)
        assert next(watch["old"]).status == SERVING
        assert (states(), codes()) == ([SERVING] * 3, [200] * 3)
        readiness.set_fit("english", fit=False)  # the first that the other's watcher hears of
        try:
            assert next(watch["english"]).status == NOT_SERVING
        finally:
            readiness.set_fit("english", fit=True)
        assert http.get("/readyz?model=older").status_code == 404
        with pytest.raises(grpc.RpcError) as raised:
            stub.Check(health_pb2.HealthCheckRequest(service="older"), timeout=TIMEOUT_S)
        for watched in watch.values():
            watched.cancel()
    assert raised.value.code() is grpc.StatusCode.NOT_FOUND
