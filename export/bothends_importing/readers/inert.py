"""Reads the pickles of a TorchScript archive into records and tensors, without calling anything that they name.

Python's unpickler can call only what `find_class` returns. Here that returns inert records for the archive's own
classes, and a few helpers that build lists, dicts and tensors.
"""

import io
import pickle
import pickletools
import zipfile
from collections.abc import Callable
from math import prod
from typing import IO, Any

import torch
from torch import Tensor

from bothends.text import printable

_STORAGES = {
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "DoubleStorage": torch.float64,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
_LISTS = ("build_intlist", "build_doublelist", "build_boollist", "build_tensorlist")


class RefusedError(Exception):
    """Error because a pickle names something that isn't allowed; the text says what."""


class Record:
    """Object of one of the archive's classes: the class's name, and its state from the pickle."""

    __slots__ = ("state",)
    class_name = ""

    def __init__(self) -> None:
        self.state: object = None

    def __setstate__(self, state: object) -> None:
        self.state = state


class _Helper:
    """A function that a pickle may call. No attribute of it can be set from the pickle, as a function's could."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *arguments: object) -> Any:
        return self._function(*arguments)

    def __setstate__(self, state: object) -> None:
        raise RefusedError("a change to one of torch's functions")


class InertUnpickler(pickle.Unpickler):
    """Unpickler of one pickle in `archive`, whose entries are below the folder `root`; the tensors' data is under
    data/.
    """

    def __init__(self, pickled: IO[bytes], archive: zipfile.ZipFile, root: str) -> None:
        super().__init__(pickled)
        self._archive = archive
        self._root = root
        self._storages: dict[str, Tensor] = {}

    def find_class(self, module: str, name: str) -> Any:
        """Return the replacement for a class or function. Raises RefusedError if there is none."""
        full = f"{module}.{name}"
        if full.startswith("__torch__.") and not full.startswith("__torch__.torch.classes."):
            return type("Record", (Record,), {"__slots__": (), "class_name": full})
        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        if module == "torch.jit._pickle" and name in _LISTS:
            return _Helper(lambda values: values)
        helpers: dict[str, Callable[..., Any]] = {
            "torch._utils._rebuild_tensor_v2": self._tensor,
            "torch.jit._pickle.restore_type_tag": lambda value, _: value,
            "collections.OrderedDict": dict,
            "torch.device": str,
        }
        if full in helpers:
            return _Helper(helpers[full])
        raise RefusedError(full)

    def persistent_load(self, pid: Any) -> Tensor:
        """Return the numbers of a storage, 1-D. `pid` is ("storage", its type, its key, a device, its size)."""
        kind, dtype, key, _, count = pid
        if kind != "storage" or not isinstance(dtype, torch.dtype):
            raise ValueError(f"a storage of an unknown kind: {kind!s:.40}")
        if key not in self._storages:
            content = self._archive.read(f"{self._root}/data/{key}")
            if len(content) != count * dtype.itemsize:
                raise ValueError(f"data/{key} holds {len(content)} bytes, not {count} of {dtype}")
            self._storages[key] = (
                torch.frombuffer(bytearray(content), dtype=dtype) if content else torch.empty(0, dtype=dtype)
            )
        return self._storages[key]

    def _tensor(self, storage: object, offset: int, size: Any, stride: Any, *_: object) -> Tensor:
        if not isinstance(storage, Tensor):
            raise ValueError("a tensor without a storage")
        end = offset + sum((length - 1) * step for length, step in zip(size, stride, strict=True)) + 1
        if min((offset, *size, *stride)) < 0 or (prod(size) > 0 and end > len(storage)):
            raise ValueError(f"a tensor of {end} numbers in a storage of {len(storage)}")
        return storage.as_strided(size, stride, offset)


def _check_sizes(pickled: bytes) -> None:
    """Refuse a pickle that says that it has more than it has: Python's unpickler makes room for all that it is told of.

    That is for as many remembered objects as the largest index, and for strings of any length; a length that doesn't
    fit is found in reading it as text.
    """
    for operation, argument, _ in pickletools.genops(pickled):
        if "PUT" in operation.name and isinstance(argument, int) and argument > len(pickled):
            raise ValueError(f"it remembers an object by the number {argument}, and has {len(pickled)} bytes")


def load(archive: zipfile.ZipFile, root: str) -> Record:
    """Return the root module's record in a TorchScript archive. Raises RefusedError for what would have to be called.

    A damaged pickle raises whatever the wrong byte leads to.
    """
    pickled = archive.read(f"{root}/data.pkl")
    _check_sizes(pickled)
    whole = InertUnpickler(io.BytesIO(pickled), archive, root).load()
    if not isinstance(whole, Record):
        raise ValueError(f"data.pkl holds a {printable(type(whole).__name__)} and no module")
    return whole
