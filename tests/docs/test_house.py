"""Rules of CONTRIBUTING.md that concern files: each stands in a room, each room is on the map, tests have its name."""

import ast
import re
from pathlib import Path

from tests.support.paths import ROOT
from tests.support.ran import ran

SERVICE = ROOT / "service" / "bothends"
WORDS = {"chunks", "embeddings", "errors", "native_version", "options", "text", "validation"}
OUTSIDE = {"__init__", "__main__", "encoder", "mteb", "ray", "sklearn", *WORDS}
"""Modules of no package below: what all of them may import, and four that are public."""
MAP = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").partition("## The map")[2]


def tracked(folder: str) -> list[Path]:
    """Python and C++ files of `folder` that are written by hand."""
    command = ["git", "ls-files", "-co", "--exclude-standard", *(f"{folder}/*.{kind}" for kind in ("py", "cpp", "hpp"))]
    listed = ran(*command, cwd=ROOT, check=True).stdout.split()
    return [ROOT / name for name in listed if "_pb2" not in name and (ROOT / name).exists()]


def test_no_module_stands_outside_a_room() -> None:
    """A new one goes into the room that says what it is for."""
    assert {path.stem for path in tracked("service") if path.parent == SERVICE} <= OUTSIDE


def test_every_room_says_what_it_does() -> None:
    """Rooms have a docstring."""
    rooms = {path.parent for path in tracked("service")} - {
        SERVICE / "v1",
        SERVICE / "kserve" / "v2",
        SERVICE / "kserve",
    }
    silent = [
        str(room) for room in rooms if not ast.get_docstring(ast.parse((room / "__init__.py").read_text("utf-8")))
    ]
    assert silent == []


def test_every_room_is_on_the_map() -> None:
    """docs/architecture.md has the tree, two levels deep."""
    rooms = {path.relative_to(SERVICE).parts[0] for path in tracked("service") if path.parent != SERVICE}
    assert {room for room in rooms if not re.search(rf"\b{room}/", MAP)} == set()


def test_tests_stand_in_a_folder_of_the_name_of_what_they_test() -> None:
    """A package's, or one that CONTRIBUTING.md names."""
    packages = {path.parent.relative_to(SERVICE) for path in tracked("service") if path.parent.is_relative_to(SERVICE)}
    for others in ("export", "training"):
        within = (path.parent.relative_to(ROOT / others) for path in tracked(others))
        packages |= {Path(str(package).removeprefix("bothends_")) for package in within}
    named = set(re.findall(r"`tests/(\w+)`", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")))
    folders = {path.parent.relative_to(ROOT / "tests") for path in tracked("tests") if path.name.startswith("test_")}
    assert {str(folder) for folder in folders - packages if folder.parts[0] not in named} == set()


def test_nothing_is_committed_by_mistake() -> None:
    """What a tool leaves behind is often empty; of the files that ought to be, all are named `py.typed`."""
    listed = ran("git", "ls-files", "-z", cwd=ROOT, check=True)
    files = [ROOT / name for name in listed.stdout.split("\0") if name]
    assert [path for path in files if path.is_file() and not path.stat().st_size and path.name != "py.typed"] == []


BUNDLE = "service/bothends/models/english/"
ARCHIVE = re.compile(r"\.(whl|zip|tar|tgz|tbz2|gz|bz2|zst|7z|jar|so|dylib|dll|a|o|pyc)$")
LARGEST_BYTES = 500_000


def test_nothing_large_is_committed() -> None:
    """Every clone holds all that ever was: no archive, no built object, past 500 kB nothing but the default bundle."""
    listed = ran("git", "ls-files", "-z", cwd=ROOT, check=True)
    files = [ROOT / name for name in listed.stdout.split("\0") if name and not name.startswith(BUNDLE)]
    large = [path for path in files if path.is_file() and path.stat().st_size > LARGEST_BYTES]
    assert large + [path for path in files if path.is_file() and ARCHIVE.search(path.name)] == []
