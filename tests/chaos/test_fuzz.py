"""Random bytes never crash, hang, or raise anything but what is promised: at the server, the client, and the bundle."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import hypothesis
import pytest
from hypothesis import strategies as st

from bothends import errors
from bothends.model.bundle import Bundle
from bothends.v1 import embedding_pb2
from bothends.wire.status import to_status
from tests.support.paths import ROOT

from .conftest import Form
from .hostile import PATH
from .victim import Victim, victim

pytestmark = pytest.mark.chaos
MAX_GROWTH_MB = 50
ANSWERS = {
    grpc.StatusCode.OK,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,  # another model is asked for
    grpc.StatusCode.RESOURCE_EXHAUSTED,
}

SENTENCES = st.lists(st.text(max_size=60), max_size=8)
REQUESTS = st.builds(lambda sentences: embedding_pb2.EmbedRequest(sentences=sentences).SerializeToString(), SENTENCES)


@st.composite
def nearly_requests(draw: st.DrawFn) -> bytes:
    """Make requests of which some bytes are others, gone, or too many."""
    content = bytearray(draw(REQUESTS))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(content)))
        content[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return bytes(content)


@pytest.fixture(scope="module")
def attacked() -> Iterator[Victim]:
    with victim() as server:
        yield server


def test_a_live_server_answers_noise_with_a_status(attacked: Victim, form: Form, record: Callable[..., None]) -> None:
    """Each request has an embedding for each sentence, or INVALID_ARGUMENT; nothing in between, nothing else."""
    tried = embedded = 0
    with grpc.insecure_channel("{}:{}".format(*attacked.grpc)) as channel:
        embed: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(PATH)

        @hypothesis.settings(max_examples=form.pick(3000, 60_000), database=None)
        @hypothesis.given(st.one_of(st.binary(max_size=300), REQUESTS, nearly_requests()))
        def attack(content: bytes) -> None:
            nonlocal tried, embedded
            tried += 1
            response, code = b"", grpc.StatusCode.OK
            try:
                response = embed(content, timeout=10)
            except grpc.RpcError as error:
                code = error.code()
            assert code in ANSWERS
            if code is grpc.StatusCode.OK:
                embedded += 1
                rows = embedding_pb2.EmbedResponse.FromString(response).embeddings
                assert len(rows) == len(embedding_pb2.EmbedRequest.FromString(content).sentences)

        attack()
    attacked.answers_right()
    assert 0 < embedded < tried
    assert attacked.growth_mb < MAX_GROWTH_MB
    record("noise to a live server", inputs=tried, embedded=embedded, growth_mb=round(attacked.growth_mb), lost=0)


def seeds(toy: Bundle) -> list[bytes]:
    """Write one good input for each reader of the fuzzer, in its order."""
    response = embedding_pb2.EmbedResponse(embeddings=[{"values": [1, 2], "token_count": 1}], model_version="1")
    statuses = [
        to_status(errors.SentenceError(3, "is empty")),
        to_status(errors.OverloadedError("full", retry_after_s=1)),
    ]
    good = [
        (0, embedding_pb2.EmbedRequest(sentences=["there will be dragons", "é 龍 \u200b"]).SerializeToString()),
        (1, response.SerializeToString()),
        *((2, status.SerializeToString()) for status in statuses),
        (3, toy.model),
        (4, toy.golden.to_bytes()),
        (5, (toy.path / "config.json").read_bytes()),
    ]
    return [bytes([reader]) + content for reader, content in good]


def test_a_million_inputs_steered_by_coverage(
    toy_bundle: Bundle, tmp_path: Path, form: Form, record: Callable[..., None]
) -> None:
    """Inputs of atheris go through parse → check → tokenise, decoding of answers and statuses, and a bundle's files."""
    pytest.importorskip("atheris", reason="atheris has no wheel for this Python or platform")
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for index, seed in enumerate(seeds(toy_bundle)):
        (corpus / str(index)).write_bytes(seed)
    runs = form.pick(50_000, 2_000_000)
    limits = ["-max_len=40000", "-timeout=20", "-rss_limit_mb=3000", "-len_control=10", "-seed=7"]
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "tests.chaos.fuzz", corpus, f"-runs={runs}", f"-artifact_prefix={tmp_path}/", *limits],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    seconds, counted = time.monotonic() - started, re.search(r"Done (\d+) runs", done.stderr)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    assert counted is not None
    assert int(counted[1]) >= runs
    came = json.loads(done.stdout.splitlines()[-1])
    for outcome in ("server OK", "server INVALID_ARGUMENT", "client read", "failure SentenceError", "model refused"):
        assert came[outcome], "the noise never got so far"
    record("noise steered by coverage", inputs=int(counted[1]), seconds_s=seconds, lost=0)
