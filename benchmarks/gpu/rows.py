"""Rows of the GPU beside PyTorch's and a CPU's: every length, any order, any shape, nothing of the padding, no TF32."""

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from checks import CLOSE, VOCABULARY, Checks
from numpy.typing import NDArray

from bothends.engines import cuda
from bothends.engines.arrays import flat, pad
from bothends.engines.onnxruntime import OnnxRuntimeEngine, options_for, provider_for


def profiled(
    model: bytes, feeds: dict[str, NDArray[Any]], shape: tuple[int, ...]
) -> tuple[onnxruntime.InferenceSession, NDArray[np.float32], list[tuple[str, str]]]:
    """Run `model` on the GPU, bound: its session, its rows of `shape`, and each node's operator and provider."""
    with tempfile.TemporaryDirectory() as folder:
        options = options_for("cuda")
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder, "profile"))
        providers = [provider_for("cuda")]
        session = onnxruntime.InferenceSession(model, options, providers=providers, enable_fallback=0)
        (rows,) = cuda.run_bound(session, feeds, {"embedding": shape})
        events = json.loads(Path(session.end_profiling()).read_text())
    nodes = [(event["args"]["op_name"], event["args"]["provider"]) for event in events if "provider" in event["args"]]
    return session, rows, nodes


def copies(nodes: list[tuple[str, str]]) -> list[str]:
    """Operators among `nodes` that copy between devices, which onnxruntime adds by itself."""
    return [operator for operator, _ in nodes if operator.startswith("Memcpy")]


def placement(checks: Checks) -> None:
    """Each node on CUDA, no copy between devices, and the options that were asked for."""
    cuda.prepare()
    token_ids, lengths = pad(*flat(checks.sentences(8)))
    session, _, nodes = profiled(checks.english.model, {"token_ids": token_ids, "lengths": lengths}, (8, 512))
    ok = {provider for _, provider in nodes} == {cuda.PROVIDER} and not copies(nodes)
    checks.check("every node on CUDA", ok, " ".join(operator for operator, _ in nodes))
    set_to = session.get_provider_options()[cuda.PROVIDER]
    shown = {name: set_to[name] for name in ("use_tf32", "arena_extend_strategy", "gpu_mem_limit")}
    checks.check("options", shown["use_tf32"] == "0", shown)


def equal(checks: Checks) -> None:
    """Golden sentences are PyTorch's; every length alone and in ragged batches is a CPU's, which is proved equal. What
    plays a GPU on a CPU would take half a minute for the longest, and reads them as it reads others.
    """
    gpu, cpu = (OnnxRuntimeEngine(checks.english, device=device) for device in ("cuda", "cpu"))
    checks.near("golden sentences, PyTorch's", gpu.run(checks.golden), checks.english.golden.embeddings)
    longest = 64 if checks.standin else 256
    every = [checks.random.integers(0, VOCABULARY, length).tolist() for length in range(1, longest + 1)]
    wanted = cpu.run(every)
    checks.near("every length alone", np.concatenate([gpu.run([ids]) for ids in every]), wanted)
    orders = {
        "longest first": np.arange(longest)[::-1],
        "shortest first": np.arange(longest),
        "shuffled": checks.random.permutation(longest),
    }
    for name, order in orders.items():
        checks.near(f"every length in one batch, {name}", gpu.run([every[index] for index in order]), wanted[order])
    token_ids, lengths = pad(*flat(every))
    for row, length in zip(token_ids, lengths, strict=True):
        row[length:] = checks.random.integers(0, VOCABULARY, longest - length)
    embedding, h_n = gpu.states(token_ids, lengths)
    checks.near("random ids in the padding", embedding, wanted)
    joined = np.concatenate([h_n[0], h_n[1]], axis=1)
    checks.check("h_n's ends are the embedding", np.array_equal(joined, embedding), "to the bit")


def any_shape(checks: Checks) -> None:
    """Batches of any shape in any order: there was a cuDNN of which some orders failed (tensorflow#41630)."""
    gpu, cpu = (OnnxRuntimeEngine(checks.english, device=device) for device in ("cuda", "cpu"))
    longest_of_all, tokens, count = (40, 200, 40) if checks.standin else (256, 4096, 400)
    worst = 0.0
    for _ in range(count):
        longest = int(checks.random.integers(1, longest_of_all + 1))
        rows = int(checks.random.integers(1, max(2, tokens // longest)))
        batch = [*checks.sentences(rows - 1, 1, longest), *checks.sentences(1, longest, longest)]
        order = checks.random.permutation(rows)
        batch = [batch[index] for index in order]
        worst = max(worst, float(np.abs(gpu.run(batch) - cpu.run(batch)).max()))
    checks.check("shapes in any order", worst <= CLOSE, f"{count} batches, {worst:.1e}")


def tf32(checks: Checks) -> None:
    """Golden sentences with TF32 are further off than the self-test lets pass. (A Turing has none.)"""
    rounded = OnnxRuntimeEngine(checks.english, device="cuda")
    off = _off(checks, rounded)
    cuda.PROVIDER_OPTIONS["use_tf32"] = "1"
    try:
        with_tf32 = _off(checks, OnnxRuntimeEngine(checks.english, device="cuda"))
    finally:
        cuda.PROVIDER_OPTIONS["use_tf32"] = "0"
    ok = off <= CLOSE and with_tf32 > cuda.TOLERANCE
    checks.check("TF32 is off, and would show", ok, f"{off:.1e} without, {with_tf32:.1e} with use_tf32=1")


def _off(checks: Checks, engine: OnnxRuntimeEngine) -> float:
    return float(np.abs(engine.run(checks.golden) - checks.english.golden.embeddings).max())
