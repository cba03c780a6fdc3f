"""Names each known mistake, and says in one sentence what to do about it."""

from .findings import Diagnosis

_KNOWN = {
    "padded_h_n": (
        "h_n of a padded batch, unpacked",
        "Pack the batch (pack_padded_sequence with the lengths) before the recurrent layers; in ONNX, give their "
        "sequence_lens the lengths.",
    ),
    "padding_in_cells": (
        "the cells read padding",
        "Pack the batch (pack_padded_sequence with the lengths) before the recurrent layers; in ONNX, give their "
        "sequence_lens the lengths.",
    ),
    "last_step": (
        "output[:, -1] for h_n",
        "Read h_n instead, cat(h_n[-2], h_n[-1]): at the last step the backward half has read one token.",
    ),
    "step_before_padding": (
        "output[:, len-1] for h_n",
        "Read h_n instead, cat(h_n[-2], h_n[-1]): at the last token the backward half has read that token only.",
    ),
    "first_step": (
        "output[:, 0] for h_n",
        "Read h_n instead, cat(h_n[-2], h_n[-1]): at the first step the forward half has read one token.",
    ),
    "constant_step": (
        "one fixed step of the output for h_n",
        "Read h_n instead of a step of the output, whose number was frozen at export.",
    ),
    "swapped_halves": (
        "the halves are swapped",
        "Join them forward first: torch.cat((h_n[-2], h_n[-1]), dim=1); vectors made so far don't fit right ones.",
    ),
    "torch_gate_order": (
        "the gates are in PyTorch's order",
        "Reorder the gates' blocks when writing W, R and B: ONNX wants i, o, f, c of an LSTM and z, r, h of a GRU.",
    ),
    "gate_order": (
        "the gates are in neither ONNX's nor PyTorch's order",
        "Reorder the gates' blocks when writing W, R and B: ONNX wants i, o, f, c of an LSTM and z, r, h of a GRU.",
    ),
    "biases": (
        "the biases are not the state dict's",
        "Write B as bias_ih and then bias_hh of each direction, gates in ONNX's order.",
    ),
    "swapped_directions": (
        "the directions' weights are swapped",
        "Write the forward weights first and the _reverse ones second in W, R and B.",
    ),
    "initial_states": (
        "the initial states are not the state dict's",
        "Give the recurrent layers the learned initial states, initial_h and initial_c in ONNX.",
    ),
    "other_weights": (
        "the weights are another model's",
        "Export again from this state dict, or examine the file with the one that it was made from.",
    ),
    "linear_before_reset": (
        "linear_before_reset is missing",
        "Set linear_before_reset to 1 on the GRU nodes: PyTorch applies the reset gate after the linear.",
    ),
    "frozen_batch": (
        "the batch is frozen",
        "Export with a dynamic batch axis (dynamic_axes or dynamic_shapes) and let no code read the traced batch size.",
    ),
    "frozen_time": (
        "the time is frozen",
        "Export with a dynamic time axis (dynamic_axes or dynamic_shapes) and let no code read the traced length.",
    ),
    "padding_in_max": (
        "padding inside the max",
        "Fill the output with -inf behind each sentence's end before the max, and pack the batch.",
    ),
    "padding_in_mean": (
        "padding inside the mean",
        "Sum over the sentence's own steps and divide by its length, and pack the batch.",
    ),
    "sum_of_all": (
        "padding inside the sum",
        "Sum over the sentence's own steps only, and pack the batch.",
    ),
    "wrong_layer": (
        "h_n of the wrong layer",
        "Read the top layer: its states are the last in h_n, h_n[-2] and h_n[-1] where there are two directions.",
    ),
    "viewed_h_n": (
        "h_n viewed without a transpose",
        "Transpose first, h_n.transpose(0, 1).reshape(batch, -1): a view alone mixes the sentences of a batch.",
    ),
    "one_direction": (
        "one direction's state only",
        "Join both directions' final states: torch.cat((h_n[-2], h_n[-1]), dim=1).",
    ),
    "cell_state": ("c_n for h_n", "Unpack output, (h_n, c_n) = lstm(x) in that order and read h_n."),
    "rows_left_sorted": (
        "rows left in the order of lengths",
        "Put the rows back into the order of the sentences, or pack with enforce_sorted=False, which does.",
    ),
    "batch_time_mixed": (
        "batch and time mixed up",
        "Set batch_first=True, or transpose the batch first: the cells run over the sentences instead of the tokens.",
    ),
    "rows_mix": (
        "sentences of a batch change each other",
        "Keep every operation behind the recurrent layers within its own row, and export in eval mode.",
    ),
    "not_repeatable": (
        "it doesn't compute the same twice",
        "Export in eval mode (model.eval()): dropout, or random initial states, are still in it.",
    ),
    "initial_by_row": (
        "initial states that differ from row to row",
        "Start from zeros or one learned state for all: what was random at export is stored, another for each row.",
    ),
    "padding_leaks": (
        "padding changes the embedding",
        "Tell the model where each sentence ends: lengths into the cells, and a mask into the pooling.",
    ),
}  # fmt: skip


def of(key: str) -> Diagnosis:
    """Return the mistake with this key, one of `known()`."""
    name, do = _KNOWN[key]
    return Diagnosis(key, name, do)


def known() -> tuple[str, ...]:
    """Return the keys of all known mistakes."""
    return tuple(_KNOWN)
