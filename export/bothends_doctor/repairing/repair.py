"""Repairs an examined ONNX encoder: rewrites it, proves the result, and only then saves it.

The result is proved by examining it again, and by comparison with PyTorch.
"""

import os
import tempfile
from collections.abc import Set
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from bothends.text import printable
from bothends_export.new_path import must_be_new

from ..errors import DoctorError
from ..examine import Examination, examine, right_rows
from ..mistakes.recurrence import Array
from ..mistakes.reference import Reference
from ..models.model import Activation
from ..models.onnx import OnnxModel
from .recurrent_graph import MIN_OPSET, POOLINGS
from .rewrite import head_of, rewrite

TOLERANCE = 1e-5
"""Largest difference to PyTorch, for values up to 1."""
LONGEST = 64
_BATCHES = (2, 7, 16)
_NEEDS_REFERENCE = {"torch_gate_order", "gate_order", "biases", "swapped_directions", "initial_states"}
_NOT_IN_THE_FILE = {
    "other_weights": "its weights aren't the state dict's, so that neither can be trusted",
    "not_repeatable": "it computes something else each time",
    "initial_by_row": "its initial states were stored for one batch only",
    "batch_time_mixed": "its weights were made for cells that run along the batch, which no rewiring mends",
    "one_direction": "both directions would make its embedding twice as wide as what reads it expects",
    "rows_mix": "what stands behind its cells mixes the sentences of a batch",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Repaired:
    """Report about a finished repair: what was written, and how far it is from PyTorch."""

    path: str | None
    """Path of the repaired model; None if nothing was wrong, so that nothing was written."""
    difference: float
    """Largest absolute difference, of lengths from 1 to LONGEST alone and in ragged batches."""
    sentences: int
    new_inputs: tuple[str, ...]
    dropped_outputs: tuple[str, ...]
    keeps_head: bool

    @property
    def says(self) -> str:
        """Report in a few sentences."""
        if self.path is None:
            return "Nothing is wrong with it: nothing was written."
        told = f" It has a new input: {', '.join(self.new_inputs)}." if self.new_inputs else ""
        dropped = f" Outputs left out: {', '.join(self.dropped_outputs)}." if self.dropped_outputs else ""
        head = (
            " The head behind the pooling is as it was: if it was trained on what the model read before, measure again."
            if self.keeps_head
            else ""
        )
        return (
            f"Repaired, in {self.path}: examined again, nothing is wrong; {self.sentences} sentences of 1 to {LONGEST} "
            f"tokens, alone and in ragged batches, are within {self.difference:.1e} of PyTorch.{told}{dropped}{head}"
        )

    def as_json(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return asdict(self)


def check_out(out: Path) -> None:
    """Raise DoctorError if `out` can't be written or exists already."""
    must_be_new(out, DoctorError, kind="name")
    if not out.parent.is_dir():
        raise DoctorError(f"{out} can't be written: there is no folder {out.parent}")


def repair(examined: Examination, state_dict: Reference | None, out: Path, *, seed: int = 0) -> Repaired:
    """Write the repaired model to the new file `out`, if it is proved equal to PyTorch by weights of `state_dict`, or
    else of the file. `seed` draws the sentences of that proof.

    Raises DoctorError if it can't, and then writes nothing.
    """
    model = examined.model
    if not isinstance(model, OnnxModel):
        raise DoctorError("TorchScript can't be repaired; change the Python code as is said and export it again")
    if examined.findings.exit_code == 0:
        return Repaired(None, 0.0, 0, (), (), False)
    if reason := _why_not(examined, model, state_dict):
        raise DoctorError(f"it can't be repaired: {reason}; nothing was written")
    rewritten, new_inputs = rewrite(examined, model)
    with tempfile.TemporaryDirectory(dir=out.parent) as folder:
        draft = Path(folder) / out.name
        try:
            onnx.save(rewritten, str(draft))
            again = examine(OnnxModel(draft, output=model.output.name), state_dict, seed=seed)
        except (DoctorError, ValueError, onnx.checker.ValidationError) as error:
            raise DoctorError(f"it can't be repaired: rewritten, {printable(error)}; nothing was written") from error
        if left := again.findings.diagnoses:
            raise DoctorError(f"it can't be repaired: rewritten, {left[0].name} still; nothing was written")
        difference, sentences = _proof(again, examined)
        if not difference <= again.harness.bounds.with_noise(TOLERANCE):
            raise DoctorError(
                f"it can't be repaired: rewritten, it is {difference:.1e} off PyTorch; nothing was written"
            )
        _publish(draft, out)
    dropped = tuple(printable(port.name) for port in model.about.outputs if port.name != model.output.name)
    return Repaired(str(out), difference, sentences, new_inputs, dropped, examined.findings.encoder.head)


def not_in_the_file(keys: Set[str]) -> str | None:
    """Return why a file with these mistakes lacks the correct weights; None if it has them."""
    for key, reason in _NOT_IN_THE_FILE.items():
        explained = key == "rows_mix" and keys & {"viewed_h_n", "rows_left_sorted"}
        if key in keys and not explained:
            return reason
    return None


def _why_not(examined: Examination, model: OnnxModel, state_dict: Reference | None) -> str | None:
    keys = {diagnosis.key for diagnosis in examined.findings.diagnoses}
    if (reason := not_in_the_file(keys)) is not None:
        return reason
    if examined.found is None:
        return "what its embedding is made of isn't known"
    if keys & _NEEDS_REFERENCE and state_dict is None:
        return "the right weights are needed: --state-dict"
    if examined.meant not in POOLINGS:
        return f"its pooling ({examined.found.reading.what}) isn't one that --fix writes"
    if model.graph.opset < MIN_OPSET:
        return f"its opset {model.graph.opset} is older than {MIN_OPSET}: export it with a newer one"
    if any(port.role == "state" for port in model.about.inputs):
        return "it takes its initial states as inputs"
    return None


def _proof(again: Examination, before: Examination) -> tuple[float, int]:
    """Largest difference to PyTorch at every length alone and in ragged batches, and how many sentences those are."""
    harness, model = again.harness, again.model
    head = head_of(before)
    worst, count = 0.0, 0
    every = harness.batch(LONGEST, LONGEST, np.arange(1, LONGEST + 1))
    ragged = [harness.batch(size, LONGEST, _lengths(harness.random, size)) for size in _BATCHES]
    for batch in (every, *ragged):
        rows = right_rows(harness, batch, before.true_stack, before.meant)
        if rows is None or before.found is None:
            raise ValueError("there is nothing to compare with")
        runs = [harness.run(batch.alone(row)) for row in range(LONGEST)] if batch is every else [harness.run(batch)]
        pairs = [(_rows_at(runs, model.output.name), head(rows)), (_rows_at(runs, before.found.seen.where), rows)]
        for got, right in pairs:
            scale = max(1.0, float(np.abs(right).max()))
            worst = float(np.maximum(worst, np.abs(got - right).max() / scale))  # which keeps a NaN; max() drops it
        count += len(batch)
    return worst, count


def _rows_at(runs: list[list[Activation]], where: str) -> Array:
    return np.concatenate([next(one.rows for one in seen if one.where == where) for seen in runs])


def _lengths(random: np.random.Generator, size: int) -> NDArray[np.int64]:
    """Random lengths, the longest among them."""
    lengths = random.integers(1, LONGEST, size=size, endpoint=True)
    lengths[0] = LONGEST
    return lengths


def _publish(draft: Path, out: Path) -> None:
    """Put the draft in place, whole or not at all, and never over a file that came to be meanwhile."""
    try:
        os.link(draft, out)
    except FileExistsError:
        raise DoctorError(f"{out} exists already; nothing was written") from None
    except OSError as error:
        with suppress(OSError):
            if not out.exists():
                draft.rename(out)
                return
        raise DoctorError(f"{out} can't be written: {error.strerror}") from error
