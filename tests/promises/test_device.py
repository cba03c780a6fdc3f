"""Promises of a device, held on every device that is here: a CPU always, a GPU where there is one.

`pytest -m gpu` runs the GPU's half alone. On a CPU the same tests show that they themselves work.
"""

import json
import os
import re
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from prometheus_client import generate_latest

from bothends.core.embedder import Embedder
from bothends.engines.arrays import flat, pad
from bothends.engines.onnxruntime import OnnxRuntimeEngine, options_for, provider_for
from bothends.model.bundle import Bundle
from bothends.observe.metrics import Metrics
from bothends.settings import EmbedderSettings
from bothends_export.checkpoint import Checkpoint
from bothends_export.equivalence import verify
from bothends_export.export import export, lift
from tests.support.ran import ran

TOLERANCE = 1e-4
"""Largest error of float32 without TF32, whose ten bits of mantissa are some 1e-3 off."""

DEVICES = [
    "cpu",
    pytest.param(
        "cuda",
        marks=[
            pytest.mark.gpu,
            pytest.mark.skipif(
                "CUDAExecutionProvider" not in onnxruntime.get_available_providers(),
                reason="needs a CUDA device and onnxruntime-gpu in place of onnxruntime",
            ),
        ],
    ),
]


@pytest.fixture(scope="module", params=DEVICES)
def device(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def session(english: Bundle, device: str) -> OnnxRuntimeEngine:
    return OnnxRuntimeEngine(english, device=device)


@pytest.fixture(scope="module")
def sentences(english: Bundle) -> list[list[int]]:
    """Ragged sentences, from one token to the model's maximum, with random ids."""
    random = np.random.default_rng(11)
    lengths = [1, english.config.max_tokens, 2, *random.integers(1, 60, 45)]
    return [random.integers(0, english.config.vocabulary_size, length).tolist() for length in lengths]


@pytest.fixture(scope="module")
@torch.inference_mode()
def expected(english: Bundle, sentences: list[list[int]]) -> NDArray[np.float32]:
    """PyTorch's embedding of each sentence, one at a time, on a CPU."""
    encoder = lift(english).eval()
    rows = [encoder(torch.tensor([ids]), torch.tensor([len(ids)])).embedding.numpy() for ids in sentences]
    return np.concatenate(rows)


def largest(found: NDArray[np.float32], expected: NDArray[np.float32]) -> tuple[float, float]:
    """Largest absolute difference of the forward half and of the backward half."""
    difference, half = np.abs(found - expected), expected.shape[1] // 2
    return float(difference[:, :half].max()), float(difference[:, half:].max())


def test_ragged_batches_are_pytorchs_in_each_half(
    session: OnnxRuntimeEngine, sentences: list[list[int]], expected: NDArray[np.float32]
) -> None:
    """Batches whole, in pairs, and alone: a backward half that began at the padding would be off by tenths."""
    for size in (len(sentences), 2, 1):
        batches = [sentences[start : start + size] for start in range(0, len(sentences), size)]
        forward, backward = largest(np.concatenate([session.run(batch) for batch in batches]), expected)
        assert forward <= TOLERANCE, size
        assert backward <= TOLERANCE, size


@pytest.mark.parametrize("layers", [2, *(pytest.param(layers, marks=pytest.mark.slow) for layers in (1, 3))])
def test_every_length_is_pytorchs(
    device: str,
    make_checkpoint: Callable[..., tuple[Path, Checkpoint]],
    tmp_path: Path,
    layers: int,
) -> None:
    """Every length alone and ragged batches, with random ids in the padding, are right at each depth; h_n too."""
    checkpoint = make_checkpoint(layers=layers)[1]
    bundle = export(checkpoint, tmp_path / "bundle")
    assert (
        verify(
            bundle, checkpoint.encoder, engine=OnnxRuntimeEngine(bundle, device=device), tolerance=TOLERANCE
        ).breaches()
        == []
    )


def test_alone_is_batched(session: OnnxRuntimeEngine, sentences: list[list[int]]) -> None:
    """Rows are equal, on a GPU within the tolerance: another batch's matrix products may be cut up in another way."""
    alone = np.concatenate([session.run([ids]) for ids in sentences])
    assert max(largest(session.run(sentences), alone)) <= (0 if session.device == "cpu" else TOLERANCE)


def test_threads_do_not_mix(session: OnnxRuntimeEngine, sentences: list[list[int]]) -> None:
    """Runs at once, each of another batch, give each thread its own rows."""
    batches = [sentences[start::4] for start in range(4)]
    alone = [session.run(batch) for batch in batches]
    gate = threading.Barrier(4)

    def run(batch: Sequence[list[int]]) -> list[NDArray[np.float32]]:
        gate.wait()
        return [session.run(batch) for _ in range(5)]

    with ThreadPoolExecutor(4) as pool:
        for rounds, rows in zip(pool.map(run, batches), alone, strict=True):
            assert max(max(largest(found, rows)) for found in rounds) <= TOLERANCE


def test_every_node_runs_on_the_device(english: Bundle, device: str, tmp_path: Path) -> None:
    """A profile of onnxruntime's has no node on another device and, of this encoder, no copy between devices."""
    options = options_for(device)
    options.enable_profiling = True
    options.profile_file_prefix = str(tmp_path / "profile")
    provider = provider_for(device)
    session = onnxruntime.InferenceSession(english.model, options, providers=[provider], enable_fallback=0)
    token_ids, lengths = pad(*flat([[1, 2, 3], [4]]))
    session.run(["embedding"], {"token_ids": token_ids, "lengths": lengths})
    events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    placed = {(event["args"]["op_name"], event["args"]["provider"]) for event in events if "provider" in event["args"]}
    assert {op for op, _ in placed} >= {"Gather", "LSTM", "Reshape"}
    assert not any(op.startswith("Memcpy") for op, _ in placed)
    assert {name for _, name in placed} == {provider[0]}


def test_a_server_of_this_device_answers(english: Bundle, device: str) -> None:
    """Warm-up, golden self-test and wide batches work: the whole path, with more sentences than one batch takes."""
    with Embedder.load(english, settings=EmbedderSettings(device=device, max_batch_tokens=2048)) as embedder:
        assert embedder.model.device == device
        found = embedder.embed(english.golden.sentences * 30).rows
    assert max(largest(found, np.tile(english.golden.embeddings, (30, 1)))) <= TOLERANCE


def test_a_gpu_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """A server asked for cuda with no device in sight ends with one line, and starts on no other device."""
    command = ["serve", "--device", "cuda", "--port", "0", "--http-port", "0"]
    hidden = os.environ | {"CUDA_VISIBLE_DEVICES": "-1"}
    answer = ran(Path(sys.executable).parent / "bothends", *command, env=hidden, cwd=tmp_path, timeout=60)
    assert answer.returncode == 1
    assert "Error: device cuda" in answer.stderr
    assert "self-test" not in answer.stdout


@pytest.mark.gpu
@pytest.mark.skipif("CUDAExecutionProvider" not in onnxruntime.get_available_providers(), reason="needs a CUDA device")
def test_the_gpus_memory_is_a_metric(english: Bundle) -> None:
    metrics = Metrics()
    settings = EmbedderSettings(device="cuda", max_batch_tokens=2048)
    with Embedder.load(english, settings=settings, metrics=metrics) as embedder:
        embedder.embed(["there will be dragons"])
        (line,) = re.findall(r"^bothends_device_memory_bytes (\S+)", generate_latest(metrics.registry).decode(), re.M)
    assert float(line) > 1e8
