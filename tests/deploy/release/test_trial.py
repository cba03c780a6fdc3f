"""The program that tries an installed bothends: it passes on a right server, and notices a wrong one."""

import hashlib
import json
import subprocess
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from bothends.client.sync import Client
from bothends.engines import native
from tests.support.released import RELEASE, run
from tests.support.scripts import module

trial, found = module(RELEASE / "trial.py"), module(RELEASE / "found.py")


class InABatch:
    """A client whose rows are another's, but for the last bit of a sentence that has company."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def encode(self, sentences: Sequence[str], **options: Any) -> np.ndarray:
        rows = self.client.encode(sentences, **options)
        return np.nextafter(rows, np.float32(9)) if len(sentences) > 1 else rows

    def encode_stream(self, sentences: Sequence[str]) -> Iterator[np.ndarray]:
        return iter(self.encode(sentences))


def test_a_server_of_this_environment_passes(client: Client) -> None:
    """It is started and called by each protocol, and the hash is that of the rows that another server has."""
    tried = run("trial.py", "--log-level", "warning", *["--fallback"] * (not native.is_built()))
    assert tried.returncode == 0, tried.stderr
    said = json.loads(tried.stdout)
    assert said["protocols"] == ["bothends", "KServe over gRPC", "TEI over gRPC", "OpenAI", "TEI", "Ollama"]
    assert said["sha256"] == hashlib.sha256(client.encode(trial.SENTENCES).tobytes()).hexdigest()


@pytest.mark.parametrize(
    ("changed", "to", "why"),
    [
        ("native/avx2/float32", "CPUExecutionProvider", "the native engine doesn't compute"),
        ("native/avx2", "native/portable", "without what this processor can do"),
        ("1234  by the native transport", "1234  by grpcio", "the native transport doesn't speak gRPC"),
        ("/readyz  by the native transport", "/readyz  by uvicorn", "the native transport doesn't speak HTTP"),
    ],
)
def test_what_is_slow_is_refused(changed: str, to: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a wheel brings nothing, or not all of it, a server answers all the same, and only its banner tells."""
    monkeypatch.setattr(trial, "has_a_level", lambda: True)
    banner = (
        "  engine     native/avx2/float32 on cpu, 2 at once\n"
        "  gRPC       127.0.0.1:1234  by the native transport\n"
        "  HTTP       http://127.0.0.1:1235  /healthz /readyz  by the native transport\n"
    )
    trial.check_banner(trial.Served(banner, "127.0.0.1:1234", "http://127.0.0.1:1235", 1.0))
    slow = banner.replace(changed, to)
    with pytest.raises(trial.TrialError, match=why):
        trial.check_banner(trial.Served(slow, "127.0.0.1:1234", "http://127.0.0.1:1235", 1.0))


def test_a_server_that_never_comes_is_waited_for_no_longer_than_that(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is ended."""
    monkeypatch.setattr(trial, "TIMEOUT_S", 1)
    command = ["sh", "-c", "exec sleep 600"]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process,
        pytest.raises(trial.TrialError, match="didn't start"),
    ):
        trial.ready(process, 0.0)


def test_other_bits_in_a_batch_are_noticed(client: Client) -> None:
    """Of a server whose rows depend on their batch."""
    assert trial.check_batches(client).shape == (len(trial.SENTENCES), 512)
    with pytest.raises(trial.TrialError, match="other bits in one batch than alone"):
        trial.check_batches(InABatch(client))


def test_rows_of_one_precision_are_the_same_everywhere() -> None:
    """On any level, of x86-64 and of AArch64; those of int8 are others than those of float32."""
    here = {"machine": "x86_64", "engine": "native/avx512/float32 on cpu, 2 at once", "sha256": "a"}
    others = [
        here | {"engine": "native/avx2/float32 on cpu, 8 at once"},
        here | {"engine": "native/avx512/int8 on cpu, 2 at once", "sha256": "b"},
        here | {"machine": "aarch64", "engine": "native/neon_dot/float32 on cpu, 2 at once"},
    ]
    assert found.differing([here, *others]) == []
    assert found.differing([here, *others, here | {"sha256": "d"}]) == ["float32: rows differ"]
