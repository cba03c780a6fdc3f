"""Reads a server process's memory, threads and open files, and its own metrics."""

import re
import subprocess
import urllib.error
import urllib.request
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from tests.support.serving import Running

QUEUE = ("bothends_queue_requests", "bothends_queue_sentences", "bothends_queue_tokens")


@dataclass(frozen=True)
class Vitals:
    """Resources that a process holds."""

    rss_mb: float
    threads: int
    files: int


def thread_names(pid: int) -> Counter[str]:
    """Count a process's threads by name: gRPC's pools name theirs, Python's have the program's."""
    return Counter((task / "comm").read_text().strip() for task in Path(f"/proc/{pid}/task").iterdir())


def vitals(pid: int) -> Vitals:
    """Read a process's resources now."""
    process = Path(f"/proc/{pid}")
    resident = re.search(r"VmRSS:\s+(\d+) kB", (process / "status").read_text())
    assert resident is not None
    return Vitals(int(resident[1]) / 1000, _count(process / "task"), _count(process / "fd"))


def peak_mb(pid: int) -> float:
    """Most memory that a process has had since it began."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1000


def _count(folder: Path) -> int:
    return sum(1 for _ in folder.iterdir())


def scrape(running: Running) -> dict[str, float]:
    """Read a server's metrics; one with labels has their values behind it: `bothends_requests_total Embed OK`."""
    with urllib.request.urlopen(f"{running.http}/metrics", timeout=20) as page:
        families = list(text_string_to_metric_families(page.read().decode()))
    samples = (sample for family in families for sample in family.samples)
    return {" ".join([sample.name, *_labels(sample)]): sample.value for sample in samples}


def _labels(sample: Sample) -> list[str]:
    return [sample.labels[name] for name in sorted(sample.labels, reverse=True)]


def answered(metrics: dict[str, float]) -> dict[str, int]:
    """Embed calls by code, as the server counts them."""
    prefix = "bothends_requests_total Embed "
    return {
        name.removeprefix(prefix): int(value) for name, value in metrics.items() if name.startswith(prefix) and value
    }


def is_at_rest(running: Running) -> bool:
    """Return True if no request waits."""
    metrics = scrape(running)
    return not any(metrics[name] for name in QUEUE)


def cpu_s(process: subprocess.Popen[str]) -> float:
    """Seconds of a processor that a process has taken."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / 100
