"""Kernels of a library, found and pruned by their architecture."""

import struct

from prune import entries, prune


def entry(kind: int, architecture: int, code: bytes) -> bytes:
    """A fat binary's entry, as nvcc writes it, whose fields that nobody reads are zeros."""
    return struct.pack("<HHIQ12xI32x", kind, 0x101, 64, len(code), architecture) + code


def library(*of: bytes) -> bytearray:
    """A library with two fat binaries, of the same entries, among other bytes."""
    whole = b"".join(of)
    fat = struct.pack("<IHHQ", 0xBA55ED50, 1, 16, len(whole)) + whole
    return bytearray(b"other" + fat + b"between" + fat + b"after")


def test_code_for_other_gpus_becomes_zeros() -> None:
    """The library keeps its length, its headers and all that is no kernel."""
    made = library(entry(2, 80, b"ampere" * 4), entry(2, 90, b"hopper" * 4))
    assert prune(made, 90) == (48, 48)
    assert made == library(entry(2, 80, bytes(24)), entry(2, 90, b"hopper" * 4))


def test_code_that_a_driver_would_translate_is_told_apart() -> None:
    made = library(entry(1, 90, b"ptx"), entry(2, 90, b""))
    assert [(is_own, architecture) for is_own, architecture, _ in entries(made)] == [(False, 90), (True, 90)] * 2
