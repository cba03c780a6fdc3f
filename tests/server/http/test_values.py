"""JSON of far too many values, which is refused before objects are made of it."""

import json
import tracemalloc

import httpx
import pytest

from bothends.errors import RequestError
from bothends.server.http.values import check_values
from bothends.server.server import Server
from tests.support.until import TIMEOUT_S

REFUSED = {
    "lists": b"[" + b"[]," * 1000 + b"[]]",
    "nested": b"[" * 1000 + b"]" * 1000,
    "objects": b"[" + b"{}," * 1000 + b"{}]",
    "numbers": b"[" + b"1," * 2000 + b"1]",
    "after an escaped quote": rb'["\\\"",' + b"1," * 2000 + b"1]",
    "after a backslash": rb'["\\",' + b"1," * 2000 + b"1]",
}
TAKEN = {
    "a list": json.dumps([[1] * 10] * 10).encode(),
    "punctuation in text": json.dumps({"input": ["[{,}]" * 1000] * 10}).encode(),
    "escapes in text": json.dumps({"input": ['\\",[' * 1000, "a\\", ",[" * 1000]}).encode(),
    "no JSON": b"}" * 5000,
    "nothing": b"",
}


@pytest.mark.parametrize("case", REFUSED)
def test_too_many_values(case: str) -> None:
    with pytest.raises(RequestError, match=r"more than the (1564 values|564 lists)"):
        check_values(REFUSED[case], max_values=1500, max_lists=500)


@pytest.mark.parametrize("case", TAKEN)
def test_what_stands_in_text_is_no_value(case: str) -> None:
    check_values(TAKEN[case], max_values=1500, max_lists=500)


@pytest.mark.parametrize("path", ["/v1/embeddings", "/explain"])
def test_a_body_of_empty_lists_fills_no_memory(server: Server, path: str) -> None:
    """Four megabytes of it would be a hundred megabytes of lists."""
    body = b'{"model":"english","input":[' + b"[]," * 1_390_000 + b"[]]}"
    tracemalloc.start()
    try:
        url, headers = f"http://127.0.0.1:{server.http_port}{path}", {"content-type": "application/json"}
        answer = httpx.post(url, content=body, headers=headers, timeout=TIMEOUT_S)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert answer.status_code == 400
    assert "more than the" in answer.json()["error"]["message"]
    assert peak < 12 * len(body)
