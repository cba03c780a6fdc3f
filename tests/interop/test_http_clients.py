"""Other people's clients over HTTP, as their users have them: rows are the bits that our own client gets over gRPC.

On the native transport they speak HTTP/2 too; uvicorn speaks HTTP/1.1 alone.
"""

import json
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest

from tests.support.https import speaks_http2
from tests.support.serving import Running

from .http_clients import CURLS, by_curl, by_node, by_python, run, wrong

pytestmark = pytest.mark.slow  # starts other people's clients


@pytest.fixture(scope="module")
def http2(served: Running) -> bool:
    """Whether the server speaks HTTP/2 on the port of HTTP."""
    web = urlsplit(served.http)
    return speaks_http2((web.hostname or "", web.port or 0))


def test_pythons_libraries(served: Running, unit_rows: np.ndarray, http2: bool) -> None:
    assert wrong(by_python(served.http, *(["http2"] if http2 else [])), unit_rows) == []


def test_nodes(served: Running, unit_rows: np.ndarray) -> None:
    """An error is shown as it stands."""
    found, refusal = by_node(served.http)
    assert refusal == {"status": 400, "param": "input[1]", "class": "BadRequestError"}
    assert wrong(found, unit_rows) == []


@pytest.mark.parametrize("way", CURLS)
def test_curls(served: Running, unit_rows: np.ndarray, http2: bool, tmp_path: Path, way: str) -> None:
    """Three requests of one command, on one connection where it is kept."""
    if "--http2-prior-knowledge" in CURLS[way] and not http2:
        pytest.skip("uvicorn speaks no HTTP/2")
    statuses, answers, connects = by_curl(served.http, way, tmp_path)
    assert statuses == ["200"] * 3
    got = [[item["embedding"] for item in json.loads(answer)["data"]] for answer in answers]
    assert wrong({way: {str(number): rows for number, rows in enumerate(got)}}, unit_rows) == []
    assert connects == (3 if way in ("HTTP/1.0", "the connection's end") else 1)


def test_curl_asks_for_a_head_alone(served: Running) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is missing (Debian: apt-get install curl)")
    shown = run("curl", "-sSI", f"{served.http}/healthz", f"{served.http}/healthz").lower()
    assert shown.count("http/1.1 200 ok") == 2
    assert shown.count("content-length: 18") == 2
