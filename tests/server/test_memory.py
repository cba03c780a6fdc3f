"""Memory of a server's process: how many heaps it has, as glibc's malloc_info(3) tells."""

import os
import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has arenas")
SERVE = """
import ctypes, tempfile, threading
from pathlib import Path
from bothends.server.server import Server
from bothends.settings import Settings

THREADS = 6
library = ctypes.CDLL(None)
library.fopen.restype = ctypes.c_void_p
library.fclose.argtypes = [ctypes.c_void_p]
library.malloc_info.argtypes = [ctypes.c_int, ctypes.c_void_p]

def arenas():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "told"
        file = library.fopen(str(path).encode(), b"w")
        library.malloc_info(0, file)
        library.fclose(file)
        return path.read_text().count("<heap nr=")

def allocate(together):
    held = bytes(100_000)  # by malloc, not by Python's own allocator
    together.wait()

print(arenas())
server = Server(Settings.load({"port": "0", "http_port": "0"}, {}), lame_duck_s=0)
server.start()
together = threading.Barrier(THREADS + 1)
threads = [threading.Thread(target=allocate, args=[together]) for _ in range(THREADS)]
for thread in threads:
    thread.start()
together.wait()
print(arenas())
server.stop()
"""


def test_threads_of_a_server_share_one_heap() -> None:
    before, after = _arenas({})
    assert after == before


def _arenas(environment: dict[str, str]) -> list[int]:
    """Return how many heaps a process has before it makes a server, and while six more threads of it allocate."""
    inherited = {
        name: value for name, value in os.environ.items() if name not in ("MALLOC_ARENA_MAX", "GLIBC_TUNABLES")
    }
    command = [sys.executable, "-c", SERVE]
    done = subprocess.run(command, env=inherited | environment, stdout=subprocess.PIPE, text=True, check=True)
    return [int(count) for count in done.stdout.split()]
