"""A newer model takes over under load without a failed call, each reply is of the version that it names, and a model
that isn't fit never serves.
"""

import shutil
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bothends import Client, OverloadedError
from bothends.model.bundle import Bundle, write
from bothends.model.tokenizer import Tokenizer
from bothends_export.checkpoint import Checkpoint
from bothends_export.export import export
from tests.support.engines import placed
from tests.support.serving import Running

from .conftest import Form
from .vitals import scrape

pytestmark = [pytest.mark.chaos, pytest.mark.timing]  # measures time or memory

CALLERS = 16
SENTENCES = ["there will be dragons", "a man plays the guitar", "no", "a woman sings and a man plays " * 5]
BAD_EVERY = 5
TIMEOUT_S = 30.0


@pytest.fixture(scope="module")
def weights(
    make_checkpoint: Callable[..., tuple[Path, Checkpoint]], tmp_path_factory: pytest.TempPathFactory
) -> list[Bundle]:
    """Models of one name and tokenizer that give other numbers."""
    folder = tmp_path_factory.mktemp("weights")
    return [export(make_checkpoint(seed=seed)[1], folder / str(seed)) for seed in range(4)]


def publish(root: Path, number: int, model: Bundle, *, golden_of: Bundle | None = None) -> Path:
    """Put version `number` in its place, not yet seen by any process."""
    config = model.config.model_dump(exclude={"sha256"}) | {"version": f"v{number}"}
    hidden = root / f".v{number}"
    golden = (golden_of or model).golden
    write(hidden, config=config, model=model.model, tokenizer=model.tokenizer, golden=golden, card="")
    return hidden


def corrupt(folder: Path, number: int) -> None:
    """Spoil a version: every other one in a way that hashes find, the rest so that only golden sentences do."""
    file = folder / ("model.onnx", "tokenizer.json", "golden.npz")[number % 3]
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content if number % 4 else content[:-1])


class Caller(threading.Thread):
    """A caller that calls again and again, and keeps every reply that isn't what its version should say."""

    def __init__(self, target: str, truth: dict[str, bytes], stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.target, self.truth, self.stop = target, truth, stop
        self.answered = self.refused = 0
        self.wrong: list[str] = []
        self.versions: set[str] = set()

    def run(self) -> None:
        with Client(self.target) as client:
            while not self.stop.is_set():
                try:
                    reply = client.embed(SENTENCES, timeout_s=30)
                except OverloadedError:
                    self.refused += 1
                except Exception as error:
                    self.wrong.append(repr(error))
                else:
                    self.answered += 1
                    self.versions.add(reply.model_version)
                    if self.truth[reply.model_version] != reply.rows.tobytes():
                        self.wrong.append(f"{reply.model_version}: other numbers")


def wait_for_answer_of(version: str, callers: list[Caller]) -> None:
    """Wait until one of `callers` has an answer of this version."""
    started = time.monotonic()
    while not any(version in caller.versions for caller in callers):
        assert time.monotonic() - started < TIMEOUT_S
        time.sleep(0.001)  # they need the processor


@pytest.fixture
def versions(tmp_path: Path, weights: list[Bundle]) -> Path:
    root = tmp_path / "versions"
    root.mkdir()
    publish(root, 0, weights[0]).rename(root / "v0")
    return root


def test_reload_under_load(
    serve: Callable[..., Running],
    versions: Path,
    weights: list[Bundle],
    form: Form,
    record: Callable[..., None],
    request: pytest.FixtureRequest,
) -> None:
    """SIGHUP comes a hundred times, one in five for an unfit model: by its files, or by vectors not PyTorch's."""
    tokenizer = Tokenizer(weights[0].tokenizer, max_tokens=weights[0].config.max_tokens, source=weights[0].path)
    ids = [tokens.ids for tokens in tokenizer.encode(SENTENCES)]
    rows = [placed(model).run(ids).tobytes() for model in weights]
    assert len(set(rows)) == len(rows)
    truth = {"v0": rows[0]}
    running = serve("--bundle", str(versions), reload_s=0)
    stop, expected, unfit, served_at = threading.Event(), {"v0"}, 0, list[float]()
    callers = [Caller(running.target, truth, stop) for _ in range(CALLERS)]
    for caller in callers:
        caller.start()
    request.addfinalizer(stop.set)  # whatever fails, nobody goes on calling
    wait_for_answer_of("v0", callers)
    for number in range(1, form.pick(20, 100) + 1):
        bad = number % BAD_EVERY == 0
        model, other = weights[number % len(weights)], weights[(number + 1) % len(weights)]
        hidden = publish(versions, number, model, golden_of=other if bad and number % 2 else None)
        if bad and not number % 2:
            corrupt(hidden, number)
        truth[f"v{number}"] = rows[number % len(weights)]
        hidden.rename(versions / f"v{number}")
        started, unfit = time.monotonic(), unfit + bad
        running.process.send_signal(signal.SIGHUP)
        if bad:
            while scrape(running)[f"bothends_model_reloads_total refused {weights[0].config.name}"] < unfit:
                assert time.monotonic() - started < TIMEOUT_S
            shutil.rmtree(versions / f"v{number}")
        else:
            wait_for_answer_of(f"v{number}", callers)
            expected.add(f"v{number}")
            served_at.append(time.monotonic() - started)
    stop.set()
    for caller in callers:
        caller.join(TIMEOUT_S)
        assert not caller.is_alive()
    wrong = [what for caller in callers for what in caller.wrong]
    record("reload under load", lost=len(wrong), reloads=len(expected) - 1, refused_models=unfit,
           answered=sum(caller.answered for caller in callers), longest_reload_s=max(served_at))  # fmt: skip
    assert not wrong, wrong[:5]
    assert set.union(*(caller.versions for caller in callers)) == expected
    assert not sum(caller.refused for caller in callers)
