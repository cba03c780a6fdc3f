"""Refuses every ONNX model except those that `bothends export` could have written, before onnxruntime reads it.

External weight files, functions, subgraphs and operators of other domains are refused even if the file's hash is right:
whoever can write a model can write hashes. What the graph computes is checked by the golden sentences. Only the few
fields of onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto) that an exported model uses are declared
here, so that the `onnx` package isn't needed.
"""

from collections.abc import Iterator, MutableSequence, Sequence
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet

from ..errors import BundleError
from ..model.graph import operators
from ..model.nodes import FLOAT, HALF, INT32, INT64

OPERATORS: dict[bytes, frozenset[bytes]] = {
    operator.encode(): frozenset(name.encode() for name in attributes) for operator, attributes in operators().items()
}
"""Each operator of ONNX's own that an encoder's graph holds, and the attributes that it is given there."""
_TYPES = frozenset({FLOAT, HALF, INT32, INT64})
"""Types of the numbers that a model holds."""
_MAX_NODES = 128
"""Most nodes of a graph. An encoder that has of everything, and 8 layers, has 120."""
_MAX_INPUTS = 8
"""Most inputs of one node: as many as an LSTM may have. Joining more would make much of little."""
_MAX_NAME_BYTES = 256

_ONNX = {
    "ModelProto": "1 ir_version int64, 2 producer_name bytes, 7 graph GraphProto, 8 opset_import OperatorSetIdProto*",
    "OperatorSetIdProto": "1 domain bytes, 2 version int64",
    "GraphProto": "1 node NodeProto*, 2 name bytes, 5 initializer TensorProto*, 11 input ValueInfoProto*, "
    "12 output ValueInfoProto*",
    "NodeProto": "1 input bytes*, 2 output bytes*, 3 name bytes, 4 op_type bytes, 5 attribute AttributeProto*",
    "AttributeProto": "1 name bytes, 2 f float, 3 i int64, 4 s bytes, 8 ints int64*, 20 type int32",
    "TensorProto": "1 dims int64*, 2 data_type int32, 8 name bytes, 9 raw_data bytes",
    "ValueInfoProto": "1 name bytes, 2 type TypeProto",
    "TypeProto": "1 tensor_type TensorTypeProto",
    "TensorTypeProto": "1 elem_type int32, 2 shape TensorShapeProto",
    "TensorShapeProto": "1 dim DimensionProto*",
    "DimensionProto": "1 dim_value int64, 2 dim_param bytes",
}
"""Fields of ONNX's messages that an exported model has: number, name, type, * if repeated. Text is read as bytes,
since ONNX's parser accepts any."""
_NAMES = {
    ("ModelProto", 14): "metadata_props",
    ("ModelProto", 20): "training_info",
    ("ModelProto", 25): "functions",
    ("GraphProto", 15): "sparse_initializer",
    ("NodeProto", 7): "domain",
    ("AttributeProto", 5): "t, a tensor",
    ("AttributeProto", 6): "g, a graph",
    ("AttributeProto", 11): "graphs",
    ("AttributeProto", 21): "ref_attr_name",
    ("TensorProto", 13): "external_data",
    ("TensorProto", 14): "data_location",
}
"""Names of the better known among the other fields, for the reader of a refusal."""


def _model_class() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="bothends/onnx.proto", package="bothends.onnx", syntax="proto2")
    kinds = descriptor_pb2.FieldDescriptorProto
    for message, fields in _ONNX.items():
        declared = file.message_type.add(name=message)
        for number, name, kind in (field.split() for field in fields.split(", ")):
            label = kinds.LABEL_REPEATED if kind.endswith("*") else kinds.LABEL_OPTIONAL
            field = declared.field.add(number=int(number), name=name, label=label)
            if (kind := kind.removesuffix("*")) in _ONNX:
                field.type, field.type_name = kinds.TYPE_MESSAGE, f".bothends.onnx.{kind}"
            else:
                field.type = kinds.Type.Value(f"TYPE_{kind.upper()}")
    pool = descriptor_pool.DescriptorPool()  # one of its own: the `onnx` package may be in the same process
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("bothends.onnx.ModelProto"))


_Model = _model_class()


def parse_allowed(model: bytes, source: Path) -> Any:
    """Parse the ONNX ModelProto in `model`, with the fields that this module declares.

    Raises BundleError, naming `source` and what is wrong, if `bothends export` couldn't have written it.
    """
    try:
        read = _Model.FromString(model)
    except DecodeError:
        raise BundleError(f"{source} is no ONNX model: malformed protobuf") from None
    for reason in _reasons(read, model):
        raise BundleError(f"{source} {reason}; a bundle's model holds only what `bothends export` writes")
    return read


def _reasons(read: Any, model: bytes) -> Iterator[str]:
    """Reasons against a model."""
    yield from _unusual(read)
    # Bytes that say the same in another way might say another thing to another parser, and onnxruntime has its own.
    if read.SerializeToString() != model:
        yield "isn't written as protobuf's own libraries write"
    for opset in read.opset_import:
        if opset.domain:
            yield f"asks for operators of the domain {_shown(opset.domain)}"
    for tensor in read.graph.initializer:
        if tensor.data_type not in _TYPES:
            yield f"holds {_shown(tensor.name)} in numbers of type {tensor.data_type}"
    yield from _unusual_nodes(read.graph.node)


def _unusual_nodes(nodes: Sequence[Any]) -> Iterator[str]:
    """Reasons against a graph's nodes."""
    if len(nodes) > _MAX_NODES:
        yield f"has {len(nodes)} nodes, more than {_MAX_NODES}"
    for node in nodes:
        if node.op_type not in OPERATORS:
            yield f"holds the operator {_shown(node.op_type)}"
            return
        if len(node.input) > _MAX_INPUTS:
            yield f"gives {_shown(node.op_type)} {len(node.input)} inputs, more than {_MAX_INPUTS}"
        for attribute in node.attribute:
            if attribute.name not in OPERATORS[node.op_type]:
                yield f"gives {_shown(node.op_type)} the attribute {_shown(attribute.name)}"


def _unusual(message: Message) -> Iterator[str]:
    """Fields that an exported model doesn't have, and names that no log should show, at any depth."""
    kind = message.DESCRIPTOR.name
    fields = UnknownFieldSet(message)
    for field in (fields[index] for index in range(len(fields))):
        name = _NAMES.get((kind, field.field_number), f"field {field.field_number}")
        yield f"has {name} in a {kind}"
    for declared, value in message.ListFields():
        values = (
            value if isinstance(value, MutableSequence) else [value]
        )  # protobuf 5 has no `is_repeated`, 7 no `label`
        if declared.message_type is not None:
            for inner in values:
                yield from _unusual(inner)
        elif declared.type == declared.TYPE_BYTES and declared.name != "raw_data" and not all(map(_is_plain, values)):
            yield f"has a {declared.name} in a {kind} that is long or isn't plain text"


def _is_plain(text: bytes) -> bool:
    return len(text) <= _MAX_NAME_BYTES and text.isascii() and text.decode().isprintable()


def _shown(name: bytes) -> str:
    return repr(name.decode())
