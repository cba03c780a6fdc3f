"""State dicts of people's own modules become encoders that agree with those modules, or are refused by name."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from bothends.model.architecture import Attention, Head
from bothends_importing.readers.file import SourceError
from tests.importing.custom_modules import (
    ContextVector,
    Learned,
    Packed,
    Plain,
    Pooled,
    SelfAttentive,
    Subclass,
    TwoModules,
    agree,
    map_file,
)

THEIRS: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "plain": (Plain, ""),
    "three layers": (lambda: Plain(num_layers=3, bias=False), "[encoder]\nbatch_first = true"),
    "packed": (Packed, '[encoder]\nhead_then = "tanh"'),
    "pooled": (Pooled, '[encoder]\npooling = "max"\nhead_epsilon = 1e-3'),
    "learned": (Learned, '[encoder]\npooling = "mean"'),
    "learned gru": (lambda: Learned("GRU"), '[encoder]\npooling = "mean"'),
    "subclass": (Subclass, '[encoder]\npooling = "last_output"'),
    "self-attentive": (SelfAttentive, '[encoder]\npooling = "attention"'),
    "self-attentive, one hop": (lambda: SelfAttentive(hops=1), '[encoder]\npooling = "attention"'),
    "context vector": (ContextVector, '[names]\nattention_scores = "context"\n[encoder]\npooling = "attention"'),
    "two modules": (TwoModules, '[names]\ncells = ["wide", "narrow"]\n[encoder]\npooling = "max"'),
    "two modules, alike": (lambda: TwoModules(7), '[names]\ncells = ["wide", "narrow"]\n[encoder]\npooling = "max"'),
}


# torch says so of every projected LSTM on a CPU, once.
pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(3)


def saved(tensors: dict[str, Any], file: Path) -> Path:
    torch.save(tensors, file)
    return file


def refusal(tensors: dict[str, Any], folder: Path, text: str = "") -> str:
    file = saved(tensors, folder / "w.pt")
    with pytest.raises(SourceError) as caught:
        map_file(file, text)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    "theirs", [pytest.param(each, marks=[pytest.mark.brief] * (each == "learned gru")) for each in THEIRS]
)
def test_people_s_modules_are_mapped_without_their_names_being_said(tmp_path: Path, theirs: str) -> None:
    make, text = THEIRS[theirs]
    module = make()
    found = map_file(saved(module.state_dict(), tmp_path / "w.pt"), text)
    agree(module, found)
    assert set(found.origins.values()) == set(module.state_dict())


def test_the_head_s_bias_that_isn_t_there_is_zeros_and_a_norm_without_weights_ones(tmp_path: Path) -> None:
    module = Pooled()
    module.head[1] = nn.LayerNorm(10, elementwise_affine=False)
    text = '[encoder]\npooling = "max"\nhead_then = "layer_norm"'
    agree(module, map_file(saved(module.state_dict(), tmp_path / "w.pt"), text))


def test_a_training_checkpoint_of_data_parallel_with_a_classifier(tmp_path: Path) -> None:
    class Task(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = Plain()
            self.classifier = nn.Sequential(nn.Linear(10, 8), nn.BatchNorm1d(8), nn.Linear(8, 2))

    task = Task()
    whole = {"epoch": 1, "state_dict": {f"module.{name}": t for name, t in task.state_dict().items()}}
    file = saved(whole, tmp_path / "last.ckpt")
    agree(task.encoder, map_file(file, 'ignore = ["module.classifier.*"]'))


def test_names_may_be_said(tmp_path: Path) -> None:
    module = Pooled()
    text = """
        max_tokens = 64
        [names]
        embedding = "lookup.words.weight"
        cells = "encoder.rnn"
        input_projection = "encoder.proj"
        head = "head.0"
        head_norm = "head.1"
        [encoder]
        pooling = "max"
        head_epsilon = 1e-3
    """
    agree(module, map_file(saved(module.state_dict(), tmp_path / "w.pt"), text))
    learned = Learned()
    renamed = {{"h0": "a", "c0": "b"}.get(name, name): tensor for name, tensor in learned.state_dict().items()}
    text = '[names]\nh_0 = "a"\nc_0 = "b"\n[encoder]\npooling = "mean"'
    agree(learned, map_file(saved(renamed, tmp_path / "w.pt"), text))


def test_of_attention_biases_of_scores_are_left_out_and_others_kept(tmp_path: Path) -> None:
    """A softmax is the same whatever is added to all of its scores."""
    module = SelfAttentive(bias=True)
    found = map_file(saved(module.state_dict(), tmp_path / "w.pt"), '[encoder]\npooling = "attention"')
    agree(module, found)
    assert "attention.scores.bias" not in found.weights
    assert found.weights["attention.hidden.bias"].abs().min() > 0
    assert "ws2.bias is left out: a softmax is the same" in " ".join(found.notes)


def test_attention_may_be_named_beside_a_head_that_looks_like_it(tmp_path: Path) -> None:
    class Classified(SelfAttentive):
        def __init__(self) -> None:
            super().__init__(hops=1)
            self.dense = nn.Linear(10, 8)
            self.out = nn.Linear(8, 2)

    module = Classified()
    file = saved(module.state_dict(), tmp_path / "w.pt")
    with pytest.raises(SourceError, match=r'attention_hidden = "ws1" or attention_hidden = "dense"'):
        map_file(file, '[encoder]\npooling = "attention"')
    text = 'ignore = ["dense.*", "out.*"]\n[encoder]\npooling = "attention"'
    agree(module, map_file(file, text))
    text = 'ignore = ["out.*"]\n[names]\nattention_hidden = "ws1"\nhead = "dense"\n[encoder]\npooling = "attention"'
    with pytest.raises(
        SourceError, match=r"may follow one another, dense \[8, 10\], out \[2, 8\]; .* or \"none\", which"
    ):
        map_file(file, text)
    found = map_file(file, f'{text}\nhead_then = "none"')
    assert found.encoder.attention == Attention(size=6, hops=1)
    assert found.encoder.head == Head(size=8)


def test_modules_that_do_not_stand_on_each_other_are_refused(tmp_path: Path) -> None:
    def said(module: nn.Module, cells: str) -> str:
        return refusal(module.state_dict(), tmp_path, f"[names]\ncells = {cells}")

    assert 'where each reads the one before it, cells = ["wide", "narrow"]' in refusal(
        TwoModules().state_dict(), tmp_path
    )
    assert "wide.* reads 6 numbers, and the cells before it give 8" in said(TwoModules(), '["narrow", "wide"]')
    mixed = TwoModules()
    mixed.narrow = nn.GRU(14, 4, bidirectional=True)
    assert "narrow.* are bidirectional GRUs with biases, and the cells before it bidirectional LSTMs" in said(
        mixed, '["wide", "narrow"]'
    )


def test_attention_that_is_not_there_is_refused(tmp_path: Path) -> None:
    asked = '[encoder]\npooling = "attention"'
    assert "has no attention, an nn.Linear that reads 10 numbers" in refusal(Plain().state_dict(), tmp_path, asked)
    named = '[names]\nattention_hidden = "ws1"'
    assert 'no pooling = "attention"' in refusal(SelfAttentive().state_dict(), tmp_path, named)


def test_one_learned_state_of_an_lstm_goes_with_zeros(tmp_path: Path) -> None:
    module = Learned()
    module.c0.data.zero_()
    state = {name: tensor for name, tensor in module.state_dict().items() if name != "c0"}
    agree(module, map_file(saved(state, tmp_path / "w.pt"), '[encoder]\npooling = "mean"'))


def test_tied_weights_are_kept_apart(tmp_path: Path) -> None:
    """A decoder's tied output needs no place of its own, and no two of our tensors share their numbers."""
    module = Plain()
    for name in [name for name, _ in module.rnn.named_parameters() if name.endswith("_reverse")]:
        setattr(module.rnn, name, getattr(module.rnn, name.removesuffix("_reverse")))
    state = module.state_dict()
    found = map_file(saved({**state, "decoder.weight": state["embed.weight"]}, tmp_path / "w.pt"))
    agree(module, found)
    save_file(found.weights, tmp_path / "ours.safetensors")


def test_what_was_assumed_is_said(tmp_path: Path) -> None:
    file = saved(Packed().state_dict(), tmp_path / "w.pt")
    notes = " ".join(map_file(file, "[encoder]\nbatch_first = false").notes)
    for said in (
        "final_states was ASSUMED",
        "fc was taken as the head",
        "An activation after",
        "batch_first changes no",
    ):
        assert said in notes
    assert not map_file(file, '[names]\nhead = "fc"\n[encoder]\nhead_then = "none"\npooling = "final_states"').notes


def changed(**tensors: Tensor | None) -> dict[str, Tensor]:
    """A plain encoder's state dict with other tensors at some names (`__` for a dot), or without."""
    state = dict(Plain().state_dict())
    for name, tensor in tensors.items():
        state.pop(name.replace("__", "."), None)
        if tensor is not None:
            state[name.replace("__", ".")] = tensor
    return state


ONES = torch.ones
WRONG: dict[str, tuple[Callable[[], dict[str, Tensor]], str, str]] = {
    "no cells": (lambda: {"embed.weight": ONES(3, 2)}, "", "no tensor *.weight_ih_l0"),
    "two cells": (
        lambda: changed(**{f"other__{n}": t for n, t in nn.LSTM(7, 5).state_dict().items()}),
        "",
        '[names] cells = "rnn" or cells = "other"',
    ),
    "wrong cells": (changed, '[names]\ncells = "lstm"', "no tensor lstm.weight_ih_l0"),
    "two embeddings": (
        lambda: changed(char_embed__weight=ONES(9, 7)),
        "",
        'embedding = "embed.weight" or embedding = "char_embed.weight"',
    ),
    "wrong embedding": (changed, '[names]\nembedding = "embeds.weight"', "no tensor embeds.weight"),
    "no embedding": (lambda: changed(embed__weight=None), "", "no embedding that fits: its cells read 7 numbers"),
    "other embedding": (lambda: changed(embed__weight=ONES(40, 6)), "", "no embedding that fits"),
    "named embedding": (
        lambda: changed(embed__weight=ONES(40, 6)),
        '[names]\nembedding = "embed.weight"',
        "no nn.Linear [7, 6] between",
    ),
    "missing": (lambda: changed(rnn__bias_hh_l0=None), "", "no tensor rnn.bias_hh_l0"),
    "shape": (lambda: changed(rnn__weight_hh_l0_reverse=ONES(20, 6)), "", "rnn.weight_hh_l0_reverse has shape [20, 6]"),
    "rnn": (
        lambda: {"e.weight": ONES(3, 2), **{f"r.{n}": t for n, t in nn.RNN(2, 4).state_dict().items()}},
        "",
        "4 times",
    ),
    "nine layers": (
        lambda: {"e.weight": ONES(3, 2), **{f"r.{n}": t for n, t in nn.GRU(2, 2, 9).state_dict().items()}},
        "",
        "layers: Input should be less than or equal to 8",
    ),
    "left": (lambda: changed(fc__weight=ONES(3, 11), fc__bias=ONES(3)), "", "fc.weight [3, 11], fc.bias [3]; a head"),
    "batch norm": (
        lambda: changed(fc__weight=ONES(3, 10), bn__weight=ONES(3), bn__bias=ONES(3), bn__running_mean=ONES(3)),
        "",
        "bn.weight [3], bn.bias [3], bn.running_mean [3]",
    ),
    "two heads": (lambda: changed(fc__weight=ONES(3, 10), out__weight=ONES(2, 10)), "", 'head = "fc" or head = "out"'),
    "classifier": (lambda: changed(classifier__weight=ONES(2, 10)), "", 'ignore = ["classifier.*"] to embed before it'),
    "attention": (lambda: changed(attn__weight=ONES(1, 10)), "", 'ignore = ["attn.*"]'),
    "before and behind": (
        lambda: changed(fc__weight=ONES(7, 10), p__weight=ONES(7, 7)),
        "",
        "p [7, 7], which fits before the cells and behind fc [7, 10]; say in the TOML which: "
        '[names] input_projection = "p", or ignore = ["p.*"] where',
    ),
    "wrong head": (
        lambda: changed(fc__weight=ONES(3, 10)),
        '[names]\nhead = "cf"',
        "no nn.Linear cf, which names.head says",
    ),
    "head's inputs": (
        lambda: changed(fc__weight=ONES(3, 10)),
        '[encoder]\npooling = "first_and_last_output"\n[names]\nhead = "fc"',
        'fc [3, 10] as head, which reads 10 numbers; pooling = "first_and_last_output" gives 20',
    ),
    "no head": (changed, '[encoder]\nhead_then = "tanh"', "no head, an nn.Linear that reads 10 numbers"),
    "norm and tanh": (
        lambda: changed(fc__weight=ONES(3, 10), ln__weight=ONES(3)),
        '[encoder]\nhead_then = "tanh"\n[names]\nhead_norm = "ln"',
        "keep one",
    ),
    "two norms": (
        lambda: changed(fc__weight=ONES(3, 10), a__weight=ONES(3), b__weight=ONES(3)),
        "",
        'head_norm = "a" or head_norm = "b"',
    ),
    "norm's size": (
        lambda: changed(fc__weight=ONES(3, 10), ln__weight=ONES(4)),
        '[names]\nhead_norm = "ln"',
        "ln [4] as head_norm, after a head of 3",
    ),
    "before and after": (
        lambda: (
            {"e.weight": ONES(30, 4), "p.weight": ONES(4, 4), "p.bias": ONES(4)}
            | {f"r.{n}": t for n, t in nn.LSTM(4, 4).state_dict().items()}
        ),
        "",
        '[names] input_projection = "p" or head = "p"',
    ),
    "projection's shape": (
        lambda: changed(fc__weight=ONES(7, 6), fc__bias=ONES(7)),
        '[names]\nembedding = "embed.weight"\ninput_projection = "fc"',
        "fc [7, 6] as input_projection, which would be [7, 7]",
    ),
    "state's shape": (
        lambda: changed(h0=ONES(2, 1, 6)),
        '[names]\nh_0 = "h0"',
        "h0 [2, 1, 6] as h_0, which would be [2, 1, 5]",
    ),
    "two states": (lambda: changed(h0=ONES(2, 5), init_h=ONES(2, 5)), "", 'h_0 = "h0" or h_0 = "init_h"'),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_can_t_be_mapped_is_refused_by_name(tmp_path: Path, wrong: str) -> None:
    make, text, expected = WRONG[wrong]
    assert expected in refusal(make(), tmp_path, text)


def classifier(**tensors: Tensor) -> dict[str, Tensor]:
    """A plain encoder whose 10 numbers two linear layers read, one after the other, and layers beside these."""
    layers = {"fc1__weight": ONES(8, 10), "fc1__bias": ONES(8), "out__weight": ONES(2, 8), "out__bias": ONES(2)}
    return changed(**layers, **tensors)


THROUGH = '[names] head = "fc1" and [encoder] head_then = "relu", "tanh", "layer_norm" or "none"'
NAMED = '[names]\nhead = "fc1"\n'
CHAINS: dict[str, tuple[dict[str, Tensor], str, tuple[str, ...]]] = {
    "as it comes": (
        classifier(),
        "",
        ('before them: ignore = ["fc1.*", "out.*"];', f'fc1: ignore = ["out.*"], {THROUGH}'),
    ),
    "its last layer ignored": (
        classifier(),
        'ignore = ["out.*"]',
        ('before them: ignore = ["out.*", "fc1.*"];', THROUGH),
    ),
    "its first layer named": (classifier(), NAMED, ('ignore = ["fc1.*", "out.*"];', THROUGH)),
    "both, but not what stands between": (classifier(), f'ignore = ["out.*"]\n{NAMED}', (THROUGH,)),
    "three layers": (
        classifier(last__weight=ONES(3, 2)),
        "",
        ('before them: ignore = ["fc1.*", "out.*", "last.*"];', 'fc1: ignore = ["out.*", "last.*"],'),
    ),
    "of one size": (
        changed(fc1__weight=ONES(10, 10), out__weight=ONES(2, 10)),
        "",
        (THROUGH, '; or [names] head = "out", if that reads the pooled states'),
    ),
    "perhaps attention": (
        changed(attn1__weight=ONES(6, 10), attn2__weight=ONES(1, 6)),
        "",
        ('ignore = ["attn1.*", "attn2.*"]', '; or, where they weigh the steps: [encoder] pooling = "attention"'),
    ),
    "called like a classifier": (
        changed(classifier__0__weight=ONES(8, 10), classifier__2__weight=ONES(2, 8)),
        "",
        ('ignore = ["classifier.0.*", "classifier.2.*"]', 'head = "classifier.0"'),
    ),
}


@pytest.mark.parametrize("chain", CHAINS)
def test_layers_that_follow_one_another_are_refused_with_both_readings(tmp_path: Path, chain: str) -> None:
    state, text, lines = CHAINS[chain]
    told = refusal(state, tmp_path, text)
    assert "linear layers that may follow one another" in told
    for line in lines:
        assert line in told


def test_each_reading_of_layers_that_follow_one_another_is_mapped_as_the_refusal_says_it(tmp_path: Path) -> None:
    class Classifier(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = Plain()
            self.fc1 = nn.Linear(10, 8)
            self.out = nn.Linear(8, 2)

        def forward(self, ids: Tensor) -> Tensor:
            return torch.tanh(self.fc1(self.encoder(ids)))  # what `out` reads

    module = Classifier()
    file = saved(module.state_dict(), tmp_path / "w.pt")
    agree(module.encoder, map_file(file, 'ignore = ["fc1.*", "out.*"]'))
    agree(module, map_file(file, 'ignore = ["out.*"]\n[names]\nhead = "fc1"\n[encoder]\nhead_then = "tanh"'))
