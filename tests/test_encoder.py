"""`bothends.Encoder`: the answers that a server of the same model would give, without one."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bothends import Client, Encoder, RequestError, SentenceError, SettingsError, TruncationWarning
from bothends.chunks import WINDOW
from bothends.engines.onnxruntime import OnnxRuntimeEngine
from bothends.errors import EngineError
from bothends.model.bundle import Bundle
from tests.support.garbage import left_in_circles
from tests.support.ran import ran
from tests.support.until import TIMEOUT_S
from tests.support.without import without

OPTIONS: list[dict[str, Any]] = [
    {},
    {"normalize": True},
    {"dimensions": 64},
    {"truncation": "end", "normalize": True, "dimensions": 128},
    {"encoding": "float16"},
    {"encoding": "int8"},
    {"encoding": "sign_bits", "dimensions": 256},
]
SENTENCES = ["there will be dragons", "a", "word " * 300, "Ünïcödé — 漢字 🐉", "dragons will be there " * 9]


@pytest.fixture(scope="module")
def loaded() -> Iterator[Encoder]:
    """The packaged model."""
    with Encoder.load(device="cpu", workers=2) as encoder:
        yield encoder


@pytest.fixture(scope="module")
def toy(toy_bundle: Bundle) -> Iterator[Encoder]:
    """A small model, for many sentences."""
    with Encoder.load(toy_bundle.path, device="cpu") as encoder:
        yield encoder


def test_shapes_are_sentence_transformers(loaded: Encoder) -> None:
    """One string is a row, a list is rows; any sequence of strings will do."""
    one = loaded.encode("there will be dragons")
    assert (one.shape, one.dtype) == ((512,), np.dtype(np.float32))
    assert loaded.encode(["there will be dragons"]).tobytes() == one.tobytes()
    assert loaded.encode(np.array(["there will be dragons", "a"])).shape == (2, 512)  # type: ignore[arg-type]
    assert (loaded.dimension, loaded.nested_dimensions, loaded.name) == (512, (64, 128, 256), "english")


@pytest.mark.parametrize("asked", OPTIONS, ids=str)
def test_it_is_the_very_same_as_over_the_wire(loaded: Encoder, client: Client, asked: dict[str, Any]) -> None:
    """Rows are the same bit for bit, with the same counts, marks of cut sentences, scales and version."""
    mine, theirs = loaded.embed(SENTENCES, **asked), client.embed(SENTENCES, **asked)
    assert mine.rows.dtype == theirs.rows.dtype
    assert mine.rows.tobytes() == theirs.rows.tobytes()
    assert (mine.token_counts, mine.truncated) == (theirs.token_counts, theirs.truncated)
    assert mine.model_version == theirs.model_version == loaded.version
    assert (mine.scales is None) == (theirs.scales is None)
    assert mine.scales is None or mine.scales.tobytes() == theirs.scales.tobytes()  # type: ignore[union-attr]


def test_it_knows_sentence_transformers_words(loaded: Encoder) -> None:
    """The same words as at `Client.encode`, which test_options holds."""
    expected = loaded.encode(SENTENCES[:2], normalize=True, dimensions=64)
    found = loaded.encode(
        SENTENCES[:2], normalize_embeddings=True, truncate_dim=64, batch_size=1, convert_to_numpy=True
    )
    assert found.tobytes() == expected.tobytes()
    with pytest.raises(TypeError, match="no model here knows prompts"):
        loaded.encode(SENTENCES, prompt="query: ")  # type: ignore[arg-type]
    pytest.importorskip("torch", reason="PyTorch isn't installed (make test-full)")
    for given in (SENTENCES[:2], SENTENCES[0], []):
        made: Any = loaded.encode(given, convert_to_tensor=True)
        assert made.numpy().tobytes() == loaded.encode(given).tobytes()


def test_any_number_in_order(toy: Encoder) -> None:
    """Each row is that of its sentence alone, for more than a window of many lengths."""
    sentences = ["dragons " * (1 + 7 * index % 30) + str(index) for index in range(2 * WINDOW + 5)]
    rows = toy.encode(sentences)
    assert rows.shape == (len(sentences), toy.dimension)
    for index in (0, 1, 4095, 4096, 8191, 8192, 8196):
        assert rows[index].tobytes() == toy.encode(sentences[index]).tobytes()


def test_threads_share_one(toy: Encoder) -> None:
    lists = [[f"dragons number {number} of {of}" for number in range(700)] for of in range(8)]
    expected = [toy.encode(some) for some in lists]
    with ThreadPoolExecutor(8) as pool:
        for found, right in zip(pool.map(toy.encode, lists), expected, strict=True):
            assert found.tobytes() == right.tobytes()


def test_a_cut_sentence_warns(loaded: Encoder) -> None:
    with pytest.warns(TruncationWarning, match=r"1 of 2 sentences") as caught:
        loaded.encode(["fine", "word " * 300])
    assert caught[0].filename == __file__


BAD: list[tuple[list[str], dict[str, Any]]] = [
    ([], {"dimensions": 100}),
    (["fine", " ", ""], {}),
    (["fine"] * 9 + ["\x00"], {}),
    (["fine", "half a \ud83d pair"], {}),
    (["fine", "word " * 300], {"truncation": "error"}),
    (["fine"], {"truncation": "middle"}),
    (["fine"], {"encoding": "float64"}),
    (["fine"], {"dimensions": 100}),
    (["fine"], {"dimensions": -1}),
]


@pytest.mark.parametrize(("sentences", "asked"), BAD, ids=lambda value: ascii(value)[:40])
def test_mistakes_raise_what_a_client_of_a_server_raises(
    loaded: Encoder, client: Client, sentences: list[str], asked: dict[str, Any]
) -> None:
    """The same error of the same words, about the same sentence."""
    with pytest.raises(RequestError) as mine:
        loaded.encode(sentences, **asked)
    with pytest.raises(RequestError) as theirs:
        client.encode(sentences, **asked)
    assert (type(mine.value), str(mine.value)) == (type(theirs.value), str(theirs.value))


def test_an_index_counts_in_the_callers_list(toy: Encoder) -> None:
    """An index counts beyond the first window too; the first bad sentence of a window is the one that is named."""
    sentences = ["dragons " * (1 + index % 9) for index in range(5000)]
    sentences[4999] = sentences[4500] = " "
    with pytest.raises(SentenceError) as raised:
        toy.encode(sentences)
    assert raised.value.index == 4500


def test_only_the_unreadable_are_left_out(toy: Encoder) -> None:
    errors: list[SentenceError] = []
    found = toy.embed_readable(["a man", "", "dragons", "\ud800"], errors.append)
    assert [(error.index, error.reason) for error in errors] == [
        (1, "is empty; a sentence needs at least one word"),
        (3, "is no valid Unicode: surrogates not allowed at character 0"),
    ]
    assert found.rows.tobytes() == toy.encode(["a man", "dragons"]).tobytes()
    assert toy.embed_readable([""], errors.append).rows.shape == (0, toy.dimension)


def test_a_failed_run_leaves_nothing_to_the_garbage_collector(
    toy_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error holds the frames that it passed, which must not hold the future that holds the error."""

    def run(*_: object) -> None:
        raise RuntimeError("a test")

    def fail() -> None:
        with suppress(EngineError):
            broken.encode("there will be dragons")

    with Encoder.load(toy_bundle.path, device="cpu", engine="onnxruntime") as broken:
        monkeypatch.setattr(OnnxRuntimeEngine, "run", run)
        assert left_in_circles(fail, Future) == []


FORKED = """
import os, sys
from bothends import Encoder
encoder = Encoder.load(device="cpu", workers=1)
encoder.encode("before")
if os.fork() == 0:
    try:
        encoder.encode("after")
    except RuntimeError as error:
        print(error)
    encoder.close()
    print(Encoder.load(device="cpu", workers=1).encode("after").shape, flush=True)
    os._exit(0)
os.wait()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
def test_a_forked_process_is_told_to_load_its_own() -> None:
    """The parent's threads aren't there, so a call would wait for ever; an encoder of its own answers."""
    ended = ran(sys.executable, "-c", FORKED, check=True, timeout=TIMEOUT_S)
    told, shape = ended.stdout.splitlines()
    assert told.startswith("this Encoder was loaded before the process forked")
    assert shape == "(512,)"


@pytest.mark.parametrize(
    ("wrong", "message"), [("text", "not one string"), (["a", None], r"sentences\[1\] is of type None")]
)
def test_what_are_no_sentences_is_a_type_error(toy: Encoder, wrong: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        toy.embed(wrong)


def test_settings_that_cant_be_are_named() -> None:
    with pytest.raises(SettingsError, match="workers 0"):
        Encoder.load(workers=0)
    with pytest.raises(SettingsError, match="device tpu"):
        Encoder.load(device="tpu")


def test_a_folder_of_versions_gives_the_newest(root: Path) -> None:
    with Encoder.load(root, device="cpu") as encoder:
        assert encoder.version == "1.0"


CLIENT = """
import json
import bothends
from bothends import *
bothends.Client("127.0.0.1:1").close()
loaded = [name for name in ("onnxruntime", "tokenizers", "pydantic") if name in sys.modules]
said = []
for ask in ("bothends.Encoder", "__import__('bothends', fromlist=['Encoder']).Encoder", "bothends.Nothing"):
    try:
        eval(ask)
    except Exception as error:
        said.append([type(error).__name__, str(error)])
print(json.dumps([loaded, said]))
"""


def test_the_client_alone_needs_no_onnxruntime() -> None:
    """The package is imported without it; asking for more says what to install."""
    code = without("onnxruntime", "pydantic", "tokenizers", then=CLIENT)
    loaded, said = json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
    assert loaded == []
    needs = ["ImportError", "bothends.Encoder needs pydantic: pip install 'bothends[cpu]'"]
    assert said == [needs, needs, ["AttributeError", "module 'bothends' has no attribute 'Nothing'"]]
