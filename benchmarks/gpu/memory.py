"""The GPU's memory: had by the warm-up, level after it, shared with a model that takes over, refused in one line."""

import math
import time

from checks import Checks, tokens_in

from bothends.core.batch_sizes import BatchSizes, batching
from bothends.engines.cuda import warm_up
from bothends.engines.cuda_driver import memory_used
from bothends.engines.onnxruntime import OnnxRuntimeEngine
from bothends.errors import DeviceError

MB = 1e6
SLACK_MB = 64.0
"""Megabytes that drivers and neighbours may take meanwhile."""


def sizes(checks: Checks) -> BatchSizes:
    """Batches that are warmed here: the model's own, or few tokens on a stand-in."""
    return (
        BatchSizes(64, 100.0, max_tokens=512, at_once=2) if checks.standin else batching(checks.english.config, "cuda")
    )


def used(checks: Checks) -> float:
    """MB in use on the card, as NVML counts; the stand-in counts by itself."""
    if checks.standin:
        import ctypes

        runtime = ctypes.CDLL("libcudart.so.13")
        runtime.fake_live.restype = ctypes.c_size_t
        return float(runtime.fake_live()) / MB
    found = memory_used()
    assert not math.isnan(found), "NVML doesn't answer"
    return found / MB


def warmed(checks: Checks, **more: int) -> OnnxRuntimeEngine:
    """Engine whose largest batches have run."""
    suited = sizes(checks)
    engine = OnnxRuntimeEngine(checks.english, device="cuda", **more)
    warm_up(
        engine,
        max_rows=suited.max_rows,
        max_tokens=suited.max_tokens,
        longest=checks.english.config.max_tokens,
        at_once=suited.at_once or 1,
    )
    return engine


def level(checks: Checks) -> None:
    """Memory after the warm-up stays what it is, over a long mixed run; a second model goes again."""
    before, started = used(checks), time.monotonic()
    gpu = warmed(checks)
    after, took = used(checks), time.monotonic() - started
    checks.check("warm-up", checks.standin or took < 30, f"{took:.1f} s, {after - before:.0f} MB")
    suited, count, most = sizes(checks), 200 if checks.standin else 2000, 0
    for _ in range(count):
        longest = int(checks.random.integers(1, 257 if checks.random.random() < 0.5 else 40))
        rows = int(checks.random.integers(1, max(2, min(suited.max_rows, suited.max_tokens // longest) + 1)))
        batch = [[0] * longest, *([0] * int(checks.random.integers(1, longest + 1)) for _ in range(rows - 1))]
        most = max(most, tokens_in(batch))
        gpu.run(batch)
    slack = 0.0 if checks.standin else SLACK_MB
    grown = used(checks) - after
    checks.check("memory stays", grown <= slack, f"{grown:+.0f} MB over {count} mixed batches of up to {most} tokens")
    second = warmed(checks)
    both = used(checks)
    del second
    left = used(checks)
    said = f"{both - after:+.0f} MB with it, {left - after:+.0f} MB after it"
    checks.check("a second model goes again", left - after <= slack + 1, said)


def bounded(checks: Checks) -> None:
    """A model that may take too little says so at start, and small batches run all the same."""
    try:
        warmed(checks, max_gpu_bytes=40 << 20)
    except DeviceError as error:
        ok = "smaller than requested bytes" in str(error) and "--max-gpu-bytes" in str(error)
        checks.check("too little memory", ok, error)
    else:
        checks.check("too little memory", ok=False, what="it ran all the same")
    small = OnnxRuntimeEngine(checks.english, device="cuda", max_gpu_bytes=512 << 20)
    checks.near("small batches in little memory", small.run(checks.golden), checks.english.golden.embeddings)
