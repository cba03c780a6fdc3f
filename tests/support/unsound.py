"""Models with a number that isn't finite, where no golden sentence looks."""

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from bothends.model.bundle import CONFIG, MODEL, Bundle
from bothends.model.graph import TABLE
from tests.chaos.tampering import read, rehashed

WORD = "sings"
"""A word of the toy model that no golden sentence has."""


def with_number(model: bytes, number: float, *, tensor: str = TABLE, place: tuple[int, ...]) -> bytes:
    """Put `number` into a tensor of a model.onnx."""
    changed = onnx.load_from_string(model)
    found = next(one for one in changed.graph.initializer if one.name == tensor)
    numbers = np.array(numpy_helper.to_array(found))
    numbers[place] = number
    found.CopyFrom(numpy_helper.from_array(numbers, tensor))
    return bytes(changed.SerializeToString())


def rare_row(bundle: Bundle) -> int:
    """Row of WORD in a toy model's table."""
    row: int = json.loads(bundle.tokenizer)["model"]["vocab"][WORD]
    assert all(row not in ids for ids in bundle.golden.token_ids)
    return row


def published_unsound(bundle: Bundle, folder: Path, number: float, *, version: str = "2") -> Path:
    """Put a toy bundle at `folder`, whole at once, in which `number` is the last of WORD's row; hashes are right."""
    hidden = folder.with_name(f".{folder.name}")
    shutil.copytree(bundle.path, hidden)
    files = read(hidden)
    files[MODEL] = with_number(files[MODEL], number, place=(rare_row(bundle), -1))
    files[CONFIG] = json.dumps(json.loads(files[CONFIG]) | {"version": version}).encode()
    for name, content in rehashed(files).items():
        (hidden / name).write_bytes(content)
    hidden.rename(folder)
    return folder
