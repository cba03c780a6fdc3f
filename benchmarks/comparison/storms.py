"""More than a server can do, offered to it: what it answers, how it refuses, and how soon it is itself again."""

import statistics
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import click
import grpc

import generator
from bothends.v1 import embedding_pb2
from ceiling import CORES
from generator import Run
from loads import Load
from servers import Server

from .loads import MAX_LOAD_CORES
from .results import Storm

_RESOURCE_EXHAUSTED = "8"
_USUAL, _NORMAL, _RATIO = 20, 5, 2.0
"""Calls whose median is a usual call's time; so many in a row with a median below `_RATIO` times that are normal."""
_WITHIN_S = 5.0
"""Seconds after which nobody waits for a normal call any more."""


class Probe:
    """One polite caller on a connection of its own. Use it in `with`."""

    def __init__(self, port: int, text: str) -> None:
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        self._embed = self._channel.unary_unary("/bothends.v1.EmbeddingService/Embed")
        self._request = embedding_pb2.EmbedRequest(sentences=[text]).SerializeToString()
        self.recovery_s = _WITHIN_S

    def __enter__(self) -> Self:
        self._usual_s = statistics.median(self._call() for _ in range(_USUAL))
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()

    def recover(self) -> None:
        """Call until a call takes as long as before, and keep the seconds that went by."""
        began, last = time.monotonic(), deque[tuple[float, float]](maxlen=_NORMAL)
        while (now := time.monotonic() - began) < _WITHIN_S:
            last.append((now, self._call()))
            if len(last) == _NORMAL and statistics.median(took for _, took in last) <= _RATIO * self._usual_s:
                self.recovery_s = last[0][0]
                return

    def _call(self) -> float:
        """Return the seconds that a call took; no end of them where it was refused."""
        started = time.monotonic()
        try:
            self._embed(self._request, timeout=_WITHIN_S)
        except grpc.RpcError:
            return float("inf")
        return time.monotonic() - started


class Weather:
    """Storms on one server, each beside the peak that it had just before."""

    def __init__(self, server: Server, bodies: Path, text: str, *, warmup_s: float, seconds: float) -> None:
        self._server, self._bodies, self._text = server, bodies, text
        self._warmup_s, self._seconds = warmup_s, seconds
        self._max_per_s = float("inf")

    def measure(self, peak: Load, storms: Sequence[Load]) -> list[Storm]:
        """Measure the peak, then each storm, the lighter ones first. Raises ClickException if nothing is answered."""
        at_peak, self._max_per_s = self._run(peak), float("inf")
        if not at_peak.found["sentences"]:
            raise click.ClickException(f"nothing was answered at {peak.name}; statuses {at_peak.found['statuses']}")
        return [self._storm(storm, at_peak) for storm in storms]

    def _storm(self, storm: Load, at_peak: Run) -> Storm:
        load = storm.of(at_peak.found["sentences_per_s"] / storm.batch)
        assert load.rate is not None
        load = load.at(min(load.rate, self._max_per_s))
        with Probe(self._server.port, self._text) as probe:
            ran = self._run(load, probe)
        found, peak_per_s = ran.found, at_peak.found["sentences_per_s"]
        self._max_per_s = MAX_LOAD_CORES * found["requests"] / max(found["cpu_s"], 1e-3)
        goodput_per_s = found["ok_within_deadline"] * load.batch / found["seconds"]
        return Storm(
            self._server.name,
            load.name,
            peak_per_s=peak_per_s,
            offered_per_s=found["requests"] * load.batch / found["seconds"],
            goodput_per_s=goodput_per_s,
            of_peak=goodput_per_s / peak_per_s,
            of_peak_by_cpu=goodput_per_s / peak_per_s * (CORES - at_peak.load_cores) / (CORES - ran.load_cores),
            load_cores=ran.load_cores,
            p99_ms=found["latency_ms"]["p99"],
            refused_p99_ms=found["refused_latency_ms"]["p99"],
            recovery_s=probe.recovery_s,
            calls={
                "offered": found["requests"],
                "answered": found["ok"],
                "expired": found["expired"],
                "told_when": found["retry_infos"].get(_RESOURCE_EXHAUSTED, 0),
            },
            statuses=found["statuses"],
        )

    def _run(self, load: Load, probe: Probe | None = None) -> Run:
        return generator.run(
            self._server,
            load,
            self._bodies,
            warmup_s=self._warmup_s,
            seconds=self._seconds,
            when_over=probe and probe.recover,
        )
