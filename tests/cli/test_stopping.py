"""A server that a signal stops: nothing accepted is lost, and nothing holds it up."""

import os
import signal
import threading
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from click.testing import CliRunner
from grpc_health.v1 import health_pb2, health_pb2_grpc

from bothends import Client, ConnectionFailedError, DrainingError, Retry
from bothends.cli.main import main
from bothends.core.loaded import LoadedModel
from bothends.model.bundle import Bundle
from bothends.server.model_service import ModelService
from tests.support.serving import Running, held_open, is_ready, start
from tests.support.until import until

ONCE = Retry(attempts=1)
"""A caller that shows what the server said, and doesn't try again."""


def test_sigterm_answers_what_was_accepted(running: Running) -> None:
    """A call that was accepted when SIGTERM comes is answered in full; then the server exits with 0."""
    with held_open(running) as answered:
        running.process.send_signal(signal.SIGTERM)
        until(lambda: not is_ready(running))
        assert [len(answer.embeddings) for answer in answered()] == [1000]
    assert running.process.wait(timeout=60) == 0
    with Client(running.target, retry=ONCE) as late, pytest.raises((ConnectionFailedError, DrainingError)):
        late.encode(["too late"])


@pytest.mark.ci
@pytest.mark.slow
def test_sigterm_under_load_loses_nothing(running: Running) -> None:
    """Callers in a loop see right answers, then UNAVAILABLE; no other error, no wrong bytes."""
    with Client(running.target) as client:
        expected = client.encode(["the same words"]).tobytes()
    unforeseen: list[BaseException] = []
    answered = threading.Semaphore(0)

    def loop() -> None:
        with Client(running.target, retry=ONCE) as client:
            try:
                while True:
                    assert client.encode(["the same words"]).tobytes() == expected
                    answered.release()
            except (ConnectionFailedError, DrainingError):
                pass
            except BaseException as error:  # reported by the assertion below
                unforeseen.append(error)

    callers = [threading.Thread(target=loop) for _ in range(8)]
    for caller in callers:
        caller.start()
    for _ in range(100):
        assert answered.acquire(timeout=20)
    running.process.send_signal(signal.SIGTERM)
    for caller in callers:
        caller.join(timeout=60)
    assert running.process.wait(timeout=60) == 0
    assert unforeseen == []


@pytest.mark.ci
@pytest.mark.slow
def test_a_second_signal_exits_at_once() -> None:
    """A second signal means now: the drain isn't waited for."""
    running = start()
    with held_open(running), grpc.insecure_channel(running.target) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        running.process.send_signal(signal.SIGTERM)
        assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING  # the first has come, and is no more
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(timeout=60) == 128 + signal.SIGTERM
    running.process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_a_signal_while_it_starts_ends_it(toy_bundle: Bundle, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """A server that has accepted nothing does not come up to be stopped; what it had begun is undone."""
    load = LoadedModel.load

    def signalled(*arguments: Any, **options: Any) -> LoadedModel:
        os.kill(os.getpid(), number)
        return load(*arguments, **options)

    monkeypatch.setattr(LoadedModel, "load", signalled)
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)]
    flags = ["--port", "0", "--http-port", "0", "--bundle", str(toy_bundle.path)]
    answer = CliRunner().invoke(main, ["serve", *flags])
    assert (answer.exit_code, answer.output) == (0, "")
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)] == before


def test_a_signal_as_calls_are_let_in_stops_it_as_ever(toy_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls that may have been accepted by then are answered; a reload that was asked for meanwhile kills nobody."""
    start, reloads = ModelService.start, list[bool]()

    def signalled(service: ModelService, let_calls_in: Callable[[], None]) -> None:
        start(service, let_calls_in)
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(ModelService, "start", signalled)
    monkeypatch.setattr(ModelService, "request_reload", lambda service: reloads.append(service.is_ready()))
    flags = ["--port", "0", "--http-port", "0", "--bundle", str(toy_bundle.path)]
    answer = CliRunner().invoke(main, ["serve", *flags])
    assert answer.exit_code == 0
    assert "gRPC" in answer.stdout
    assert reloads == [True]
