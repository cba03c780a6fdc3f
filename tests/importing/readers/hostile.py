"""Pickles that would make a file, if anything ran them, and how files are refused."""

import os
import pickle
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from bothends_importing.readers.file import SourceError, open_weights


class Reduces:
    """Pickles to a call."""

    def __init__(self, function: Callable[..., Any], *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[object, ...]]:
        return self.call


class Builds:
    """Pickles to an object of this class, whose `__setstate__` makes a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = str(marker)

    def __setstate__(self, state: dict[str, str]) -> None:
        Path(state["marker"]).touch()


def _system(marker: Path) -> object:
    return Reduces(os.system, f"touch {marker}")


def _eval(marker: Path) -> object:
    return Reduces(eval, f"open({str(marker)!r}, 'w').close()")


def _exec(marker: Path) -> object:
    return Reduces(exec, f"import pathlib; pathlib.Path({str(marker)!r}).touch()")


def _hub(marker: Path) -> object:
    folder = marker.parent / "hub"
    folder.mkdir(exist_ok=True)
    (folder / "hubconf.py").write_text(f"open({str(marker)!r}, 'w').close()\n", encoding="utf-8")
    return Reduces(torch.hub._load_local, str(folder), "model")


def _load_unsafe(marker: Path) -> object:
    inner = marker.parent / "inner.pt"
    torch.save(_system(marker), inner)
    return Reduces(partial(torch.load, weights_only=False), str(inner))


PAYLOADS: dict[str, tuple[Callable[[Path], object], str]] = {
    "os.system": (_system, "posix.system"),
    "eval": (_eval, "eval"),
    "exec": (_exec, "exec"),
    "torch.hub": (_hub, "torch.hub._load_local"),
    "torch.load": (_load_unsafe, "functools.partial"),
    "__setstate__": (Builds, "tests.importing.readers.hostile.Builds"),
}
"""Objects that make `marker` when they are unpickled, and the name that a refusal must give."""


def _zip(payload: object, file: Path) -> None:
    torch.save({"embedding.weight": torch.ones(2, 3), "more": payload}, file)


def _legacy(payload: object, file: Path) -> None:
    torch.save({"w": torch.ones(2, 3), "more": payload}, file, _use_new_zipfile_serialization=False)


def _plain(payload: object, file: Path) -> None:
    file.write_bytes(pickle.dumps(OrderedDict(w=1, more=payload)))


def _protocol_4(payload: object, file: Path) -> None:
    torch.save({"w": torch.ones(2, 3), "more": payload}, file, pickle_protocol=4)


def _whole_legacy_file(payload: object, file: Path) -> None:
    """The pickle is the file's head: it stands where torch.save's magic number would."""
    file.write_bytes(pickle.dumps(payload, protocol=2))


def _torchscript(payload: object, file: Path) -> None:
    """A scripted module's archive, whose data.pkl is the payload."""
    with warnings.catch_warnings(action="ignore"):  # torch says that it is deprecated
        torch.jit.save(torch.jit.script(torch.nn.Linear(2, 3)), file)
    replace(file, "data.pkl", pickle.dumps(payload, protocol=2))


def replace(file: Path, name: str, content: bytes) -> None:
    """Put other content in place of an entry of a zip archive, named without its first folder."""
    with zipfile.ZipFile(file) as archive:
        entries = {entry: archive.read(entry) for entry in archive.namelist()}
    with zipfile.ZipFile(file, "w") as archive:
        for entry, kept in entries.items():
            archive.writestr(entry, content if entry.partition("/")[2] == name else kept)


CARRIERS: dict[str, Callable[[object, Path], None]] = {
    "zip": _zip,
    "legacy": _legacy,
    "plain pickle": _plain,
    "protocol 4": _protocol_4,
    "bare": _whole_legacy_file,
    "torchscript": _torchscript,
}


def refusal(file: Path, *, ignore: tuple[str, ...] = ()) -> str:
    with pytest.raises(SourceError) as caught:
        open_weights(file, ignore=ignore)
    text = str(caught.value)
    assert str(file) in text
    assert "\n" not in text
    return text


def problem(file: Path) -> str:
    """The refusal of a file; empty if there is none."""
    try:
        open_weights(file)
    except SourceError as error:
        return str(error)
    return ""
