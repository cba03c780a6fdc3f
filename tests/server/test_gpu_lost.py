"""A server whose GPU is lost, on the stand-in: it refuses at once, tries again, and ends for a new one to start."""

import math
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bothends import BothendsError, Client, Retry
from tests.support.serving import Running, answered, finish, is_ready, sample, start
from tests.support.standin import SMALL, STANDIN, environment
from tests.support.until import TIMEOUT_S, until

pytestmark = STANDIN
GPU_LOST = 75
TEXTS = ["there will be dragons", "a man plays the guitar"]


@pytest.fixture
def trouble(tmp_path: Path) -> Path:
    """File whose being there is the GPU's trouble."""
    return tmp_path / "trouble"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


def serving(log: Path, *, engine_timeout_s: float = 30, **switches: Path) -> Iterator[Running]:
    running = start(*SMALL, log=log, environment=environment(**switches), engine_timeout_s=engine_timeout_s)
    yield running
    finish(running)


@pytest.fixture
def losing(log: Path, trouble: Path) -> Iterator[Running]:
    """A server on a GPU whose every call fails once the trouble has come."""
    yield from serving(log, FAKE_LOST=trouble)


@pytest.fixture
def hanging(log: Path, trouble: Path) -> Iterator[Running]:
    """A server on a GPU that answers nothing once the trouble has come."""
    yield from serving(log, engine_timeout_s=1, FAKE_HANGS=trouble)


def asked(running: Running, texts: list[str] = TEXTS) -> None:
    """Embed `texts` once, without a second try."""
    with Client(running.target, retry=Retry(attempts=1)) as client:
        client.encode(texts, timeout_s=TIMEOUT_S)


def test_a_lost_gpu_ends_the_process_with_a_code_of_its_own(losing: Running, trouble: Path, log: Path) -> None:
    """The model is withdrawn at once and three loads fail; then a new process alone can help, and does."""
    asked(losing)
    trouble.touch()
    with pytest.raises(BothendsError):
        asked(losing)
    until(lambda: losing.process.poll() is not None or not is_ready(losing))
    assert losing.process.wait(TIMEOUT_S) == GPU_LOST
    said = log.read_text()
    assert re.search(r"a batch of \d sentences failed: CUDA failure 719: unspecified launch failure", said)
    assert said.count("the model can't be loaded anew") == 3
    assert "the GPU is given up: 3 attempts to load the model anew have failed" in said
    trouble.unlink()
    again = start(*SMALL, environment=environment(FAKE_LOST=trouble))
    try:
        asked(again)
    finally:
        finish(again)


def test_metrics_go_on_when_nvml_fails(log: Path, trouble: Path) -> None:
    """The GPU's memory is no number then; all else is shown as before."""
    for running in serving(log, FAKE_NVML=trouble):
        assert sample(running, "bothends_device_memory_bytes") == 1 << 30
        trouble.touch()
        assert math.isnan(sample(running, "bothends_device_memory_bytes"))
        asked(running)
        assert answered(running) == 1


def test_a_run_that_hangs_on_a_gpu_ends_the_process(hanging: Running, trouble: Path, log: Path) -> None:
    """The caller is told once the engine's time is over; nothing else is tried on a device that doesn't answer."""
    asked(hanging)
    trouble.touch()
    with pytest.raises(BothendsError):
        asked(hanging)
    assert hanging.process.wait(TIMEOUT_S) == GPU_LOST
    assert "the GPU is given up: a model run hangs" in log.read_text()
