"""Tries an installed bothends as those meet it who have just installed it: serves, and calls by each protocol.

    trial.py [--fallback] [FLAG…]

FLAGs are `bothends serve`'s. Needs what `pip install bothends[cpu]` brings, and no more. Prints what it found as a JSON
object, so that machines can be compared: among it the SHA-256 of the rows, float32 [sentences, dimension]. Ends with 1
where rows depend on their batch, protocols differ, or, without --fallback, something else than the native parts serves.
"""

import base64
import hashlib
import json
import platform
import re
import subprocess
import sys
import sysconfig
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from typing import Any

import grpc
import numpy as np
from numpy.typing import NDArray

from bothends import Client
from bothends.kserve.v2 import inference_pb2, inference_pb2_grpc
from bothends.tei.v1 import embedding_pb2, embedding_pb2_grpc

SENTENCES = [
    "no",
    "there will be dragons",
    "Ein Café in Łódź — naïve, 東京, 🙂",
    *[f"{number} dragons will be there" + " and there" * (number * number % 17) for number in range(12)],
    "a man plays the guitar " * 20,
]
"""Ragged, and few: an emulated processor reads tens of tokens in a second."""
CALLERS = 8
TIMEOUT_S = 300
"""For a call, and for a start: an emulated processor takes tens of seconds for what takes one."""
Rows = NDArray[np.float32]


class TrialError(Exception):
    """What was installed doesn't do what is promised of it."""


@dataclass(frozen=True, slots=True)
class Served:
    """A server that is ready."""

    banner: str
    target: str
    http: str
    start_s: float

    def line(self, name: str) -> str:
        """Return a line of the banner without its name. Raises TrialError where there is none."""
        found = re.search(rf"^  {name} +(.*)$", self.banner, re.MULTILINE)
        if found is None:
            raise TrialError(f"the banner has no line {name}:\n{self.banner}")
        return found[1]


@contextmanager
def serving(flags: list[str]) -> Iterator[Served]:
    """Start `bothends serve` on free ports, wait until it is ready, and end it. Raises TrialError where that fails."""
    command = [
        str(Path(sysconfig.get_path("scripts")) / "bothends"),
        "serve",
        "--port",
        "0",
        "--http-port",
        "0",
        *flags,
    ]
    began = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield ready(process, began)
        finally:
            process.terminate()
            code = process.wait(TIMEOUT_S)
    if code:
        raise TrialError(f"the server ended with {code}")


def ready(process: subprocess.Popen[str], began: float) -> Served:
    """Read the banner up to its last line. A server that says nothing for TIMEOUT_S is ended."""
    assert process.stdout is not None  # noqa: S101  for mypy: it is a pipe
    banner = ""
    late = Timer(TIMEOUT_S, process.kill)
    late.start()
    try:
        for line in process.stdout:
            banner += line
            if line.startswith("  try "):
                break
    finally:
        late.cancel()
    target, http = re.search(r"gRPC +(\S+)", banner), re.search(r"HTTP +(\S+)", banner)
    if target is None or http is None:
        raise TrialError(f"the server didn't start:\n{banner}")
    return Served(banner, target[1], http[1], time.monotonic() - began)


def check_banner(served: Served) -> None:
    """Raise TrialError where something else than the native engine and transport serves."""
    engine = served.line("engine")
    if not engine.startswith("native/"):
        raise TrialError(f"the native engine doesn't compute:\n{served.banner}")
    if engine.startswith("native/portable") and has_a_level():
        raise TrialError(f"the native engine computes without what this processor can do:\n{served.banner}")
    for port in ("gRPC", "HTTP"):
        if not served.line(port).endswith("by the native transport"):
            raise TrialError(f"the native transport doesn't speak {port}:\n{served.banner}")


def has_a_level() -> bool:
    """Return whether this processor has what a level beside `portable` needs: NEON, or what the kernel says of AVX2."""
    if platform.machine() == "aarch64":
        return True
    flags = re.search(r"^flags\s*:(.*)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    return flags is not None and {"avx2", "f16c", "fma"} <= set(flags[1].split())


def check_batches(client: Client) -> Rows:
    """Return the rows of SENTENCES, each computed alone. Raises TrialError where a batch or a crowd has other bits."""
    alone = np.stack([client.encode([sentence])[0] for sentence in SENTENCES])
    ways = {
        "in one batch": client.encode(SENTENCES),
        "in one batch, backwards": client.encode(SENTENCES[::-1])[::-1],
        "in a stream": np.stack([row for row in client.encode_stream(SENTENCES) if isinstance(row, np.ndarray)]),
    }
    with ThreadPoolExecutor(CALLERS) as callers:
        ways[f"by {CALLERS} callers"] = np.stack(list(callers.map(client.encode, SENTENCES)))
    for way, rows in ways.items():
        if rows.tobytes() != alone.tobytes():
            raise TrialError(f"sentences have other bits {way} than alone")
    return alone


def check_protocols(served: Served, client: Client) -> list[str]:
    """Return the protocols that were called. Raises TrialError where one has another answer than our own client."""
    expected = client.encode(SENTENCES, normalize=True)
    with grpc.insecure_channel(served.target) as channel:
        by: dict[str, Callable[[], Rows]] = {
            "KServe over gRPC": lambda: by_kserve(channel),
            "TEI over gRPC": lambda: by_tei_over_grpc(channel),
            "OpenAI": lambda: by_openai(served.http),
            "TEI": lambda: by_tei(served.http),
            "Ollama": lambda: by_ollama(served.http),
        }
        for protocol, call in by.items():
            if call().tobytes() != expected.tobytes():
                raise TrialError(f"{protocol}: other rows than by bothends' own contract")
    return ["bothends", *by]


def by_kserve(channel: grpc.Channel) -> Rows:
    """Return unit rows by the Open Inference Protocol."""
    asked = inference_pb2.ModelInferRequest(model_name="english")
    asked.parameters["normalize"].bool_param = True
    tensor = asked.inputs.add(name="text", datatype="BYTES", shape=[len(SENTENCES)])
    tensor.contents.bytes_contents.extend(sentence.encode() for sentence in SENTENCES)
    answer = inference_pb2_grpc.GRPCInferenceServiceStub(channel).ModelInfer(asked, timeout=TIMEOUT_S)
    return np.frombuffer(answer.raw_output_contents[0], "<f4").reshape(tuple(answer.outputs[0].shape))


def by_tei_over_grpc(channel: grpc.Channel) -> Rows:
    """Return unit rows by text-embeddings-inference's contract, one a call."""
    embed = embedding_pb2_grpc.EmbedStub(channel).Embed
    asked = [embedding_pb2.EmbedRequest(inputs=sentence, normalize=True) for sentence in SENTENCES]
    return np.array([embed(one, timeout=TIMEOUT_S).embeddings for one in asked], np.float32)


def by_openai(http: str) -> Rows:
    """Return unit rows by OpenAI's API, as its own package asks for them."""
    body = {"model": "english", "input": SENTENCES, "encoding_format": "base64"}
    data = posted(f"{http}/v1/embeddings", body)["data"]
    return np.array([np.frombuffer(base64.b64decode(item["embedding"]), "<f4") for item in data])


def by_tei(http: str) -> Rows:
    """Return unit rows by text-embeddings-inference's API."""
    return np.array(posted(f"{http}/embed", {"inputs": SENTENCES}), np.float32)


def by_ollama(http: str) -> Rows:
    """Return unit rows by Ollama's API."""
    return np.array(posted(f"{http}/api/embed", {"model": "english", "input": SENTENCES})["embeddings"], np.float32)


def posted(url: str, body: dict[str, Any]) -> Any:
    """Return what a server of ours answers."""
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310  our own server
        return json.load(answer)


def main(words: list[str]) -> None:
    """Try what this Python has installed."""
    fallback = "--fallback" in words
    with serving([word for word in words if word != "--fallback"]) as served:
        if not fallback:
            check_banner(served)
        with Client(served.target, timeout_s=TIMEOUT_S) as client:
            rows = check_batches(client)
            protocols = check_protocols(served, client)
    found = {
        "machine": platform.machine(),
        "libc": " ".join(platform.libc_ver()),
        "python": platform.python_version(),
        "engine": served.line("engine"),
        "self_test": served.line("self-test"),
        "start_s": round(served.start_s, 2),
        "protocols": protocols,
        "sentences": len(rows),
        "sha256": hashlib.sha256(rows.tobytes()).hexdigest(),
    }
    sys.stdout.write(f"{json.dumps(found)}\n")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except TrialError as error:
        sys.exit(str(error))
