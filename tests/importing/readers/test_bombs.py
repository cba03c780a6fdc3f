"""Files of a few bytes that say, or unpack to, a great many: refused before memory or disk is taken."""

import gzip
import io
import struct
import sys
import tarfile
import warnings
import zlib
from functools import cache
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from bothends_importing.readers.file import open_weights
from tests.support.ran import ran

from .hostile import replace

MAX_MB = 200
"""Memory that refusing may take."""
BOMB_MB = 256
"""What a bomb takes that isn't refused, at least."""
READ = """
import resource, sys
from pathlib import Path
from bothends_importing.readers import archive
from bothends_importing.readers.file import open_weights
from bothends_importing.source import SourceError
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for file in map(Path, sys.argv[1:]):
    try:
        with archive.unpacked(file, None):
            print("read")
    except SourceError as error:
        print(str(error).replace(chr(10), " "))
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@cache
def _zeros() -> bytes:
    """BOMB_MB of zeros, packed."""
    packer = zlib.compressobj(1)
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(BOMB_MB)) + packer.flush()


def remembered(file: Path) -> None:
    """A pickle that remembers an object by a number of half a billion: the unpickler makes room for all below it."""
    with warnings.catch_warnings(action="ignore"):
        torch.jit.save(torch.jit.script(torch.nn.Linear(2, 3)), file)
    replace(file, "data.pkl", b"\x80\x02]r" + struct.pack("<I", 1 << 29) + b".")


def lying_chunk(file: Path) -> None:
    """A chunk of a kilobyte of numbers that unpacks to a quarter of a gigabyte."""
    with h5py.File(file, "w") as made:
        dataset = made.create_dataset("kernel", (256,), "f4", chunks=(256,), compression="gzip")
        dataset.id.write_direct_chunk((0,), _zeros())


def huge_chunk(file: Path) -> None:
    """A chunk that is a quarter of a gigabyte, of which a few numbers are used."""
    chunks = (BOMB_MB << 18,)
    with h5py.File(file, "w") as made:
        dataset = made.create_dataset("kernel", (256,), "f4", maxshape=(None,), chunks=chunks, compression="gzip")
        dataset.id.write_direct_chunk((0,), _zeros())


def packed_twice(file: Path) -> None:
    with h5py.File(file, "w") as made:
        made.create_dataset("kernel", data=np.ones(256, "f4"), chunks=(256,), compression="lzf")


def _tar(file: Path, members: list[tuple[str, int, bytes]]) -> None:
    with gzip.open(file, "wb", 1) as packed, tarfile.open(fileobj=packed, mode="w|") as made:
        for name, size, kind in members:
            info = tarfile.TarInfo(name)
            info.size, info.type = size, kind
            made.addfile(info, io.BufferedReader(_Zeros(size)))


class _Zeros(io.RawIOBase):
    def __init__(self, size: int) -> None:
        self._left = size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        size = min(len(buffer), self._left)
        buffer[:size] = bytes(size)
        self._left -= size
        return size


def many_parts(file: Path) -> None:
    """Parts that are each within the bound, and together aren't."""
    _tar(file, [("weights.th", 60 << 20, tarfile.REGTYPE)] * 5)


def skipped_part(file: Path) -> None:
    _tar(file, [("more", BOMB_MB << 20, tarfile.REGTYPE), ("config.json", 2, tarfile.REGTYPE)])


def long_header(file: Path) -> None:
    """An extended header, which tarfile reads whole, of a quarter of a gigabyte."""
    _tar(file, [("weights.th", BOMB_MB << 20, tarfile.XHDTYPE), ("config.json", 2, tarfile.REGTYPE)])


BOMBS = {
    make.__name__: make
    for make in (remembered, lying_chunk, huge_chunk, packed_twice, many_parts, skipped_part, long_header)
}


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, int]]:
    """Words by which one process refuses each bomb, and the megabytes by which it had grown at most until then."""
    files = [tmp_path_factory.mktemp(name) / "bomb" for name in BOMBS]
    for file, make in zip(files, BOMBS.values(), strict=True):
        make(file)
        assert file.stat().st_size < 8 << 20
    command = [sys.executable, "-c", READ, *map(str, files)]
    ended = ran(*command, check=True, timeout=240)
    lines = ended.stdout.splitlines()
    for file, said in zip(files, lines[::2], strict=True):
        assert str(file) in said
    return {name: (said, int(grew)) for name, said, grew in zip(BOMBS, lines[::2], lines[1::2], strict=True)}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_in_bounded_memory(refused: dict[str, tuple[str, int]], name: str) -> None:
    said, grew_mb = refused[name]
    assert said != "read"
    assert grew_mb < MAX_MB


def test_h5pys_own_packing_is_read(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "packed.h5", "w") as made:
        layer = made.create_group("layer")
        numbers = np.arange(4000, dtype="f4").reshape(40, 100)
        layer.create_dataset("0", data=numbers, chunks=(16, 64), compression="gzip", shuffle=True, fletcher32=True)
        layer.create_dataset("1", data=numbers, chunks=(40, 100))
    read = open_weights(tmp_path / "packed.h5").tensors
    assert all(np.array_equal(tensor.numpy(), numbers) for tensor in read.values())
    assert len(read) == 2
