"""ONNX encoders that doctor understands are served: right ones as they are, mistaken ones as they were meant."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from bothends.model.architecture import EncoderConfig
from bothends_export.encoder import Encoder
from bothends_export.graph import build
from tests.doctor import graphs
from tests.doctor.modules import HIDDEN, VOCABULARY

from .end_to_end import TOLERANCE, embedded, imported, notes, refused

WORDS = [f"w{row}" for row in range(VOCABULARY)]
LENGTHS = (1, 2, 7, 15)
TOML = '[tokenizer]\nvocabulary = "words.txt"\nsplit = "whitespace"\nunknown = "w0"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for a graph, with its words and the TOML that names them."""
    (tmp_path / "words.txt").write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    (tmp_path / "encoder.toml").write_text(TOML, encoding="utf-8")
    return tmp_path


def ids() -> list[NDArray[np.int64]]:
    random = np.random.default_rng(3)
    return [random.integers(0, VOCABULARY, length) for length in LENGTHS]


def rows_imported(folder: Path) -> NDArray[np.float32]:
    """Rows by the checkpoint that is made of encoder.onnx, each sentence alone."""
    imported(folder / "encoder.onnx", "--encoder", folder / "encoder.toml")
    return embedded(folder, [" ".join(WORDS[row] for row in rows) for rows in ids()])


def rows_of(file: Path) -> NDArray[np.float32]:
    """Rows by the graph itself, each sentence alone and without padding."""
    session = onnxruntime.InferenceSession(file)
    lengths = {"lengths"} & {port.name for port in session.get_inputs()}
    kind = {port.name: {"tensor(int32)": np.int32}.get(port.type, np.int64) for port in session.get_inputs()}
    feeds = [{"tokens": rows[None], **{name: np.array([len(rows)], kind[name]) for name in lengths}} for rows in ids()]
    return np.concatenate([session.run(["embedding"], feed)[0] for feed in feeds])


RIGHT: list[dict[str, Any]] = [
    {"cell": "GRU", "pooling": "max"},
    {"pooling": "mean", "layers": 2},
    {"directions": 1, "head": True},
]


@pytest.mark.parametrize("graph", RIGHT, ids=str)
def test_a_right_graph_answers_as_it_is(folder: Path, graph: dict[str, Any]) -> None:
    graphs.build(folder / "encoder.onnx", **graph)
    found, expected = rows_imported(folder), rows_of(folder / "encoder.onnx")
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= TOLERANCE
    assert notes(folder) == []


@pytest.mark.parametrize(
    "shape",
    [
        {"layers": 2, "hidden_sizes": (6, HIDDEN)},
        {"layers": 3, "hidden_sizes": (9, 6, HIDDEN), "pooling": "max", "bidirectional": False},
        {"cell": "gru", "reset_after": False, "bias": False, "pooling": "mean"},
    ],
    ids=str,
)
def test_cells_that_no_single_module_of_pytorchs_has(folder: Path, shape: dict[str, Any]) -> None:
    """Layers of unequal width, and a GRU that resets first, as Keras's may: it is no mistake without its biases."""
    torch.manual_seed(5)
    sizes = {"vocabulary_size": VOCABULARY, "embedding_size": 7, "hidden_size": HIDDEN, "layers": 1}
    encoder = Encoder(EncoderConfig(**(sizes | shape))).eval()
    weights = {name: tensor.numpy() for name, tensor in encoder.state_dict().items()}
    onnx.save(build(weights, encoder.config), folder / "encoder.onnx")
    with torch.inference_mode():
        rows = [encoder(torch.from_numpy(row[None]), torch.tensor([len(row)])).embedding.numpy() for row in ids()]
    assert np.abs(rows_imported(folder) - np.concatenate(rows)).max() <= TOLERANCE
    assert notes(folder) == []


@pytest.mark.parametrize(
    ("wrong", "meant", "name"),
    [
        ({"pooling": "swapped_halves"}, {}, "the halves are swapped"),
        ({"pooling": "padding_in_max", "told": False}, {"pooling": "max"}, "padding inside the max"),
        ({"cell": "GRU", "linear_before_reset": 0}, {"cell": "GRU"}, "linear_before_reset is missing"),
        ({"batch": 4, "told": False}, {}, "the batch is frozen"),
    ],
    ids=str,
)
def test_a_mistaken_graph_answers_as_it_was_meant(
    folder: Path, wrong: dict[str, Any], meant: dict[str, Any], name: str
) -> None:
    """The mistake is told, and stands in the checkpoint's notes."""
    graphs.build(folder / "right.onnx", **meant)
    graphs.build(folder / "encoder.onnx", **wrong)
    assert np.abs(rows_imported(folder) - rows_of(folder / "right.onnx")).max() <= TOLERANCE
    *mistakes, consequence = notes(folder)
    assert any(f"The file makes a mistake, {name}" in note for note in mistakes)
    assert "embed stored texts anew" in consequence


def test_a_head_that_a_linear_layer_would_overflow_is_no_linear_layer(folder: Path) -> None:
    """An infinite number is near to none, though any difference from it is within a share of it."""
    graphs.build(folder / "encoder.onnx")
    model = onnx.load(folder / "encoder.onnx")
    row = model.graph.node.pop().input[0]
    large = {"weight": np.full((2 * HIDDEN, 3), 2e38, np.float32), "most": np.float32(1e38), "least": np.float32(-1e38)}
    model.graph.initializer.extend(numpy_helper.from_array(np.asarray(array), name) for name, array in large.items())
    model.graph.node.append(helper.make_node("MatMul", [row, "weight"], ["product"]))
    model.graph.node.append(helper.make_node("Clip", ["product", "least", "most"], ["embedding"]))
    onnx.save(model, folder / "encoder.onnx")
    options = ("--encoder", folder / "encoder.toml")
    told = refused("import", folder / "encoder.onnx", "--out", folder / "new", *options)
    assert "what stands behind its pooling isn't a linear layer" in told


def test_what_cant_be_mapped_is_named(folder: Path) -> None:
    def told(*options: str | Path, **graph: Any) -> str:
        (folder / "encoder.onnx").unlink(missing_ok=True)
        graphs.build(folder / "encoder.onnx", **graph)
        return refused("import", folder / "encoder.onnx", "--out", folder / "new", *options)

    toml = ("--encoder", folder / "encoder.toml")
    assert "reads vectors and no ids" in told(*toml, ids=False)
    assert "say how text becomes rows of the table" in told()
    assert "--pooling says nothing to the format onnx" in told("--pooling", "max")
    (folder / "encoder.toml").write_text(f'{TOML}\n[names]\ncells = "rnn"\n', encoding="utf-8")
    assert "names says nothing to the format onnx" in told(*toml)
