"""A bundle that somebody tampered with is refused by name, at once; nothing in it crashes or hangs a server."""

import json
import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bothends.model.bundle import CARD, CONFIG, GOLDEN, HASHED, MODEL, TOKENIZER, Bundle
from bothends_export.checkpoint import Checkpoint
from bothends_export.export import export
from tests.support.paths import ROOT
from tests.support.serving import BOTHENDS

from .conftest import Form
from .tampering import read, rehashed, tampered

pytestmark = pytest.mark.chaos
MAX_S = 10.0
"""Time limit of one attempt to load."""
FILES = [*HASHED, CONFIG]
Tampering = Callable[[Path], None]


@dataclass
class Loader:
    """A process that loads bundles."""

    process: subprocess.Popen[str]

    def load(self, folder: Path) -> str:
        """Return `served`, or the error's text, in time."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{folder}\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"loading {folder} ended the process with {self.process.wait(10)}"
        answer = json.loads(line)
        assert answer["seconds"] < MAX_S
        assert answer["outcome"].isprintable()
        return str(answer["outcome"])


@pytest.fixture(scope="module")
def loader() -> Iterator[Loader]:
    command = [sys.executable, "-m", "tests.chaos.loader"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, cwd=ROOT, text=True, **pipes) as process:  # type: ignore[call-overload]
        yield Loader(process)
        process.kill()


@pytest.fixture
def folder(toy_bundle: Bundle, tmp_path: Path) -> Path:
    """A bundle to tamper with."""
    copy = tmp_path / "toy"
    shutil.copytree(toy_bundle.path, copy)
    return copy


@pytest.fixture(scope="module")
def another(make_checkpoint: Callable[..., tuple[Path, Checkpoint]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of the same sizes and other weights."""
    return export(make_checkpoint(seed=9)[1], tmp_path_factory.mktemp("another") / "toy").path


def flipped(place: float) -> Tampering:
    def flip(file: Path) -> None:
        content = bytearray(file.read_bytes())
        content[int(place * (len(content) - 1))] ^= 1
        file.write_bytes(content)

    return flip


def replaced(by: Callable[[Path], object]) -> Tampering:
    def replace(file: Path) -> None:
        file.rename(file.with_name("aside"))
        by(file)

    return replace


def truncated(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


TAMPERINGS: dict[str, Tampering] = {
    "first byte flipped": flipped(0),
    "a byte in the middle flipped": flipped(0.5),
    "last byte flipped": flipped(1),
    "truncated": truncated,
    "emptied": lambda file: os.truncate(file, 0),
    "longer": lambda file: os.truncate(file, file.stat().st_size + 1),
    "huge": lambda file: os.truncate(file, 1 << 40),
    "removed": Path.unlink,
    "a link to what it was": replaced(lambda file: file.symlink_to("aside")),
    "a link out of the folder": replaced(lambda file: file.symlink_to("/etc/passwd")),
    "a link to itself": replaced(lambda file: file.symlink_to(file.name)),
    "a pipe": replaced(os.mkfifo),
    "a folder": replaced(Path.mkdir),
    "an endless device": replaced(lambda file: file.symlink_to("/dev/zero")),
    "unreadable": replaced(lambda file: file.symlink_to("/proc/self/mem")),
}


@pytest.mark.parametrize("way", TAMPERINGS)
@pytest.mark.parametrize("name", FILES)
def test_a_tampered_file_is_refused_by_name(
    folder: Path, loader: Loader, record: Callable[..., None], name: str, way: str
) -> None:
    """Each file is refused when it is tampered with, and the loader goes on to load the next one."""
    TAMPERINGS[way](folder / name)
    assert name in loader.load(folder)
    record("tampered files", files=len(FILES), ways=len(TAMPERINGS), lost=0)


@pytest.mark.parametrize("way", ["a byte in the middle flipped", "huge", "a link out of the folder", "a pipe"])
def test_a_server_says_so_in_one_line_and_exits(folder: Path, way: str) -> None:
    """The command line ends with one line, as an operator sees it."""
    TAMPERINGS[way](folder / MODEL)
    command: list[str | Path] = [BOTHENDS, "serve", "--port", "0", "--http-port", "0", "--bundle", folder]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 1
    assert [MODEL in line for line in ended.stderr.splitlines()] == [True]


@pytest.mark.parametrize("name", HASHED)
def test_a_file_of_another_bundle_is_refused(folder: Path, another: Path, loader: Loader, name: str) -> None:
    """Another bundle's file is refused by its hash; and where that was made to fit, by what it computes."""
    shutil.copy(another / name, folder / name)
    files = read(folder)
    if name == TOKENIZER:  # of the same vocabulary, but for a word
        (folder / name).write_bytes(files[name].replace(b'"dragons"', b'"drag0ns"'))
        files = read(folder)
    elif name == CARD:
        (folder / name).write_bytes(b"another")
        files = read(folder)
    assert f"{name} has changed" in loader.load(folder)
    (folder / CONFIG).write_bytes(rehashed(files)[CONFIG])
    found = loader.load(folder)
    assert found == "served" if name == CARD else "golden sentence" in found


def test_a_link_to_the_folder_is_followed(folder: Path, loader: Loader, tmp_path: Path) -> None:
    """Links to a folder are followed: versions are switched so."""
    (tmp_path / "current").symlink_to(folder)
    assert loader.load(tmp_path / "current") == "served"


def test_tampering_with_right_hashes_crashes_nothing(
    toy_bundle: Bundle, loader: Loader, tmp_path: Path, form: Form, record: Callable[..., None]
) -> None:
    """Damaged bytes, and graphs twisted out of the allowed operators, are refused, or served and finite."""
    chance, files = random.Random(7), read(toy_bundle.path)
    folder = tmp_path / "tampered"
    folder.mkdir()
    came: Counter[str] = Counter()
    for _ in range(form.pick(600, 20_000)):
        name, changed = tampered(files, chance)
        for file, content in changed.items():
            (folder / file).write_bytes(content)
        found = loader.load(folder)
        came[f"{name} served" if found == "served" else f"{name} refused"] += 1
    for name in (MODEL, TOKENIZER, GOLDEN, CONFIG):
        assert came[f"{name} refused"]
    served = sum(number for outcome, number in came.items() if outcome.endswith("served"))
    record("bundles tampered with, hashes right", inputs=came.total(), refused=came.total() - served, lost=0)
