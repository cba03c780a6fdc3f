"""What `torch.save` wrote (a zip archive, or the pickles of before 1.6) to a state dict and the plain data beside it.

torch's own weights-only reader builds tensors and plain data and calls nothing else; what it refuses is refused here,
with the name of the class or function that the file wants. Knows nothing of encoders.
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

from bothends.validation import printable

from .source import SourceError

_LEGACY = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19"
"""How a file of torch.save's begins that is no zip archive: a pickle of torch.serialization.MAGIC_NUMBER."""

_STATE_DICTS = ("state_dict", "model_state_dict", "model_state", "model", "encoder", "net", "weights")
"""Where training scripts and libraries put a state dict among other things, the surest name first."""

_WAY_OUT = "load it where you trust it, and save its state_dict() with torch.save"
_DEEPEST = 32


def read(file: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The state dict in `file` and the plain data around it. Raises SourceError; nothing in the file runs."""
    try:
        with warnings.catch_warnings(action="ignore"):  # of pickle protocols and storages: nothing a reader can act on
            whole = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle raises whatever the wrong byte leads to
        raise _refusal(file, error) from error
    return parted(whole, file)


def check_legacy(file: Path) -> None:
    """Refuse a pickle that torch.save didn't write, naming what it wants to call."""
    with file.open("rb") as pickled:
        if pickled.read(len(_LEGACY)) == _LEGACY:
            return
        pickled.seek(0)
        raise SourceError(f"{file} is a pickle{_wants(pickled)}, not a file of torch.save's; {_WAY_OUT}")


def parted(whole: Any, file: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """A loaded object's state dict, and the rest as plain data.

    The state dict is the object itself, or what stands under a usual name (`state_dict`, `model`, …) or is the only one
    in it; where there is none, all tensors in nested dicts, under dotted names.
    """
    if not isinstance(whole, dict):
        raise SourceError(f"{file} holds a {type(whole).__name__}, not a state dict; {_WAY_OUT}")
    key = None if _is_state_dict(whole) else _key_of_state_dict(whole)
    if key is not None:
        rest = {name: value for name, value in _items(whole) if name != key}
        return dict(_items(whole[key])), plain(rest)
    return dict(_dotted(whole, file)), plain(dict(_items(whole)))


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


def _dotted(value: dict[Any, Any], file: Path, *, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Tensor]]:
    if depth > _DEEPEST:
        raise SourceError(f"{file} nests dicts more than {_DEEPEST} deep at {printable(prefix)}; {_WAY_OUT}")
    for key, item in _items(value):
        if isinstance(item, Tensor):
            yield f"{prefix}{key}", item
        elif isinstance(item, dict):
            yield from _dotted(item, file, prefix=f"{prefix}{key}.", depth=depth + 1)


_NOT_PLAIN = object()


def plain(value: dict[Any, Any]) -> dict[str, Any]:
    """What in a dict is numbers, strings, None, or lists and dicts of them; the rest is left out."""
    kept = _plain_value(value, depth=0)
    return {str(key): item for key, item in kept.items()}


def _plain_value(value: Any, *, depth: int) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if depth > _DEEPEST:
        return _NOT_PLAIN
    if isinstance(value, dict):
        items = ((key, _plain_value(item, depth=depth + 1)) for key, item in _items(value))
        return {k: item for k, item in items if item is not _NOT_PLAIN and isinstance(k, str | int | float | bool)}
    if isinstance(value, list | tuple | set):
        kept = [_plain_value(item, depth=depth + 1) for item in value]
        return _NOT_PLAIN if any(item is _NOT_PLAIN for item in kept) else kept
    return _NOT_PLAIN


def _refusal(file: Path, error: Exception) -> SourceError:
    text = str(error)
    if found := re.search(r"GLOBAL ([\w.]+)", text):
        return SourceError(
            f"{file} wants {printable(found[1])}, whose code would run in reading it (a whole pickled model does that)"
            f"; {_WAY_OUT}"
        )
    if "Unsupported operand" in text and zipfile.is_zipfile(file):  # a later pickle protocol
        with zipfile.ZipFile(file) as archive:
            name = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
            with archive.open(name) as pickled:
                return SourceError(f"{file} holds a pickle{_wants(pickled)} of a protocol not torch.save's; {_WAY_OUT}")
    problem = text.splitlines()[0] if text else type(error).__name__
    return SourceError(f"{file} is damaged, cut off perhaps: {printable(problem)}")


def _wants(pickled: IO[bytes]) -> str:
    """Which class or function a pickle names that is neither torch's nor a dict, for a message; read as text."""
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
