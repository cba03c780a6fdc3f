"""What becomes of one model costs the callers of another nothing: it is replaced, withdrawn, or does not start."""

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import numpy as np
import pytest

from bothends import BothendsError, Client, Encoder
from bothends.errors import BundleError, UnknownModelError
from bothends.kserve.v2 import inference_pb2
from bothends.model.bundle import Bundle
from bothends.server.server import Server
from tests.support import infer
from tests.support.doors import connected
from tests.support.fronts import http_of
from tests.support.measured import sample
from tests.support.until import TIMEOUT_S, until

from .models import LIST, NAMES, SENTENCES, TRANSPORTS, Truth, client_of, serving_all


def checked(client: Client, alone: Truth) -> str:
    """Return the version that answers now, once its rows are seen to be that version's."""
    answer = client.embed(SENTENCES)
    assert np.array_equal(answer.rows, alone[answer.model_version])
    return answer.model_version


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_one_model_takes_over_while_the_other_answers(
    transport: str, english: Bundle, newer: list[Bundle], truth: Truth, tmp_path: Path
) -> None:
    """A newer version of one costs the other's callers nothing, and changes no bit of theirs."""
    root, is_over, wrong = tmp_path / "old", threading.Event(), list[object]()
    alone = {}
    for bundle in newer:
        with Encoder.load(bundle.path, device="cpu", workers=1) as encoder:
            alone[bundle.config.version] = encoder.encode(SENTENCES)
    shutil.copytree(newer[0].path, root / newer[0].path.name)

    def ask(server: Server, count: int) -> None:
        with client_of(server, "english") as client:
            while not is_over.is_set():
                try:
                    rows = client.encode(LIST[:count])
                except BothendsError as error:
                    wrong.append(error)
                    return
                if not np.array_equal(rows, np.resize(truth["english"], rows.shape)):
                    wrong.append(rows)

    with (
        serving_all(f"english={english.path}", f"old={root}", transport=transport, reload_s=0) as server,
        ThreadPoolExecutor(3) as pool,
    ):
        callers = [pool.submit(ask, server, count) for count in (1, 3, len(LIST))]
        try:
            for bundle in newer[1:]:
                shutil.copytree(bundle.path, root / bundle.path.name)
                server.request_reload()
                with client_of(server, "old") as client:
                    until(lambda: checked(client, alone) == bundle.config.version)  # noqa: B023  called here
        finally:
            is_over.set()
        for caller in callers:
            caller.result(TIMEOUT_S)
        assert sample(server, "bothends_model_reloads_total", model="old", result="served") == 2
        assert sample(server, "bothends_model_reloads_total", model="english", result="served") == 0
    assert wrong == []


def test_a_model_that_is_withdrawn_leaves_the_other_serving(both: Server, truth: Truth) -> None:
    """Its own callers are told; the server isn't ready as a whole, and says of each model whether it is."""
    service = both.service
    _, withdrawn = service.supervised
    served = withdrawn.embedder.model
    readiness = service._readiness  # noqa: SLF001  as the supervisor's thread has it
    served.withdraw("the model failed its self-test")
    readiness.set_fit("old", fit=False)
    try:
        with client_of(both, "english") as client:
            assert np.array_equal(client.encode(SENTENCES), truth["english"])
        with connected(both) as channel:
            stub = infer.Stub(channel)
            ready = [stub.ModelReady(inference_pb2.ModelReadyRequest(name=name)).ready for name in NAMES]
            with pytest.raises(grpc.RpcError, match="the model failed its self-test"):
                stub.ModelInfer(infer.request("a", model="old"), timeout=TIMEOUT_S)
        assert (ready, service.is_ready()) == ([True, False], False)
    finally:
        served.is_withdrawn = False
        readiness.set_fit("old", fit=True)
    assert service.is_ready()


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_withdrawn_model_stays_so_while_another_takes_over(
    transport: str, english: Bundle, newer: list[Bundle], tmp_path: Path
) -> None:
    """What C++ answers by is made anew then, of the models that answer. Nobody reloads the withdrawn one."""
    root = tmp_path / "old"
    shutil.copytree(newer[0].path, root / newer[0].path.name)
    with (
        serving_all(f"english={english.path}", f"old={root}", transport=transport, reload_s=0, selftest_s=0) as server,
        client_of(server, "old") as client,
        connected(server) as channel,
    ):
        withdrawn, replaced = server.service.supervised
        withdrawn.embedder.model.withdraw("the model failed its self-test")
        shutil.copytree(newer[1].path, root / newer[1].path.name)
        replaced.supervisor.reload()
        until(lambda: client.embed(SENTENCES).model_version == newer[1].config.version)
        with pytest.raises(grpc.RpcError, match="the model failed its self-test"):
            infer.Stub(channel).ModelInfer(infer.request("a", model="english"), timeout=TIMEOUT_S)


def test_a_broken_bundle_is_named_at_the_start(english: Bundle, old: Bundle, tmp_path: Path) -> None:
    """In one line, and nothing is left running."""
    before = set(threading.enumerate())
    shutil.copytree(old.path, tmp_path / "broken")
    (tmp_path / "broken" / "model.onnx").write_bytes(b"not what was hashed")
    with (
        pytest.raises(BundleError, match=r"^--bundle old=…: .*model\.onnx") as raised,
        serving_all(f"english={english.path}", f"old={tmp_path / 'broken'}"),
    ):
        pass
    assert "\n" not in str(raised.value)
    assert set(threading.enumerate()) <= before


def test_one_model_may_have_a_name_and_an_engine_of_its_own(old: Bundle) -> None:
    """Then that is what callers ask for, and not the bundle's own name."""
    with serving_all(f"mine={old.path}?engine=onnxruntime") as server:
        assert server.service.embedder.model.provider == "CPUExecutionProvider"
        with client_of(server, "mine") as client:
            assert client.encode("a dog").shape == (48,)
        with client_of(server, "toy") as client, pytest.raises(UnknownModelError, match="'mine' is"):
            client.encode("a dog")
        with http_of(server) as http:
            assert [model["id"] for model in http.get("/v1/models").json()["data"]] == ["mine"]
