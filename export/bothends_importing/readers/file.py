"""Reads a file of weights in any supported format, without running anything in it.

The format follows from its first bytes; its name doesn't matter.
"""

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from bothends.text import printable

from ..source import Kind, SourceError, WeightsFile, drop_ignored
from . import hdf5, torchfile, torchscript
from .floats import check_expansion, to_float32

__all__ = ["SourceError", "WeightsFile", "is_onnx", "open_weights"]

_HEAD_BYTES = 1024
_READABLE = "safetensors, torch.save's, TorchScript, Keras (.keras, .h5) or ONNX"
_OTHERS = (
    (b"version https://git-lfs", "is a git-lfs pointer, not the file it stands for; fetch that with `git lfs pull`"),
    (b"\x1f\x8b", "is packed with gzip; unpack it first"),
    (b"BZh", "is packed with bzip2; unpack it first"),
    (b"\xfd7zXZ", "is packed with xz; unpack it first"),
    (b"PK\x05\x06", "is an empty zip archive"),
)


def is_onnx(file: Path) -> bool:
    """Return True if a file begins as ONNX files do, with the field of the format's version."""
    try:
        with file.open("rb") as opened:
            head = opened.read(9)
    except OSError:
        return False
    return head[:1] == b"\x08" and head[8:9] != b"{"  # which is safetensors'


def open_weights(file: Path, *, ignore: Sequence[str] = ()) -> WeightsFile:
    """Read `file` according to its content; tensors whose names match a pattern in `ignore` are left out.

    Every tensor is returned as finite, contiguous float32 on the CPU. Raises SourceError, one line that names the file,
    if it is missing, damaged, of an unsupported kind, needs code to run, or has a tensor that can't be a weight.
    """
    kind = _kind(file)
    tensors, extras = _read(file, kind)
    kept = drop_ignored(tensors, ignore, file)
    weights, notes = to_float32(kept, file)
    if not weights:
        raise SourceError(f"{file} holds no tensors{' but those to ignore' if ignore else ''}")
    ignored = {name: tensor for name, tensor in tensors.items() if name not in kept}
    return WeightsFile(file, kind, weights, extras, notes, ignored)


def _kind(file: Path) -> Kind:
    head = _head(file)
    for magic, problem in _OTHERS:
        if head.startswith(magic):
            raise SourceError(f"{file} {problem}")
    if head.startswith(b"PK\x03\x04"):
        return _kind_of_zip(file)
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        return "keras"
    if head.startswith(b"\x80"):
        torchfile.check_legacy(file)
        return "torch"
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < file.stat().st_size:
        return "safetensors"
    raise SourceError(f"{file} {_stranger(head)}; what can be read is {_READABLE}")


def _head(file: Path) -> bytes:
    if file.is_dir():
        raise SourceError(f"{file} is a folder; name the file in it that holds the weights")
    try:
        with file.open("rb") as opened_file:
            head = opened_file.read(_HEAD_BYTES)
    except OSError as error:
        raise SourceError(f"{file} can't be read: {error.strerror}") from error
    if not head:
        raise SourceError(f"{file} is empty")
    return head


def _stranger(head: bytes) -> str:
    if head[257:262] == b"ustar":
        return "is a tar archive (torch wrote such before 0.4; unpack others first)"
    try:
        text = head.decode()
    except UnicodeDecodeError as error:
        text = head.decode(errors="replace") if error.start > len(head) - 4 else ""  # a letter cut by the last byte
    if text and "\0" not in text:
        return f'is a text file that begins with "{printable(text.splitlines()[0][:40])}"'
    return f"is of no known kind, or cut off at its start (its first bytes are {head[:8].hex(' ')})"


def _kind_of_zip(file: Path) -> Kind:
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise SourceError(f"{file} is a damaged zip archive, cut off perhaps: {printable(error)}") from error
    check_expansion(sum(entry.file_size for entry in entries), file)
    names = {entry.filename for entry in entries}
    inside = {name.partition("/")[2] for name in names}
    if "model.weights.h5" in names:
        return "keras"
    if "constants.pkl" in inside:
        return "torchscript"
    if "data.pkl" in inside:
        return "torch"
    raise SourceError(f"{file} is a zip archive, but none of torch's or Keras's; what can be read is {_READABLE}")


def _read(file: Path, kind: Kind) -> tuple[dict[str, Tensor], dict[str, Any]]:
    if kind == "safetensors":
        return _read_safetensors(file)
    if kind == "torch":
        return torchfile.read(file)
    if kind == "torchscript":
        return torchscript.read(file)
    return hdf5.read(file)


def _read_safetensors(file: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    try:
        with safe_open(file, framework="pt") as archive:
            # In the order of the file: `keys()` is unordered in some versions.
            tensors = {name: archive.get_tensor(name) for name in sorted(archive.keys())}
            return tensors, dict(archive.metadata() or {})
    except SafetensorError as error:
        raise SourceError(f"{file} is a damaged safetensors file: {printable(error)}") from error
