"""Reads a file of `torch.save`: a zip archive, or the pickles used before PyTorch 1.6.

torch's own weights-only reader builds tensors and plain data and calls nothing else. What it refuses is refused here,
with the name of the class or function that the file needs.
"""

import pickletools
import re
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from bothends.text import printable

from ..source import SourceError

_LEGACY = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19"
"""First bytes of a file of torch.save's that is no zip archive: a pickle of torch.serialization.MAGIC_NUMBER."""

_STATE_DICTS = ("state_dict", "model_state_dict", "model_state", "model", "encoder", "net", "weights")
"""Keys under which scripts and libraries put a state dict among other things, the surest first."""

_WAY_OUT = "load it where you trust it, and save its state_dict() with torch.save"
_DEEPEST = 32
_MAX_DICTS = 1_000_000


def read(file: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the state dict in `file` and the plain data around it. Raises SourceError; nothing in the file runs."""
    try:
        with warnings.catch_warnings(action="ignore"):  # of pickle protocols and storages: nothing a reader can act on
            whole = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle raises whatever the wrong byte leads to
        raise _refusal(file, error) from error
    return parted(whole, file)


def check_legacy(file: Path) -> None:
    """Raise SourceError for a pickle that torch.save didn't write, naming what it would call."""
    with file.open("rb") as pickled:
        if pickled.read(len(_LEGACY)) == _LEGACY:
            return
        pickled.seek(0)
        raise SourceError(f"{file} is a pickle{_wants(pickled)}, not a file of torch.save's; {_WAY_OUT}")


def parted(whole: Any, file: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Split a loaded object into its state dict, and the rest as plain data.

    The state dict is the object itself, or the entry with a usual name (`state_dict`, `model`, …), or the only state
    dict in it. If there is none, it is all tensors in nested dicts, under dotted names.
    """
    if not isinstance(whole, dict):
        raise SourceError(f"{file} holds a {type(whole).__name__}, not a state dict; {_WAY_OUT}")
    key = None if _is_state_dict(whole) else _key_of_state_dict(whole)
    if key is not None:
        rest = {name: value for name, value in _items(whole) if name != key}
        return dict(_items(whole[key])), plain(rest)
    return dict(_dotted(whole, file)), plain(whole)


def _key_of_state_dict(whole: dict[Any, Any]) -> str | None:
    found = [key for key, value in _items(whole) if isinstance(key, str) and _is_state_dict(value)]
    usual = [name for name in _STATE_DICTS if name in found]
    if usual:
        return usual[0]
    return found[0] if len(found) == 1 and not any(isinstance(value, Tensor) for _, value in _items(whole)) else None


def _is_state_dict(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and len(value) > 0
        and all(isinstance(key, str) and isinstance(item, Tensor) for key, item in _items(value))
    )


def _items(mapping: dict[Any, Any]) -> Any:
    return dict.items(mapping)  # a file may have hung an `items` of its own on its OrderedDict


def _dotted(whole: dict[Any, Any], file: Path) -> Iterator[tuple[str, Tensor]]:
    """Return the tensors in nested dicts, in their order."""
    waiting: list[tuple[str, Any]] = [("", whole)]
    seen = 0
    while waiting:
        name, value = waiting.pop()
        seen += 1
        if seen > _MAX_DICTS or name.count(".") > _DEEPEST:
            raise SourceError(f"{file} nests dicts too deep, or in themselves, at {printable(name):.80}; {_WAY_OUT}")
        if isinstance(value, Tensor):
            yield name, value
            continue
        inner = [(f"{name}.{key}" if name else str(key), item) for key, item in _items(value)]
        waiting.extend(reversed([(key, item) for key, item in inner if isinstance(item, dict | Tensor)]))


def plain(value: dict[Any, Any]) -> dict[str, Any]:
    """Return the numbers, strings, Nones, and lists and dicts of them in a dict, without anything else."""
    kept = _Plain().of(value)
    return {str(key): item for key, item in kept.items()}


class _Plain:
    """Copier of plain data.

    An object that occurs in several places is copied once, so that a small file can't grow endlessly.
    """

    _NOTHING = object()
    """Mark for what is left out."""

    def __init__(self) -> None:
        self._copies: dict[int, Any] = {}

    def of(self, value: Any, *, depth: int = 0) -> Any:
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if depth > _DEEPEST or not isinstance(value, dict | list | tuple | set):
            return self._NOTHING
        if id(value) not in self._copies:
            self._copies[id(value)] = self._NOTHING  # until it is copied: what holds itself is left out
            self._copies[id(value)] = self._copied(value, depth=depth + 1)
        return self._copies[id(value)]

    def _copied(self, value: Any, *, depth: int) -> Any:
        if isinstance(value, dict):
            items = ((key, self.of(item, depth=depth)) for key, item in _items(value))
            return {k: v for k, v in items if v is not self._NOTHING and isinstance(k, str | int | float | bool)}
        kept = [self.of(item, depth=depth) for item in value]
        return self._NOTHING if any(item is self._NOTHING for item in kept) else kept


def _refusal(file: Path, error: Exception) -> SourceError:
    text = str(error)
    if found := re.search(r"GLOBAL ([\w.]+)", text):
        return SourceError(
            f"{file} wants {printable(found[1])}, whose code would run in reading it (a whole pickled model does that)"
            f"; {_WAY_OUT}"
        )
    if "Unsupported operand" in text and (wants := _wants_in_zip(file)):
        return SourceError(f"{file} holds a pickle{wants}, of a protocol that isn't torch.save's; {_WAY_OUT}")
    if "Unsupported operand" in text and zipfile.is_zipfile(file):
        return SourceError(f"{file} holds a pickle of a protocol that isn't torch.save's, or is damaged; {_WAY_OUT}")
    # torch advises to load without weights_only; what it found wrong comes after that.
    found = re.search(r"WeightsUnpickler error:\s*(.+)", text)
    problem = found[1] if found else text.partition("\n")[0] or type(error).__name__
    return SourceError(f"{file} is damaged, cut off perhaps, or no file of torch.save's: {printable(problem)}")


def _wants_in_zip(file: Path) -> str:
    try:
        with zipfile.ZipFile(file) as archive:
            name = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
            with archive.open(name) as pickled:
                return _wants(pickled)
    except Exception:  # no zip archive, or a damaged one: it says nothing more
        return ""


def _wants(pickled: IO[bytes]) -> str:
    """Name, for a message, of a class or function in a pickle that is neither torch's nor a dict; read as text."""
    strings: list[str] = []
    try:
        for operation, argument, _ in pickletools.genops(pickled):
            if isinstance(argument, str) and operation.name != "GLOBAL":
                strings = [*strings[-1:], argument]
            elif operation.name in ("GLOBAL", "STACK_GLOBAL"):
                name = str(argument).replace(" ", ".") if operation.name == "GLOBAL" else ".".join(strings)
                if not name.startswith(("torch._utils.", "collections.")) and not name.endswith("Storage"):
                    return f" that wants {printable(name)}"
    except Exception:  # noqa: S110  damaged or cut off: what stood before is all there is to say
        pass
    return ""
