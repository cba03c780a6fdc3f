"""The time, the CPU time and the memory from a server's process start to its first embedding.

python benchmarks/startup.py [RUNS]
"""

import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

from bothends import Client

BOTHENDS = Path(sys.executable).parent / "bothends"


def measure() -> tuple[float, float, float]:
    """Return the seconds to the first embedding, its CPU-seconds until then, and resident megabytes after it."""
    started = time.perf_counter()
    with subprocess.Popen(
        [BOTHENDS, "serve", "--port", "0", "--http-port", "0"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        target = next(found[1] for line in process.stdout if (found := re.search(r"gRPC +(\S+)", line)))
        with Client(target) as client:
            client.encode(["there will be dragons"])
        seconds = time.perf_counter() - started
        cpu_s = _cpu_s(process.pid)
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
        resident = re.search(r"VmRSS:\s+(\d+)", status)
        process.terminate()
        process.communicate()
    assert resident is not None
    return seconds, cpu_s, int(resident[1]) / 1000


def _cpu_s(pid: int) -> float:
    """Return CPU-seconds, user and system, of all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Print the median and the range of each over some runs."""
    runs = [measure() for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 5)]
    names, units = ("first embedding", "CPU", "resident"), ("s", "s", "MB")
    for name, unit, values in zip(names, units, zip(*runs, strict=True), strict=True):
        low, middle, high = min(values), statistics.median(values), max(values)
        print(f"{name:<16}{middle:.2f} {unit} (median of {len(values)}; {low:.2f} to {high:.2f})")


if __name__ == "__main__":
    main()
