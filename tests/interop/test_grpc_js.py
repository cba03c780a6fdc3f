"""grpc-js, gRPC in JavaScript alone: one program makes its calls, and each of its answers is looked at here."""

import base64
import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.rpc import status_pb2

from bothends.errors import SentenceError
from bothends.wire.status import from_status
from tests.support.paths import ROOT
from tests.support.serving import Running, sample
from tests.support.until import TIMEOUT_S, until

from .asked import CANCELLED, CONCURRENT, ENDLESS, SENTENCES

pytestmark = pytest.mark.slow  # starts other people's clients

CLIENTS = Path(sys.prefix) / "clients"
SCRIPT = ROOT / "tests" / "clients" / "grpc_js.js"
PROTOS = [ROOT / "proto", sysconfig.get_path("purelib")]


@pytest.fixture(scope="module")
def report(served: Running) -> Any:
    """Report of tests/clients/grpc_js.js."""
    node, modules = CLIENTS / "bin" / "node", CLIENTS / "node_modules"
    if not (node.exists() and (modules / "@grpc" / "grpc-js").exists()):
        pytest.skip(f"grpc-js is missing in {CLIENTS}; `make test-slow` installs it there, where Node has a wheel")
    done = subprocess.run(
        [node, SCRIPT, served.target, f"{served.http}/metrics", *PROTOS],
        input=json.dumps({"sentences": SENTENCES, "endless": ENDLESS}),
        env=os.environ | {"NODE_PATH": str(modules)},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("way", ["unary", "gzip", "stream"])
def test_rows_are_our_clients_bit_for_bit(report: Any, expected: np.ndarray, way: str) -> None:
    """One request, the same compressed, and a stream of a sentence a message, whose answers come in order."""
    assert "".join(report[way]) == expected.tobytes().hex()


def test_no_call_of_many_is_lost(report: Any, expected: np.ndarray) -> None:
    assert "".join(report["concurrent"]) == expected[:CONCURRENT].tobytes().hex()


def test_an_error_has_its_details(report: Any) -> None:
    """Trailers carry the details in binary."""
    error = from_status(status_pb2.Status.FromString(base64.b64decode(report["wrong"]["details"])))
    assert isinstance(error, SentenceError)
    assert error.index == 1
    assert report["wrong"]["code"] == "INVALID_ARGUMENT"
    assert report["wrong"]["text"] == str(error)


def test_a_deadline_ends_a_call(report: Any) -> None:
    assert report["late"]["code"] == "DEADLINE_EXCEEDED"


def test_a_cancelled_call_is_left_alone(served: Running, report: Any) -> None:
    """The server counts what its caller cancelled, and works on it no more."""
    assert report["cancelled"]["code"] == "CANCELLED"
    until(lambda: sample(served, CANCELLED) >= 1)
    until(lambda: sample(served, "bothends_queue_sentences") == 0)


def test_health_is_told(report: Any) -> None:
    """Check and the first message of Watch."""
    assert report["health"] == ["SERVING", "SERVING"]
