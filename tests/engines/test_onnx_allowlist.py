"""Which models reach onnxruntime: those that `bothends export` could have written. Hashes are right in all of these."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from bothends.engines.onnx_allowlist import OPERATORS, parse_allowed
from bothends.engines.onnxruntime import OnnxRuntimeEngine
from bothends.errors import BundleError
from bothends.model.bundle import Bundle
from tests.support.shapes import SHAPES

Attack = Callable[[onnx.ModelProto], None]
SOURCE = Path("model.onnx")


def external(location: str) -> Attack:
    """Weights that are to be read from another file."""

    def attack(model: onnx.ModelProto) -> None:
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=location)

    return attack


def another_domain(model: onnx.ModelProto) -> None:
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))


def node_of_another_domain(model: onnx.ModelProto) -> None:
    model.graph.node[0].domain = "com.microsoft"


def custom_operator(model: onnx.ModelProto) -> None:
    model.graph.node[0].op_type = "RunMe"


def hostile_name(model: onnx.ModelProto) -> None:
    """onnxruntime quotes names in what it says."""
    model.graph.node[0].output[0] = "\x1b[31m"


def long_name(model: onnx.ModelProto) -> None:
    model.graph.input[0].name = "x" * 257


def other_operator(model: onnx.ModelProto) -> None:
    model.graph.node.append(helper.make_node("Loop", ["", "", "embedding"], ["x"]))


def subgraph(model: onnx.ModelProto) -> None:
    model.graph.node[0].attribute.add(name="perm", type=onnx.AttributeProto.GRAPH, g=onnx.GraphProto(name="inner"))


def tensor_attribute(model: onnx.ModelProto) -> None:
    model.graph.node[0].attribute.add(name="perm", type=onnx.AttributeProto.TENSOR, t=model.graph.initializer[0])


def function(model: onnx.ModelProto) -> None:
    model.functions.add(name="Transpose", domain="")


def training(model: onnx.ModelProto) -> None:
    model.training_info.add()


def sparse(model: onnx.ModelProto) -> None:
    model.graph.sparse_initializer.add()


def metadata(model: onnx.ModelProto) -> None:
    """Metadata are where onnxruntime looks for settings of its own."""
    model.metadata_props.add(key="ort_config", value="{}")


def attribute(model: onnx.ModelProto) -> None:
    model.graph.node[0].attribute.add(name="axis", type=onnx.AttributeProto.INT, i=1)


def other_numbers(model: onnx.ModelProto) -> None:
    """What float64, bfloat16 and the like hold isn't looked at, so there is none."""
    model.graph.initializer[0].data_type = TensorProto.BFLOAT16


def many_nodes(model: onnx.ModelProto) -> None:
    model.graph.node.extend([model.graph.node[0]] * 128)


def wide_concat(model: onnx.ModelProto) -> None:
    """A table joined with itself a million times is a terabyte."""
    model.graph.node.append(helper.make_node("Concat", ["embedding.weight"] * 1_000_000, ["bomb"], axis=0))


ATTACKS: list[tuple[Attack, str]] = [
    (external("../../../../etc/passwd"), "has external_data in a TensorProto"),
    (external("/etc/passwd"), "has external_data in a TensorProto"),
    (external("tokenizer.json"), "has external_data in a TensorProto"),
    (another_domain, "asks for operators of the domain 'com.microsoft'"),
    (node_of_another_domain, "has domain in a NodeProto"),
    (custom_operator, r"holds the operator 'RunMe'"),
    (hostile_name, "has a output in a NodeProto that is long or isn't plain text"),
    (long_name, "has a name in a ValueInfoProto that is long or isn't plain text"),
    (other_operator, "holds the operator 'Loop'"),
    (subgraph, "has g, a graph in a AttributeProto"),
    (tensor_attribute, "has t, a tensor in a AttributeProto"),
    (function, "has functions in a ModelProto"),
    (training, "has training_info in a ModelProto"),
    (sparse, "has sparse_initializer in a GraphProto"),
    (metadata, "has metadata_props in a ModelProto"),
    (attribute, "gives 'Transpose' the attribute 'axis'"),
    (other_numbers, "holds 'embedding.weight' in numbers of type 16"),
    (many_nodes, r"has \d+ nodes, more than 128"),
    (wide_concat, "gives 'Concat' 1000000 inputs, more than 8"),
]


@pytest.fixture
def never_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """onnxruntime must not so much as see the model."""

    def loaded(*_: object, **__: object) -> None:
        raise AssertionError("the model reached onnxruntime")

    monkeypatch.setattr(onnxruntime, "InferenceSession", loaded)


@pytest.mark.parametrize(("attack", "message"), ATTACKS, ids=[message for _, message in ATTACKS])
def test_what_export_does_not_write_is_refused_before_it_is_loaded(
    toy_bundle: Bundle, never_loaded: None, attack: Attack, message: str
) -> None:
    """A refusal names what is wrong, in one line without control characters."""
    model = onnx.load_from_string(toy_bundle.model)
    attack(model)
    with pytest.raises(BundleError, match=rf"model\.onnx {message}") as refused:
        OnnxRuntimeEngine(replace(toy_bundle, model=model.SerializeToString()), device="cpu")
    assert str(refused.value).isprintable()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"garbage", "malformed protobuf"),
        (b"\x08\x00\x00\x00ORTM" + bytes(64), "malformed protobuf"),
        (b"\x0a\x02" * 200, "has field 1 in a ModelProto"),
        (b"\x3a\xff\xff\xff\xff\x0f", "malformed protobuf"),
        (b"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "malformed protobuf"),
        (b"\x0b" * 5000, "malformed protobuf"),
        (b"\xfa\x01\x00", "has field 31 in a ModelProto"),
    ],
    ids=["garbage", "onnxruntime's own format", "another type", "huge length", "endless number", "groups", "unknown"],
)
def test_other_bytes_are_refused(content: bytes, message: str) -> None:
    with pytest.raises(BundleError, match=message):
        parse_allowed(content, SOURCE)


def test_bytes_that_another_parser_might_read_otherwise_are_refused(toy_bundle: Bundle) -> None:
    """The graph's field twice is merged by some and replaced by others; an overlong number is one more such place."""
    parse_allowed(toy_bundle.model, SOURCE)
    for other in (toy_bundle.model + b"\x3a\x00", toy_bundle.model + b"\x08\x88\x00", b"\x08\x07" + toy_bundle.model):
        with pytest.raises(BundleError, match="isn't written as protobuf's own libraries write"):
            parse_allowed(other, SOURCE)


def test_the_operators_are_those_that_export_writes(make_bundle: Callable[..., Bundle]) -> None:
    """No more and no fewer, and each graph of theirs is allowed."""
    written: dict[bytes, set[bytes]] = {}
    for shape in SHAPES.values():
        model = make_bundle(**shape).model
        parse_allowed(model, SOURCE)
        for node in onnx.load_from_string(model).graph.node:
            written.setdefault(node.op_type.encode(), set()).update(a.name.encode() for a in node.attribute)
    assert written == OPERATORS
