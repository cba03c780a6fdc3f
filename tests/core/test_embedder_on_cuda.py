"""An embedder on a GPU, on the stand-in: its batches, its two runs at once, its threads, its memory."""

import os
from typing import Any

from tests.support.standin import STANDIN, run

pytestmark = STANDIN

BEGIN = """
import ctypes
from concurrent.futures import ThreadPoolExecutor
from bothends.core.embedder import Embedder
from bothends.core.loaded import LoadedModel
from bothends.engines.onnxruntime import OnnxRuntimeEngine
from bothends.errors import DeviceError
from bothends.model.bundle import Bundle, default_path
from bothends.settings import EmbedderSettings

BUNDLE = Bundle.open(default_path())

def settings(**asked):
    return EmbedderSettings(device="cuda", max_sentences=10_000, **asked)

def counted(name):
    return ctypes.CDLL("libcudart.so.13").fake_counted(name.encode())

def mallocs():
    return ctypes.CDLL("libcudart.so.13").fake_mallocs()

def limit(model):
    return int(model._engine._session.get_provider_options()["CUDAExecutionProvider"]["gpu_mem_limit"])
"""


def said(program: str, **switches: Any) -> list[str]:
    """Lines that `program` prints after what all of them begin with."""
    return run(BEGIN + program, **switches).splitlines()


def test_two_batches_run_at_once() -> None:
    """One computes while the other is padded or copied back."""
    program = """
import threading
entered, both = [], threading.Barrier(2)
whole = OnnxRuntimeEngine.run

def run(self, sentences):
    if len(sentences) == 16:
        entered.append(threading.get_ident())
        both.wait(60)
    return whole(self, sentences)

with Embedder.load(BUNDLE, settings=settings(max_batch_rows=16, max_batch_tokens=256)) as embedder:
    OnnxRuntimeEngine.run = run
    rows = embedder.embed(["there will be dragons"] * 64).rows
print(embedder.workers, len(entered), len(set(entered)) >= 2, rows.shape)
"""
    assert said(program) == ["2 4 True (64, 512)"]


def test_batches_are_as_large_as_the_model_likes() -> None:
    """Batches of the packaged model have up to 65,536 tokens where no setting says otherwise."""
    program = """
widest = []
whole = OnnxRuntimeEngine.run

def run(self, sentences):
    widest.append(len(sentences) * max(map(len, sentences)))
    return whole(self, sentences)

OnnxRuntimeEngine.run = run
engine = OnnxRuntimeEngine(BUNDLE, device="cuda")
try:
    LoadedModel.load(BUNDLE, settings())
except Exception as error:
    print(type(error).__name__)  # a GPU that computes nothing fails the self-test
print(max(widest))
"""
    assert said(program, FAKE_NOMATH=os.devnull) == ["SelfTestError", "65536"]


def test_no_request_waits_for_what_a_thread_needs_at_its_first_run() -> None:
    """Streams, handles and memory are there before the first request, for each thread; after a reload too."""
    program = """
names = ("cudnnCreate", "cudaStreamCreate")
asked = settings(max_batch_rows=16, max_batch_tokens=256)
with Embedder.load(BUNDLE, settings=asked) as embedder, ThreadPoolExecutor(8) as pool:
    for model in (embedder.model, LoadedModel.load(BUNDLE, asked)):
        embedder.serve(model)
        before = [*map(counted, names), mallocs()]
        list(pool.map(lambda size: embedder.embed(["there will be dragons"] * size), [1, 3, 16, 40, 2, 7] * 20))
        print([now - then for now, then in zip([*map(counted, names), mallocs()], before)], min(before) > 0)
"""
    assert said(program) == ["[0, 0, 0] True"] * 2


def test_a_model_takes_its_share_of_what_is_free() -> None:
    """Another version loads beside the one that is served: each takes less than half of what it finds."""
    program = """
with Embedder.load(BUNDLE, settings=settings(max_batch_rows=16, max_batch_tokens=256)) as embedder:
    first = limit(embedder.model)
    second = LoadedModel.load(BUNDLE, settings(max_batch_rows=16, max_batch_tokens=256))
    print(first, 0.3 * (1 << 30) < limit(second) < first)
    embedder.serve(second)
    print(embedder.embed(["there will be dragons"]).rows.shape)
"""
    assert said(program, FAKE_MEMORY=str(1 << 30)) == [f"{int(0.45 * (1 << 30))} True", "(1, 512)"]


def test_the_memory_that_is_asked_for_is_the_max_that_is_taken() -> None:
    """A batch that doesn't fit is an error at start that names what to lower."""
    program = """
print(limit(LoadedModel.load(BUNDLE, settings(max_batch_rows=4, max_batch_tokens=64, max_gpu_bytes=1 << 29))))
try:
    LoadedModel.load(BUNDLE, settings(max_batch_rows=2048, max_gpu_bytes=40 << 20))
except DeviceError as error:
    print(error)
"""
    whole, refused = said(program)
    assert whole == str(1 << 29)
    assert "smaller than requested bytes" in refused
    assert refused.endswith("; lower --max-batch-tokens, or raise --max-gpu-bytes")
