"""A server's memory while a million sentences go through it, in requests of mixed sizes."""

from collections.abc import Callable
from itertools import cycle
from pathlib import Path

import generator
from loads import Load
from results import Memory
from servers import Server

_BATCHES = (32, 1, 32, 7, 128, 32, 2, 64, 300)
"""Sentences a request, in turn: a third of the time 32, else anything from one to hundreds."""
_CONCURRENCY = 8


def measure_memory(server: Server, bodies: Path, *, total: int, advance: Callable[[float], None]) -> Memory:
    """Measure resident memory every few seconds until `total` sentences were answered; `advance` is called with the
    share done.
    """
    seconds = max(0.2, min(3.0, total / 300_000))
    counts, rss_mb = [0], [server.process.rss_bytes() / 1e6]
    for batch in cycle(_BATCHES):
        if counts[-1] >= total:
            return Memory(counts, rss_mb)
        load = Load(f"{batch} sentences × {_CONCURRENCY}", batch=batch, concurrency=_CONCURRENCY)
        row = generator.measure(server, load, bodies, warmup_s=0, seconds=seconds)
        counts.append(int(server.scrape()["sentence_tokens_count"]))
        rss_mb.append(row.rss_mb)
        advance(counts[-1] / total)
    raise AssertionError("cycle never ends")
