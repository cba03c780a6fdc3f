"""A zip that comes in parts, as a recipe's resources name it, is unpacked."""

import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from bothends_training.errors import RecipeError
from bothends_training.resource import Resource

WEIGHTS = bytes(range(256)) * 20


def zipped(folder: Path, *, parts: int, weights: bytes = WEIGHTS) -> Resource:
    """Write a zip that holds model/weights, cut into parts; return a resource that names what is in it."""
    with zipfile.ZipFile(folder / "whole.zip", "w") as whole:
        whole.writestr("model/weights", weights)
    content = (folder / "whole.zip").read_bytes()
    size = -(-len(content) // parts)
    for number in range(parts):
        (folder / f"part.{number}").write_bytes(content[number * size : (number + 1) * size])
    return Resource(path="model/weights", parts=tuple(Resource(path=f"part.{number}") for number in range(parts)))


@pytest.mark.parametrize("parts", [1, 5])
def test_a_zip_in_parts_is_joined_and_unpacked(tmp_path: Path, parts: int) -> None:
    """The path is inside it; a package may limit the size of a file, not what can be shipped."""
    found = zipped(tmp_path, parts=parts).locate(tmp_path, tmp_path / "cache")
    assert found.read_bytes() == WEIGHTS
    assert [entry.name for entry in (tmp_path / "cache").iterdir()] == [found.parents[1].name], "nothing else is left"


def test_it_is_unpacked_once_and_anew_when_a_part_changes(tmp_path: Path) -> None:
    """A folder that is there already is taken; other bytes have a folder of their own."""
    resource = zipped(tmp_path, parts=3)
    first = resource.locate(tmp_path, tmp_path / "cache")
    first.write_bytes(b"as it was left")
    assert resource.locate(tmp_path, tmp_path / "cache").read_bytes() == b"as it was left"
    assert zipped(tmp_path, parts=3, weights=b"others").locate(tmp_path, tmp_path / "cache").read_bytes() == b"others"


def test_several_may_unpack_it_at_once(tmp_path: Path) -> None:
    """Teachers that embed side by side, each in a process of its own, begin with this."""
    resource, together = zipped(tmp_path, parts=3, weights=WEIGHTS * 2_000), Barrier(4)

    def locate(_: int) -> Path:
        together.wait()
        return resource.locate(tmp_path, tmp_path / "cache")

    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(locate, range(4)))
    assert found == {resource.locate(tmp_path, tmp_path / "cache")}
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_parts_that_make_no_zip_are_named(tmp_path: Path) -> None:
    """Parts in the wrong order leave nothing in the cache, so that the next try starts clean."""
    resource = zipped(tmp_path, parts=3)
    shuffled = Resource(path=resource.path, parts=resource.parts[::-1])
    with pytest.raises(RecipeError, match=r"part\.2 and the parts after it can't be unpacked"):
        shuffled.locate(tmp_path, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []
