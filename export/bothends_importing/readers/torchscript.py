"""Reads the state dict and the plain attributes of a TorchScript archive, without running its code.

The code in an archive is read as text, to learn which attributes of a class are parameters and buffers, and its
constants, such as `batch_first`.
"""

import ast
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch import Tensor

from bothends.text import printable

from ..source import SourceError
from . import inert
from .torchfile import plain

_MAX_MODULES = 10_000
_WAY_OUT = "load it where you trust it, and save its state_dict() with torch.save"


def read(file: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors of `torch.jit.load(file).state_dict()`, by its names, and plain attributes by dotted name.

    Floating-point tensors that are plain attributes are included in the tensors. The class of a module is returned with
    its attributes as `<name>.__class__`, for example "LSTM". Raises SourceError.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            root = _root(archive)
            modules = dict(_modules(inert.load(archive, root), file))
            classes = {record.class_name: _Class(archive, root, record.class_name) for record in modules.values()}
    except inert.RefusedError as refused:
        raise SourceError(
            f"{file} wants {printable(refused)}, which can't be had without running what stands in it "
            f"(weights that torch quantised or packed are so); {_WAY_OUT}"
        ) from refused
    except SourceError:
        raise
    except Exception as error:  # a damaged pickle raises whatever the wrong byte leads to
        raise SourceError(f"{file} is a damaged TorchScript archive: {printable(error)}") from error
    tensors, extras = _parted(modules, classes)
    if not tensors:
        raise SourceError(
            f"{file} holds no named weights: it was frozen perhaps, which makes them constants of its code; "
            "save the module before torch.jit.freeze or torch.jit.optimize_for_inference"
        )
    return tensors, extras


def _root(archive: zipfile.ZipFile) -> str:
    for name in archive.namelist():
        if name.partition("/")[2] == "data.pkl":
            return name.partition("/")[0]
    raise ValueError("data.pkl is missing")


def _modules(record: inert.Record, file: Path) -> Iterator[tuple[str, inert.Record]]:
    """Each module with the prefix of its names ("", "encoder.", "encoder.rnn."), parents first, as modules were set."""
    waiting = [("", record)]
    seen = 0
    while waiting:
        prefix, module = waiting.pop()
        seen += 1
        if seen > _MAX_MODULES or not isinstance(module.state, dict):
            raise SourceError(
                f"{file}: {printable(prefix) or 'the module'} ({printable(module.class_name)}) has a state that is no "
                f"dict of attributes, or holds itself; {_WAY_OUT}"
            )
        yield prefix, module
        children = [(f"{prefix}{name}.", c) for name, c in module.state.items() if isinstance(c, inert.Record)]
        waiting.extend(reversed(children))


class _Class:
    """Attributes and constants that a class's text names."""

    def __init__(self, archive: zipfile.ZipFile, root: str, full_name: str) -> None:
        module, _, self.name = full_name.rpartition(".")
        body = _body(archive, f"{root}/code/{module.replace('.', '/')}.py", self.name)
        self.tensors = [name for kind in ("parameters", "buffers") for name in _names(body, kind)]
        found = re.findall(r"^  (\w+) : Final\[[^=\n]+\] = (.{1,1000})$", body, re.MULTILINE)
        self.constants = {name: value for name, text in found if (value := _literal(text)) is not _NO_LITERAL}


_NO_LITERAL = object()


def _body(archive: zipfile.ZipFile, path: str, name: str) -> str:
    text = archive.read(path).decode()
    found = re.search(rf"^class {re.escape(name)}\(\w+\):\n((?:  .*\n|\n)*)", text, re.MULTILINE)
    if found is None:
        raise ValueError(f"{path} defines no class {name}")
    return found[1]


def _names(body: str, kind: str) -> list[str]:
    found = re.search(rf"^  __{kind}__ = \[(.*)\]$", body, re.MULTILINE)
    return re.findall(r'"([^"]+)"', found[1]) if found else []


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return _NO_LITERAL


def _parted(modules: dict[str, inert.Record], classes: dict[str, _Class]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    tensors: dict[str, Tensor] = {}
    extras: dict[str, Any] = {}
    for prefix, module in modules.items():
        described, state = classes[module.class_name], module.state
        assert isinstance(state, dict)  # noqa: S101  for the type checker
        named = [*described.tensors, *_kept_aside(state)]
        tensors |= {f"{prefix}{name}": state[name] for name in named if isinstance(state.get(name), Tensor)}
        extras[f"{prefix}__class__"] = described.name
        attributes = described.constants | plain(state)
        extras |= {f"{prefix}{name}": value for name, value in attributes.items() if not name.startswith("_")}
    return tensors, extras


def _kept_aside(state: dict[str, Any]) -> list[str]:
    """Floating tensors that no state dict has: an initial state perhaps, which must not be lost without a word."""
    found = [name for name, value in state.items() if isinstance(value, Tensor) and value.is_floating_point()]
    return [name for name in found if not name.startswith("_")]
