"""A library of CUDA kernels without those for other GPUs: their code becomes zeros, which compress to nothing.

python prune.py --architecture 90 LIBRARY. A fat binary is a header (magic, version, size of itself and of what follows)
and entries with headers of their own, which hold their kind and their architecture.
"""

import struct
from collections.abc import Iterator
from pathlib import Path

import click

_MAGIC = b"\x50\xed\x55\xba"
_MACHINE_CODE = 2


def containers(library: bytearray) -> Iterator[tuple[int, int]]:
    """Start and end of each fat binary's entries."""
    at = 0
    while (at := library.find(_MAGIC, at)) >= 0:
        _, version, header, size = struct.unpack_from("<IHHQ", library, at)
        if version == 1 and header == 16 and size <= len(library) - at:
            yield at + header, at + header + size
            at += header + size
        else:
            at += len(_MAGIC)


def entries(library: bytearray) -> Iterator[tuple[bool, int, slice]]:
    """Code of each entry: whether it is a GPU's own (PTX is not, which a driver translates), architecture, place."""
    for start, end in containers(library):
        at = start
        while at + 64 <= end:
            kind, _, header, size = struct.unpack_from("<HHIQ", library, at)
            (architecture,) = struct.unpack_from("<I", library, at + 28)
            yield kind == _MACHINE_CODE, architecture, slice(at + header, at + header + size)
            at += header + size


def prune(library: bytearray, architecture: int) -> tuple[int, int]:
    """Make zeros of the code for other architectures; returns the bytes that stay and those that don't."""
    stay = gone = 0
    for _, found, code in entries(library):
        size = code.stop - code.start
        if found == architecture:
            stay += size
        else:
            library[code] = bytes(size)
            gone += size
    return stay, gone


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True))
@click.option("--architecture", type=int, required=True, help="Compute capability without its point: 90 of an H100.")
def main(file: Path, architecture: int) -> None:
    """Prune FILE in its place."""
    library = bytearray(file.read_bytes())
    stay, gone = prune(library, architecture)
    if not stay:
        raise click.ClickException(f"{file} has no code for {architecture}")
    file.write_bytes(library)
    print(f"{stay / 1e6:.0f} MB of kernels stay, {gone / 1e6:.0f} MB are zeros")


if __name__ == "__main__":
    main()
