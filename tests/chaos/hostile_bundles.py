"""Bundles with right hashes, or none, made to cost a server memory, time, or the interpreter's attention."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import onnx

from bothends.model.bundle import CONFIG, MODEL, TOKENIZER

from .tampering import read, rehashed

Making = Callable[[Path], None]
"""Change of a folder that holds a good bundle."""


def published(good: Path, folder: Path, make: Making, *, version: str) -> None:
    """Put a copy of `good` that `make` has changed at `folder`, whole at once, with right hashes unless it is large."""
    hidden = folder.with_name(f".{folder.name}")
    shutil.copytree(good, hidden)
    config = json.loads((hidden / CONFIG).read_text())
    (hidden / CONFIG).write_text(json.dumps(config | {"version": version}))
    make(hidden)
    if (hidden / MODEL).stat().st_size < 1 << 30:
        (hidden / CONFIG).write_bytes(rehashed(read(hidden))[CONFIG])
    hidden.rename(folder)


def with_normaliser(*steps: dict[str, object]) -> Making:
    """Have a tokenizer's text pass these steps first."""

    def make(folder: Path) -> None:
        made = json.loads((folder / TOKENIZER).read_text())
        made["normalizer"] = {"type": "Sequence", "normalizers": [*steps, made["normalizer"]]}
        (folder / TOKENIZER).write_text(json.dumps(made, ensure_ascii=False))

    return make


def backtracking(folder: Path) -> None:
    """Have the tokenizer split text by a pattern that takes exponential time, which its golden sentences don't show."""
    made = json.loads((folder / TOKENIZER).read_text())
    split = {"type": "Split", "pattern": {"Regex": "(q+q+)+z"}, "behavior": "Isolated", "invert": False}
    made["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [split, made["pre_tokenizer"]]}
    (folder / TOKENIZER).write_text(json.dumps(made, ensure_ascii=False))


def _growing(_: int) -> dict[str, object]:
    return {"type": "Replace", "pattern": {"String": "e"}, "content": "e" * 11}


def joined(folder: Path, *, times: int = 6) -> None:
    """Have the graph join a state with itself again and again, eight times as much each time."""
    model = onnx.load_from_string((folder / MODEL).read_bytes())
    name = next(node.output[0] for node in model.graph.node if node.op_type == "Gather")
    nodes = []
    for number in range(times):
        nodes.append(onnx.helper.make_node("Concat", [name] * 8, [f"joined{number}"], axis=0))
        name = f"joined{number}"
    index = next(index for index, node in enumerate(model.graph.node) if node.op_type == "Gather")
    for node in reversed(nodes):
        model.graph.node.insert(index + 1, node)
    lstm = next(node for node in model.graph.node if node.op_type in ("LSTM", "GRU"))
    lstm.input[0] = name
    (folder / MODEL).write_bytes(model.SerializeToString())


def sparse(folder: Path) -> None:
    """Make the model two gigabytes that take no room on the disk, and that have another hash."""
    os.truncate(folder / MODEL, 2**31 - 1)


def large_vocabulary(folder: Path, *, words: int = 400_000) -> None:
    """Give the tokenizer words that share the ids of others: an honest one of 15 MB, which takes long to be made."""
    made = json.loads((folder / TOKENIZER).read_text())
    vocabulary = made["model"]["vocab"]
    names = (hashlib.sha256(str(word).encode()).hexdigest()[:24] for word in range(words))
    vocabulary |= {name: index % len(vocabulary) for index, name in enumerate(names)}
    (folder / TOKENIZER).write_text(json.dumps(made, ensure_ascii=False))


HOSTILE: dict[str, Making] = {
    "8 replacements": with_normaliser(*map(_growing, range(8))),
    "6 concatenations": joined,
    "7 concatenations": partial(joined, times=7),
    "2 GiB of nothing": sparse,
    "a pattern that backtracks": backtracking,
}
"""Functions that make each kind."""
