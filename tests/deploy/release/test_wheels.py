"""The wheel that `make wheels` has made for this Python and processor, in a process with other TLS libraries in it.

Python's ssl, cryptography (both OpenSSL) and grpcio (BoringSSL) bring their own. Here the system's are loaded for all
to see, too, as they are where a program links them. Each must go on with its own.
"""

import os
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.tags import sys_tags
from packaging.utils import parse_wheel_filename

from tests.support.paths import ROOT
from tests.support.ran import ran

WHEELS = ROOT / "dist" / "wheels"
RUN = """
import ctypes, re, sys
from pathlib import Path

for name in ("libcrypto.so.3", "libssl.so.3", "libz.so.1", "libnghttp2.so.14"):
    try:
        ctypes.CDLL(name, ctypes.RTLD_GLOBAL)
    except OSError:
        pass  # this system has none

import bothends_native.transport
import pytest

assert bothends_native.transport.__file__.startswith(sys.argv[1]), bothends_native.transport.__file__
before = {line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if ".so" in line}
assert not [path for path in before if re.search("llhttp|yyjson", path)], before
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", *sys.argv[2:]]))
"""
TLS = ["tests/server/test_tls.py", "tests/native/transport/test_tls.py"]
ERRORS = ["tests/native/engine/test_arrays.py"]
"""What is wrong in every way: a module's exceptions are Python's also where another module was loaded before it."""
TIMEOUT_S = 600


@pytest.fixture
def unpacked(tmp_path: Path) -> Path:
    """A folder with the wheel's modules in it."""
    tags = set(sys_tags())
    for wheel in sorted(WHEELS.glob("bothends_native-*.whl")):
        if tags & parse_wheel_filename(wheel.name)[3]:
            zipfile.ZipFile(wheel).extractall(tmp_path)
            return tmp_path
    pytest.skip("dist/wheels has no wheel for this machine; `make wheels` makes it")


def test_tls_by_it_and_by_others_in_one_process(unpacked: Path) -> None:
    """Its server answers callers by Python's OpenSSL and by BoringSSL in its own process."""
    path = os.pathsep.join(filter(None, [str(unpacked), str(ROOT), os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-c", RUN, str(unpacked), *TLS, *ERRORS]
    done = ran(*command, cwd=ROOT, env=os.environ | {"PYTHONPATH": path}, timeout=TIMEOUT_S)
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_computes_by_what_the_processor_has(unpacked: Path) -> None:
    """Like the engine that a compiler of this machine has built, which another compiler's runtime may tell less."""
    built = pytest.importorskip("bothends_native.engine", reason="it isn't built here", exc_type=ImportError)
    done = ran(
        sys.executable,
        "-c",
        "from bothends_native import engine as e; print(e.__file__, *e.levels())",
        env=os.environ | {"PYTHONPATH": str(unpacked)},
        check=True,
        timeout=TIMEOUT_S,
    )
    where, *levels = done.stdout.split()
    assert Path(where).is_relative_to(unpacked)
    assert levels == built.levels()
