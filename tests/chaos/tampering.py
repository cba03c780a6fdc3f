"""Changes a bundle's files as an attacker might."""

import hashlib
import json
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

import onnx

from bothends.engines.onnx_allowlist import OPERATORS
from bothends.model.bundle import CONFIG, HASHED, MODEL

Files: TypeAlias = dict[str, bytes]
_NUMBERS = [0, 1, -1, 2, 3, 7, 16, 32, -(2**31), 2**31 - 1, 2**31, 2**40, 2**62, -(2**63), 2**63 - 1]


def read(folder: Path) -> Files:
    """Read all files of a folder."""
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def rehashed(files: Mapping[str, bytes]) -> Files:
    """Write right hashes of these files into their config: whoever can write a folder can write them."""
    config = json.loads(files[CONFIG])
    config["sha256"] = {name: hashlib.sha256(files[name]).hexdigest() for name in HASHED}
    return {**files, CONFIG: json.dumps(config).encode()}


def damaged(content: bytes, chance: random.Random) -> bytes:
    """Flip, set, cut out or put in a few bytes, often near the beginning or the end."""
    found = bytearray(content)
    for _ in range(chance.choice([1, 1, 1, 2, 4, 16])):
        size = len(found)
        at = chance.choice(
            [chance.randrange(size), chance.randrange(min(size, 400)), size - 1 - chance.randrange(min(size, 400))]
        )
        what = chance.randrange(4)
        if what == 0:
            found[at] ^= 1 << chance.randrange(8)
        elif what == 1:
            found[at] = chance.choice([0, 1, 127, 128, 255])
        elif what == 2:
            del found[at : at + chance.choice([1, 4, 100])]
        else:
            found[at:at] = chance.randbytes(chance.choice([1, 4, 100]))
        found = found or bytearray(1)
    return bytes(found)


def twisted(model: bytes, chance: random.Random) -> bytes:
    """A graph of the same few operators, joined and sized otherwise: allowed, and for onnxruntime to refuse."""
    found = onnx.load_from_string(model)
    for _ in range(chance.choice([1, 1, 2, 3])):
        chance.choice(_TWISTS)(found, chance)
    return bytes(found.SerializeToString())


def _attribute(model: onnx.ModelProto, chance: random.Random) -> None:
    for attribute in chance.choice(model.graph.node).attribute:
        if attribute.type == onnx.AttributeProto.INT:
            attribute.i = chance.choice(_NUMBERS)
        elif attribute.type == onnx.AttributeProto.INTS:
            attribute.ints[chance.randrange(len(attribute.ints))] = chance.choice(_NUMBERS)
        else:
            attribute.s = chance.choice([b"forward", b"reverse", b"", b"x" * 1000])


def _edge(model: onnx.ModelProto, chance: random.Random) -> None:
    node = chance.choice(model.graph.node)
    names = [name for other in model.graph.node for name in (*other.input, *other.output)]
    node.input[chance.randrange(len(node.input))] = chance.choice(names)


def _operator(model: onnx.ModelProto, chance: random.Random) -> None:
    chance.choice(model.graph.node).op_type = chance.choice(sorted(OPERATORS)).decode()


def _size(model: onnx.ModelProto, chance: random.Random) -> None:
    tensor = chance.choice(model.graph.initializer)
    tensor.dims[chance.randrange(len(tensor.dims))] = chance.choice(_NUMBERS)


def _type(model: onnx.ModelProto, chance: random.Random) -> None:
    chance.choice(model.graph.initializer).data_type = chance.randrange(24)


def _weights(model: onnx.ModelProto, chance: random.Random) -> None:
    tensor = chance.choice(model.graph.initializer)
    tensor.raw_data = damaged(tensor.raw_data, chance)


def _signature(model: onnx.ModelProto, chance: random.Random) -> None:
    value = chance.choice([*model.graph.input, *model.graph.output])
    axes = value.type.tensor_type.shape.dim
    axes[chance.randrange(len(axes))].dim_value = chance.choice(_NUMBERS)


def _version(model: onnx.ModelProto, chance: random.Random) -> None:
    model.opset_import[0].version = chance.choice([*range(30), *_NUMBERS])
    model.ir_version = chance.choice([8, *range(20), *_NUMBERS])


_TWISTS: list[Callable[[onnx.ModelProto, random.Random], None]] = [
    _attribute,
    _edge,
    _operator,
    _size,
    _type,
    _weights,
    _signature,
    _version,
]


def tampered(files: Files, chance: random.Random) -> tuple[str, Files]:
    """Damage one file or, if it is the model, twist it; its hash is right. Returns its name and all files."""
    name = chance.choice([*HASHED, CONFIG, MODEL, MODEL])
    change = twisted if name == MODEL and chance.random() < 0.8 else damaged
    changed = {**files, name: change(files[name], chance)}
    return name, changed if name == CONFIG else rehashed(changed)
