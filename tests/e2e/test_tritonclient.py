"""NVIDIA's clients, unmodified, against a real server: tritonclient, and perf_analyzer, which loads it."""

import csv
import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bothends import Client
from bothends.keys import new

from ..serving import Running, finish, start

CLIENTS = Path(sys.prefix) / "clients"
SCRIPT = Path(__file__).parent.parent / "clients" / "triton.py"
SENTENCES = ["there will be dragons", "dragons will be there", "über 龍 👩‍👩‍👧‍👦", "word " * 300]


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """One that a server knows, and the server's file."""
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


def report(running: Running, key: str | None = None) -> Any:
    """What tests/clients/triton.py saw."""
    python = CLIENTS / "bin" / "python"
    if not python.exists():
        pytest.skip(f"{python} is missing; `make test` installs other people's clients there")
    done = subprocess.run(
        [python, "-I", SCRIPT, running.target],
        input=json.dumps(SENTENCES),
        env=os.environ | ({"BOTHENDS_API_KEY": key} if key else {}),
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def perf_analyzer(running: Running, *flags: str, model: str = "english") -> subprocess.CompletedProcess[str]:
    """The package's own program. Its wrapper in bin/ ends with 0 also where this one fails."""
    program = next(CLIENTS.glob("lib/python*/site-packages/perf_analyzer/bin/perf_analyzer"), None)
    if program is None:
        pytest.skip("perf_analyzer is missing; `make test` installs it, where it has a wheel")
    command = [program, "-m", model, "-i", "grpc", "-u", running.target, *flags]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)


def answered(running: Running) -> float:
    """ModelInfer requests, as the server counts."""
    with urllib.request.urlopen(f"{running.http}/metrics") as page:  # noqa: S310  our own server
        text = page.read().decode()
    series = 'bothends_requests_total{code="OK",method="ModelInfer"} '
    return next(float(line.split()[1]) for line in text.splitlines() if line.startswith(series))


@pytest.mark.filterwarnings("ignore::bothends.TruncationWarning")
def test_tritonclient_gets_our_clients_bytes(guarded: Running, key: tuple[str, Path]) -> None:
    """In one call, in several at once, by asyncio; with and without options. Probes show no key, the others do."""
    found = report(guarded, key[0])
    with Client(guarded.target, api_key=key[0]) as client:
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
    assert found["metadata"]["versions"] == [plain.model_version]
    assert found["config"]["max_batch_size"] == 1024


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


@pytest.mark.parametrize(
    "flags",
    [
        ("--string-length", "60"),
        ("-b", "32", "--concurrency-range", "4", "--async", "--request-parameter", "normalize:true:bool"),
        ("--shape", "text:1", "--string-data", "there will be dragons", "--request-rate-range", "50"),
    ],
    ids=["one text", "32 texts, 4 at once", "at a rate"],
)
def test_perf_analyzer_measures(shared: Running, tmp_path: Path, flags: tuple[str, ...]) -> None:
    """It ends well, and what it says to have sent has been answered."""
    before, table = answered(shared), tmp_path / "report.csv"
    done = perf_analyzer(shared, "--request-count", "60", "-f", str(table), *flags)
    assert done.returncode == 0, done.stdout + done.stderr
    requests, throughput = (re.search(rf"{name}: ([0-9.]+)", done.stdout) for name in ("Request count", "Throughput"))
    assert requests is not None, done.stdout
    assert throughput is not None, done.stdout
    assert float(requests[1]) >= 60
    assert float(throughput[1]) > 0
    assert answered(shared) - before >= 60
    with table.open(newline="") as rows:
        assert all(float(row["Inferences/Second"]) > 0 for row in csv.DictReader(rows))


def test_perf_analyzer_shows_a_key_or_fails(guarded: Running, key: tuple[str, Path]) -> None:
    """Without one it ends with our line; so it does for a model that isn't served."""
    header = ("-H", f"authorization:Bearer {key[0]}")
    assert perf_analyzer(guarded, "--request-count", "20", *header).returncode == 0
    for flags, model, told in (
        ((), "english", "no API key came"),
        (header, "another", "model 'another' isn't served here; 'english' is"),
    ):
        done = perf_analyzer(guarded, "--request-count", "20", *flags, model=model)
        assert done.returncode != 0
        assert told in done.stderr
