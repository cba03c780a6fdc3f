"""What a wheel of the native parts must hold before it is in dist/wheels, or published."""

import shutil
import subprocess
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.support.paths import ROOT
from tests.support.released import run

pytest.importorskip("elftools")
HIDDEN = f"-Wl,--version-script={ROOT / 'native' / 'exports.map'}"
SOURCE = "void PyInit__engine(void) {} void SSL_new(void) {}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for wheels."""
    (tmp_path / "wheels").mkdir()
    return tmp_path / "wheels"


def make(folder: Path, tag: str, *options: str, more: str = "") -> Path:
    """Make a wheel of one module, compiled with these options, and of one further file."""
    if (compiler := shutil.which("cc")) is None:
        pytest.skip("there is no C compiler")
    module = folder.parent / "module.so"
    command = [compiler, "-shared", "-fPIC", "-x", "c", "-", "-o", module, *options]
    subprocess.run(command, input=SOURCE, text=True, check=True)
    path = folder / f"bothends_native-1.2.3-cp311-cp311-{tag}.whl"
    with ZipFile(path, "w") as wheel:
        wheel.write(module, "bothends_native/_engine.cpython-311-x86_64-linux-gnu.so")
        wheel.writestr(f"bothends_native/__init__.py{more}", "")
    return path


def test_modules_that_show_one_function_pass(folder: Path) -> None:
    """Also those of GCC, which need the system's C++ library, as in manylinux's images."""
    make(folder, "manylinux_2_26_x86_64", HIDDEN)
    make(folder, "manylinux_2_28_aarch64", HIDDEN, "-Wl,--no-as-needed", "-l:libstdc++.so.6")
    done = run("wheels.py", folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 2
    make(folder, "manylinux_2_26_x86_64", HIDDEN, more=".orig")
    assert "has other files than" in run("wheels.py", folder).stderr


@pytest.mark.parametrize(
    ("tag", "options", "said"),
    [
        ("manylinux_2_28_x86_64", [], "shows ['SSL_new']"),
        (
            "manylinux_2_28_x86_64",
            [HIDDEN, "-Wl,--no-as-needed", "-l:libm.so.6", "-l:libz.so.1"],
            "needs ['libz.so.1']",
        ),
        ("manylinux_2_39_x86_64", [], "needs a newer C library than 2.28"),
        ("linux_x86_64", [], "needs a newer C library than 2.28"),
    ],
)
def test_what_disturbs_others_or_needs_more_is_refused(folder: Path, tag: str, options: list[str], said: str) -> None:
    make(folder, tag, *options)
    assert said in run("wheels.py", folder).stderr


def test_a_folder_without_wheels_is_refused(folder: Path) -> None:
    assert run("wheels.py", folder).stderr == f"There are no wheels in {folder}.\n"
