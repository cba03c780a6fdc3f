"""The command itself on a GPU: starts, answers as PyTorch does, shows the memory, stops; says what is missing."""

import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
import warnings
from concurrent.futures import ThreadPoolExecutor

from checks import Checks

from bothends import Client, TruncationWarning

SERVE = [sys.executable, "-m", "bothends", "serve", "--device", "cuda", "--port", "0", "--http-port", "0"]
warnings.simplefilter("ignore", TruncationWarning)  # of the golden sentences, some are longer than the model reads
LOADS = ((1, 1), (32, 1), (16, 64), (4, 512))
"""Callers and sentences a request."""


def _started(server: subprocess.Popen[str]) -> tuple[str, str]:
    """Addresses of gRPC and HTTP in the banner."""
    assert server.stdout is not None
    banner = ""
    for line in server.stdout:
        banner += line
        if line.startswith("  try"):
            break
    grpc, http = re.search(r"gRPC +(\S+)", banner), re.search(r"(https?://\S+)", banner)
    assert grpc is not None, banner
    assert http is not None, banner
    return grpc[1], http[1]


def _load(checks: Checks, client: Client) -> None:
    texts = list(checks.english.golden.sentences)
    rates = {}
    for callers, size in LOADS:
        batch = (texts * (size // len(texts) + 1))[:size]
        count = callers if checks.standin else max(callers, 4000 // size)
        with ThreadPoolExecutor(callers) as pool:
            started = time.perf_counter()
            list(pool.map(lambda _, batch=batch: client.encode(batch), range(count)))
            rates[f"{callers} × {size}"] = round(count * size / (time.perf_counter() - started))
    checks.check("answers under load", ok=True, what=f"sentences/s by callers × sentences: {rates}")


def served(checks: Checks) -> None:
    """A server, from its first line to its exit code."""
    few = ["--max-batch-tokens", "256"] if checks.standin else []
    started = time.monotonic()
    with tempfile.TemporaryFile("w+") as log:
        server = subprocess.Popen([*SERVE, *few], stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            grpc, http = _started(server)
            checks.check("serves", ok=True, what=f"after {time.monotonic() - started:.1f} s")
            with Client(grpc) as client:
                rows = client.encode(list(checks.english.golden.sentences))
                checks.near("answers over gRPC", rows, checks.english.golden.embeddings)
                _load(checks, client)
            page = urllib.request.urlopen(f"{http}/metrics", timeout=30).read().decode()  # noqa: S310
            line = re.search(r"^bothends_device_memory_bytes (\S+)", page, re.MULTILINE)
            checks.check("memory is a metric", line is not None and float(line[1]) > 1e8, line and line[0])
        finally:
            server.terminate()
            code = server.wait(60)
            log.seek(0)
            checks.check("stops", code == 0, "exit code 0" if code == 0 else f"exit code {code}: {log.read()[-500:]}")


def refused(checks: Checks) -> None:
    """The command ends, with no device in sight, with a line that says so."""
    hidden = {"FAKE_INIT": "100"} if checks.standin else {"CUDA_VISIBLE_DEVICES": "-1"}
    answer = subprocess.run(SERVE, env=os.environ | hidden, capture_output=True, text=True, check=False, timeout=120)
    last = (answer.stderr.strip().splitlines() or [""])[-1]
    checks.check("no device in sight", answer.returncode == 1 and "no CUDA-capable device" in last, last)
