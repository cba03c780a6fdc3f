"""The interpreter's end, and threads that are in native code when it comes."""

import os
import subprocess
import sys
import threading

import pytest

from bothends.core.native_code import NativeCode
from bothends.engines import native
from bothends.errors import DrainingError
from tests.support.until import TIMEOUT_S

NATIVE = pytest.mark.skipif(not native.is_built(), reason="bothends-native isn't built (make native)")
ENDS_WHILE_A_DAEMON_ENCODES = """
import sys, threading
from bothends import Encoder
encoder = Encoder.load(device="cpu", engine=sys.argv[1])
runs = threading.Semaphore(0)
def encode():
    while True:
        runs.release()
        encoder.encode(["there will be dragons " * 30, "a dog"] * 64)
threading.Thread(target=encode, daemon=True).start()
for _ in range(3):
    runs.acquire()
"""


@pytest.mark.parametrize(
    "engine", ["native" if native.is_built() else "onnxruntime", pytest.param("onnxruntime", marks=pytest.mark.slow)]
)
def test_a_script_ends_well_while_a_daemon_thread_encodes(engine: str) -> None:
    """An abort, exit code 134, is what C++ makes of a thread that is ended inside it."""
    command = [sys.executable, "-c", ENDS_WHILE_A_DAEMON_ENCODES, engine]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT_S)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_shutting_waits_for_those_inside() -> None:
    """Threads that come later end there, and the main thread is told why."""
    section = NativeCode()
    has_entered, goes_on, has_ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        with section:
            has_entered.set()
            assert goes_on.wait(TIMEOUT_S)
        with pytest.raises(SystemExit), section:
            pass
        has_ended.set()

    thread = threading.Thread(target=work)
    thread.start()
    assert has_entered.wait(TIMEOUT_S)
    assert not section.shut(timeout_s=0)
    goes_on.set()
    assert section.shut(timeout_s=TIMEOUT_S)
    assert has_ended.wait(TIMEOUT_S)
    thread.join(TIMEOUT_S)
    with pytest.raises(DrainingError, match="the interpreter is ending"), section:
        pass


FORKED = """
import os, sys, threading
from bothends.core.native_code import native_code
inside, goes_on = threading.Event(), threading.Event()
def work():
    with native_code:
        inside.set()
        goes_on.wait()
threading.Thread(target=work).start()
inside.wait()
if os.fork() == 0:
    os._exit(not native_code.shut(timeout_s=60))
print(os.waitstatus_to_exitcode(os.wait()[1]))
goes_on.set()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
def test_a_forked_process_waits_for_none_of_its_parents_threads() -> None:
    ended = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, text=True, check=True, timeout=60)
    assert ended.stdout == "0\n"
