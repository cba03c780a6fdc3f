"""Reads Keras's files: .keras, .weights.h5, and whole models or weights in the older .h5.

Nothing in them can run here: a config is JSON, and what it names is only looked up. The HDF5 inside is read in Python
(pyfive), since the usual C library crashes on damaged files.
"""

import importlib
import io
import json
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bothends.text import printable

from ..source import SourceError
from .floats import check_expansion

CONFIG = "config"
"""Key of the model's config in `extras`, if the file has one."""
LAYERS = "layers"
"""Key in `extras` of each layer's tensors, by the names of both, in the order of Keras's `layer.weights`."""

_NO_WEIGHTS = ("optimizer", "optimizer_weights", "seed_generator", "top_level_model_weights")
_CONTAINERS = ("layers", "_layer_checkpoint_dependencies", "model_weights")
_MAX_ENTRIES = 10_000
_DEEPEST = 16
_CONTIGUOUS, _CHUNKED = 1, 2
_DEFLATE, _SHUFFLE, _FLETCHER32 = 1, 2, 3
"""Filters by the numbers that HDF5 gives them (HDF5 File Format Specification, IV.A.2.l)."""
_MAX_BESIDE = 1
_NOWHERE = 2**64 - 1


def read(file: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the weights by their paths in the file, and as extra data CONFIG and LAYERS. Raises SourceError."""
    try:
        pyfive = importlib.import_module("pyfive")
    except ImportError as error:
        raise SourceError(f"{file} is of Keras's; reading it needs pyfive: pip install 'bothends[import]'") from error
    try:
        content, config = _parts(file)
        _check_end(content, file)
        with warnings.catch_warnings(action="ignore"), pyfive.File(io.BytesIO(content)) as root:
            datasets = dict(_datasets(root, file))
            check_expansion(sum(prod(d.shape) * d.dtype.itemsize for d in datasets.values()), file)
            _check_chunks(datasets, file)
            tensors = {name: _tensor(dataset) for name, dataset in datasets.items()}
            whole = config or root.attrs.get("model_config")
        extras = {LAYERS: _layers(list(tensors))}
        return tensors, extras | ({CONFIG: json.loads(whole)} if whole else {})
    except SourceError:
        raise
    except Exception as error:  # a damaged file raises whatever the wrong byte leads to
        raise SourceError(f"{file} is a damaged Keras file: {printable(error) or type(error).__name__}") from error


def _parts(file: Path) -> tuple[bytes, bytes | None]:
    """Return the HDF5 file of the weights, and the config beside it in a .keras archive."""
    if not zipfile.is_zipfile(file):
        return file.read_bytes(), None
    with zipfile.ZipFile(file) as archive:
        return archive.read("model.weights.h5"), archive.read("config.json")


def _datasets(root: Any, file: Path) -> Iterator[tuple[str, Any]]:
    """Datasets of numbers by path. A group that says the order of its weights (the older .h5) is read in that order."""
    waiting: list[tuple[str, Any]] = [("", root)]
    seen = 0
    while waiting:
        path, entry = waiting.pop()
        seen += 1
        if seen > _MAX_ENTRIES or path.count("/") > _DEEPEST:
            raise SourceError(f"{file} holds more groups than a model has layers, or a group that holds itself")
        if not hasattr(entry, "keys"):
            _check(path, entry, file)
            yield path, entry
            continue
        ordered = [
            name.decode() if isinstance(name, bytes) else str(name) for name in entry.attrs.get("weight_names", ())
        ]
        names = ordered or [name for name in sorted(entry, key=_numbers_last) if name not in _NO_WEIGHTS]
        waiting.extend((f"{path}/{name}" if path else name, entry[name]) for name in reversed(names))


def _check(path: str, dataset: Any, file: Path) -> None:
    if dataset.dtype.kind not in "fiub":
        raise SourceError(f"{file}: {printable(path)} holds {printable(dataset.dtype)}, which are no weights")
    if dataset.id.layout_class == _CONTIGUOUS and dataset.id.data_offset == _NOWHERE:
        raise SourceError(f"{file}: the numbers of {printable(path)} aren't in this file")


def _check_chunks(datasets: dict[str, Any], file: Path) -> None:
    """Refuse chunks that unpack to more than they should, before any is unpacked for good.

    Filters are what h5py sets for gzip: shuffling before it and a checksum after it, each at most once.
    """
    chunked = {path: dataset for path, dataset in datasets.items() if dataset.id.layout_class == _CHUNKED}
    sizes = {path: prod(dataset.chunks) * dataset.dtype.itemsize for path, dataset in chunked.items()}
    check_expansion(sum(sizes[path] * dataset.id.get_num_chunks() for path, dataset in chunked.items()), file)
    for path, dataset in chunked.items():
        filters = [each["filter_id"] for each in dataset.id.filter_pipeline or ()]
        if filters != [each for each in (_SHUFFLE, _DEFLATE, _FLETCHER32) if each in filters]:
            raise SourceError(f"{file}: {printable(path)} is packed otherwise than h5py's gzip does; save it without")
        if _DEFLATE not in filters:
            continue
        for number in range(dataset.id.get_num_chunks()):
            _, packed = dataset.id.read_direct_chunk(dataset.id.get_chunk_info(number).chunk_offset)
            if len(zlib.decompressobj().decompress(packed, sizes[path] + _MAX_BESIDE)) > sizes[path]:
                raise SourceError(f"{file}: a chunk of {printable(path)} unpacks to more than its {sizes[path]} bytes")


def _check_end(content: bytes, file: Path) -> None:
    """HDF5's superblock, by its version, says where the file ends (HDF5 File Format Specification, II.A)."""
    at = {0: 40, 1: 44, 2: 28, 3: 28}.get(content[8] if len(content) > 8 else -1, 0)
    end = int.from_bytes(content[at : at + 8], "little")
    if at and end > len(content):
        raise SourceError(f"{file} is damaged: its HDF5 ends after {len(content):,} bytes, not {end:,}")


def _numbers_last(name: str) -> tuple[str, int]:
    """Keras calls a layer's weights 0, 1, …, 10; and a forward layer comes before the backward one."""
    if name in ("forward_layer", "backward_layer"):
        return "", ("forward_layer", "backward_layer").index(name)
    return ("~", int(name)) if name.isdecimal() else (name, 0)


def _tensor(dataset: Any) -> Tensor:
    numbers = np.array(dataset[...])  # a copy: what was read is a view of the file
    return torch.from_numpy(numbers.astype(numbers.dtype.newbyteorder("=")))


def _layers(names: list[str]) -> dict[str, list[str]]:
    layers: dict[str, list[str]] = {}
    for name in names:
        parts = name.split("/")
        at = 1 if parts[0] in _CONTAINERS and len(parts) > 1 else 0
        layers.setdefault(parts[at], []).append(name)
    return layers
