"""What the transport stands on is built from source where it isn't here, or is too old."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="the transport needs Linux")]
cmake = pytest.importorskip("cmake", reason="cmake isn't installed by pip here (make native-check installs it)")
nanobind = pytest.importorskip("nanobind", reason="nanobind isn't installed here (make native-check installs it)")


def test_old_headers_are_as_good_as_none(tmp_path: Path) -> None:
    """nghttp2 1.52, which Debian 12 has, and llhttp 6: both are built, by hash, and the transport stands on them."""
    include = tmp_path / "old" / "include"
    (include / "nghttp2").mkdir(parents=True)
    (include / "nghttp2" / "nghttp2.h").touch()
    (include / "nghttp2" / "nghttp2ver.h").write_text('#define NGHTTP2_VERSION "1.52.0"\n')
    (include / "llhttp.h").write_text("#define LLHTTP_VERSION_MAJOR 6\n")
    build = tmp_path / "build"
    command: list[str | Path] = [
        *(Path(cmake.CMAKE_BIN_DIR) / "cmake", "-S", ROOT / "native", "-B", build),
        f"-DCMAKE_PREFIX_PATH={include.parent}",
        f"-DPython_EXECUTABLE={sys.executable}",
        f"-Dnanobind_DIR={nanobind.cmake_dir()}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ)
    if "can't be had" in done.stdout:
        pytest.skip("neither upstream nor a mirror of the sources can be reached")
    assert "Building nghttp2, llhttp" in done.stdout
    assert "left out" not in done.stdout
    made = {path.name for path in (build / "libraries" / "lib").iterdir()}
    assert made >= {"libnghttp2.a", "libllhttp.a"}
    settings = (build / "CMakeFiles" / "_transport.dir" / "link.txt").read_text()
    assert "libraries/lib/libnghttp2.a" in settings
    assert "libraries/lib/libllhttp.a" in settings
