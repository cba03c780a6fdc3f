"""Keras's files (.keras, .weights.h5, and whole models or weights in its older .h5) to tensors and the model's config.

Nothing in them is code that could run here: a config is JSON, and what it names is only looked up. Knows no layers.
"""

import importlib
import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bothends.validation import printable

from .floats import check_expansion
from .source import SourceError

CONFIG = "config"
"""Where `extras` hold the model's config, if the file has one."""
LAYERS = "layers"
"""Where `extras` hold each layer's tensors, by the names of both, in the order of Keras's `layer.weights`."""

_NO_WEIGHTS = ("optimizer", "optimizer_weights", "seed_generator", "top_level_model_weights")
_CONTAINERS = ("layers", "_layer_checkpoint_dependencies", "model_weights")
_MOST_ENTRIES = 10_000
_DEEPEST = 16


def read(file: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The weights by their paths in the file; CONFIG and LAYERS are the extras. Raises SourceError."""
    try:
        with _root(file) as (root, config):
            datasets = dict(_datasets(root, file))
            check_expansion(sum(dataset.nbytes for dataset in datasets.values()), file)
            tensors = {name: _tensor(dataset) for name, dataset in datasets.items()}
            whole = config or root.attrs.get("model_config")
            extras = {LAYERS: _layers(list(tensors))}
            return tensors, extras | ({CONFIG: json.loads(whole)} if whole else {})
    except SourceError:
        raise
    except Exception as error:  # a damaged file raises whatever the wrong byte leads to
        raise SourceError(f"{file} is a damaged Keras file: {printable(error)}") from error


@contextmanager
def _root(file: Path) -> Iterator[tuple[Any, bytes | None]]:
    try:
        h5py = importlib.import_module("h5py")
    except ImportError as error:
        raise SourceError(f"{file} is of Keras's, and reading it needs h5py: pip install 'bothends[import]'") from error
    if not zipfile.is_zipfile(file):
        with h5py.File(file, "r") as root:
            yield root, None
        return
    with zipfile.ZipFile(file) as archive:
        config, weights = archive.read("config.json"), io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(weights, "r") as root:
        yield root, config


def _datasets(root: Any, file: Path) -> Iterator[tuple[str, Any]]:
    """Datasets of numbers by path. A group that says the order of its weights (the older .h5) is read in that order."""
    waiting = [("", root)]
    seen = 0
    while waiting:
        path, entry = waiting.pop()
        seen += 1
        if seen > _MOST_ENTRIES or path.count("/") > _DEEPEST:
            raise SourceError(f"{file} holds more groups than a model has layers, or a group that holds itself")
        if not hasattr(entry, "keys"):
            _check_own(path, entry, file)
            yield path, entry
            continue
        ordered = [
            name.decode() if isinstance(name, bytes) else str(name) for name in entry.attrs.get("weight_names", ())
        ]
        names = ordered or [name for name in sorted(entry, key=_numbers_last) if name not in _NO_WEIGHTS]
        children = [(f"{path}/{name}" if path else name, _child(entry, name, file)) for name in names]
        waiting.extend(reversed(children))


def _numbers_last(name: str) -> tuple[str, int]:
    """Keras calls a layer's weights 0, 1, …, 10; and a forward layer comes before the backward one."""
    if name in ("forward_layer", "backward_layer"):
        return "", ("forward_layer", "backward_layer").index(name)
    return ("~", int(name)) if name.isdecimal() else (name, 0)


def _child(group: Any, path: str, file: Path) -> Any:
    """What `path` names in `group`, if every step of it is a plain link: others may lead to other files."""
    entry = group
    for part in path.split("/"):
        link = entry.get(part, getlink=True)
        if type(link).__name__ != "HardLink":
            raise SourceError(f"{file}: {printable(path)} is a link ({type(link).__name__}), which isn't followed")
        entry = entry[part]
    return entry


def _check_own(path: str, dataset: Any, file: Path) -> None:
    if dataset.is_virtual or dataset.external:
        raise SourceError(f"{file}: {printable(path)} keeps its numbers in another file, which isn't read")
    if dataset.dtype.kind not in "fiub":
        raise SourceError(f"{file}: {printable(path)} holds {printable(dataset.dtype)}, which are no weights")


def _tensor(dataset: Any) -> Tensor:
    numbers = dataset.astype(dataset.dtype.newbyteorder("="))[...]
    return torch.from_numpy(numbers)


def _layers(names: list[str]) -> dict[str, list[str]]:
    layers: dict[str, list[str]] = {}
    for name in names:
        parts = name.split("/")
        at = 1 if parts[0] in _CONTAINERS and len(parts) > 1 else 0
        layers.setdefault(parts[at], []).append(name)
    return layers
