"""`verify` holds for a right bundle and fails for every known way of being wrong."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import helper, numpy_helper

from bothends.cli.main import main
from bothends.model import bundle
from bothends.model.bundle import Bundle
from bothends_export.checkpoint import Checkpoint
from bothends_export.equivalence import verify
from bothends_export.export import export, lift
from tests.support.shapes import SHAPES

Mutation = Callable[[onnx.ModelProto], None]


def lstm(model: onnx.ModelProto) -> onnx.NodeProto:
    return next(node for node in model.graph.node if node.op_type == "LSTM")


def gates_in_torch_order(model: onnx.ModelProto) -> None:
    """Put gates i, o, f, c back into i, f, g, o: the graph that a copied weight gives."""
    for tensor in model.graph.initializer:
        if tensor.name in ("W0", "R0", "B0"):
            array = numpy_helper.to_array(tensor)
            axis = 1
            blocks = np.split(array, array.shape[1] // 16, axis=axis)
            order = [0, 2, 3, 1] if tensor.name != "B0" else [0, 2, 3, 1, 4, 6, 7, 5]
            tensor.CopyFrom(numpy_helper.from_array(np.concatenate([blocks[i] for i in order], axis=axis), tensor.name))


def without_sequence_lens(model: onnx.ModelProto) -> None:
    """Padding is read as if it were words."""
    lstm(model).input[4] = ""
    # the input must stay in use, or the graph isn't the contract's any more
    model.graph.node.append(helper.make_node("Cast", ["lengths"], ["unused"], to=onnx.TensorProto.FLOAT))


def last_step_of_y(model: onnx.ModelProto) -> None:
    """output[-1]: the last step's Y instead of Y_h."""
    node = lstm(model)
    node.output[0] = "Y"
    node.output[1] = ""
    last = numpy_helper.from_array(np.array(-1, dtype=np.int64), "last")
    model.graph.initializer.append(last)
    place = list(model.graph.node).index(node)
    model.graph.node.insert(place + 1, helper.make_node("Gather", ["Y", "last"], ["Y_h0"]))


def read_directions(model: onnx.ModelProto, order: list[int], *, output: str) -> None:
    """Make the node of `output` read Y_h's directions in another order."""
    model.graph.initializer.append(numpy_helper.from_array(np.array(order, dtype=np.int64), "order"))
    reader = next(node for node in model.graph.node if output in node.output)
    place = list(model.graph.node).index(reader)
    reader.input[0] = "reordered"
    model.graph.node.insert(place, helper.make_node("Gather", ["Y_h0", "order"], ["reordered"]))


def swapped_halves(model: onnx.ModelProto) -> None:
    """Backward first, then forward."""
    read_directions(model, [1, 0], output="Y_h0_by_batch")


def h_n_of_one_direction_twice(model: onnx.ModelProto) -> None:
    """The embedding is right, h_n isn't."""
    read_directions(model, [0, 0], output="h_n")


def padding_in_the_pool(model: onnx.ModelProto) -> None:
    """Every step counts, those of padding too."""
    kept = next(node for node in model.graph.node if node.op_type == "Where")
    reader = next(node for node in model.graph.node if kept.output[0] in node.input)
    reader.input[0] = kept.input[1]


def first_step_as_last(model: onnx.ModelProto) -> None:
    """output[0] where output[-1] is to be read."""
    compared = next(node for node in model.graph.node if node.op_type == "Equal" and "lengths" in node.input)
    model.graph.initializer.append(numpy_helper.from_array(np.ones(1, dtype=np.int32), "one"))
    compared.input[1] = "one"


def no_initial_states(model: onnx.ModelProto) -> None:
    """Zeros, as where none were learned."""
    del lstm(model).input[5:]


MUTATIONS = [gates_in_torch_order, without_sequence_lens, last_step_of_y, swapped_halves, h_n_of_one_direction_twice]


def mutated(original: Bundle, folder: Path, mutation: Mutation) -> Bundle:
    """A bundle whose graph is wrong and whose hashes are right: only its numbers can tell."""
    model = onnx.load_from_string(original.model)
    mutation(model)
    onnx.checker.check_model(model, full_check=True)
    path = folder / mutation.__name__
    config = original.config.model_dump(exclude={"sha256"})
    bundle.write(
        path,
        config=config,
        model=model.SerializeToString(),
        tokenizer=original.tokenizer,
        golden=original.golden,
        card="",
    )
    return Bundle.open(path)


@pytest.fixture(params=MUTATIONS, ids=lambda mutation: mutation.__name__)
def wrong_bundle(request: pytest.FixtureRequest, toy_bundle: Bundle, tmp_path: Path) -> Bundle:
    return mutated(toy_bundle, tmp_path, request.param)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_a_right_bundle_holds(
    make_checkpoint: Callable[..., tuple[Path, Checkpoint]], tmp_path: Path, shape: dict[str, Any]
) -> None:
    """Every length, ragged batches and golden sentences within 1e-5, and the same bits alone and batched."""
    _, checkpoint = make_checkpoint(**shape)
    opened = export(checkpoint, tmp_path / "bundle")
    report = verify(opened, checkpoint.encoder)
    assert report.breaches() == []
    assert all(row.same_bits for row in report.rows if row.same_bits is not None)
    assert {row.what for row in report.rows} >= {"length 1", "lengths 33-40", "ragged batch of 64", "golden sentences"}
    assert sum(row.sentences for row in report.rows if row.what.startswith("length")) == opened.config.max_tokens
    assert all((row.forward is not None) == opened.config.has_halves for row in report.rows)


@pytest.mark.parametrize(
    "shape", [SHAPES["lstm"], SHAPES["lstm, projected, learned states"]], ids=["lstm", "projected"]
)
def test_a_right_bundle_holds_without_its_checkpoint(
    make_checkpoint: Callable[..., tuple[Path, Checkpoint]], tmp_path: Path, shape: dict[str, Any]
) -> None:
    """The encoder that is lifted from a bundle is held to it, also where weights come back to float32's precision."""
    opened = export(make_checkpoint(**SHAPES[shape])[1], tmp_path / "bundle")
    assert verify(opened, lift(opened)).breaches() == []


@pytest.mark.slow
def test_the_packaged_bundle_holds(english: Bundle) -> None:
    """The model that people get is within 1e-5 of PyTorch; its golden vectors tie it to the trained checkpoint."""
    report = verify(english, lift(english))
    assert report.breaches() == []


def test_a_wrong_graph_fails_against_its_checkpoint(
    wrong_bundle: Bundle, toy_checkpoint: tuple[Path, Checkpoint]
) -> None:
    """Each known mistake breaches a bound."""
    assert verify(wrong_bundle, toy_checkpoint[1].encoder).breaches()


def test_a_wrong_graph_fails_without_its_checkpoint(wrong_bundle: Bundle) -> None:
    """A breach shows where the reference is lifted from the graph itself: the golden vectors are the original's."""
    assert verify(wrong_bundle, lift(wrong_bundle)).breaches()


@pytest.mark.parametrize(
    ("shape", "mutation"),
    [
        ({"pooling": "max"}, padding_in_the_pool),
        ({"pooling": "last_output"}, first_step_as_last),
        ({"learned_initial_states": True}, no_initial_states),
    ],
)
def test_a_wrong_pool_or_state_fails(
    make_checkpoint: Callable[..., tuple[Path, Checkpoint]], tmp_path: Path, shape: dict[str, Any], mutation: Mutation
) -> None:
    """Poolings and states that only some encoders have are held to PyTorch, with the checkpoint and without it."""
    _, checkpoint = make_checkpoint(**shape)
    wrong = mutated(export(checkpoint, tmp_path / "right"), tmp_path, mutation)
    assert verify(wrong, checkpoint.encoder).breaches()
    assert verify(wrong, lift(export(checkpoint, tmp_path / "again"))).breaches()


def test_verify_says_what_a_pooling_is(make_checkpoint: Callable[..., tuple[Path, Checkpoint]], tmp_path: Path) -> None:
    """output[-1] is served where it is asked for, and no caller can take it for the final states."""
    opened = export(make_checkpoint(pooling="last_output")[1], tmp_path / "last")
    assert opened.config.cosine_to_final_states is not None
    assert 0 < opened.config.cosine_to_final_states < 0.9
    result = CliRunner().invoke(main, ["verify", str(opened.path)])
    told = f"mean cosine to the final states' embeddings {opened.config.cosine_to_final_states:.2f}"
    assert "output[-1], whose backward half has read one token" in result.output
    assert told in result.output
    assert "output[-1]" in opened.card


def test_the_swap_shows_in_both_halves(toy_bundle: Bundle, tmp_path: Path) -> None:
    """Halves are compared each by itself: the report says which one is wrong."""
    wrong = mutated(toy_bundle, tmp_path, last_step_of_y)
    alone = verify(wrong, lift(toy_bundle)).rows[1]
    assert alone.forward <= 1e-5 < alone.backward


def test_a_changed_weight_fails(toy_bundle: Bundle, tmp_path: Path, toy_checkpoint: tuple[Path, Checkpoint]) -> None:
    """One number of one gate, off by 1e-3, is enough."""

    def nudge(model: onnx.ModelProto) -> None:
        tensor = next(tensor for tensor in model.graph.initializer if tensor.name == "R0")
        array = numpy_helper.to_array(tensor).copy()
        array[1, 5, 3] += 1e-3
        tensor.CopyFrom(numpy_helper.from_array(array, "R0"))

    wrong = mutated(toy_bundle, tmp_path, nudge)
    assert verify(wrong, toy_checkpoint[1].encoder).breaches()
    assert verify(wrong, lift(wrong)).breaches()


def test_verify_prints_a_table_and_an_exit_code(
    toy_bundle: Bundle, toy_checkpoint: tuple[Path, Checkpoint], tmp_path: Path
) -> None:
    """0 and a table where it holds; 1 and the breach, by name, where it doesn't."""
    run = CliRunner().invoke
    right = run(main, ["verify", str(toy_bundle.path), "--checkpoint", str(toy_checkpoint[0])])
    assert right.exit_code == 0, right.output
    for heading in ("embedding", "forward", "backward", "h_n", "ragged batch of 64", "golden sentences", "all within"):
        assert heading in right.output
    wrong = run(main, ["verify", str(mutated(toy_bundle, tmp_path, swapped_halves).path)])
    assert wrong.exit_code == 1
    assert "breach: golden sentences: forward" in wrong.output


def test_verify_refuses_a_checkpoint_of_another_size(
    toy_bundle: Bundle, make_checkpoint: Callable[..., tuple[Path, Checkpoint]]
) -> None:
    """Comparing different encoders is a mistake, said in one line."""
    folder, _ = make_checkpoint(layers=2)
    result = CliRunner().invoke(main, ["verify", str(toy_bundle.path), "--checkpoint", str(folder)])
    assert result.exit_code == 1
    assert "other sizes" in result.output
    assert "Traceback" not in result.output


def test_verify_refuses_a_changed_file(toy_bundle: Bundle, tmp_path: Path) -> None:
    """A flipped bit is named before anything is run."""
    folder = tmp_path / "changed"
    shutil.copytree(toy_bundle.path, folder)
    content = bytearray((folder / "model.onnx").read_bytes())
    content[-1] ^= 1
    (folder / "model.onnx").write_bytes(content)
    result = CliRunner().invoke(main, ["verify", str(folder)])
    assert result.exit_code == 1
    assert "model.onnx has changed" in result.output
