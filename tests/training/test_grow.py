"""A larger student begins with what a smaller encoder knows."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional

from bothends.model.architecture import Attention
from bothends.model.bundle import Bundle
from bothends.model.tokenizer import Tokenizer
from bothends_export.encoder import Encoder
from bothends_export.export import lift
from bothends_training.grow import grow
from bothends_training.train import embed
from bothends_training.trials import read_triples
from tests.support.paths import ROOT

WIDER: list[dict[str, Any]] = [{}, {"hidden_size": 320, "embedding_size": 384}]
DEEPER: list[dict[str, Any]] = [{"hidden_size": 288, "embedding_size": 288, "layers": 3}]


@pytest.fixture(scope="module")
def known(english: Bundle) -> Encoder:
    """The packaged encoder."""
    return lift(english)


@pytest.fixture(scope="module")
def tokenizer(english: Bundle) -> Tokenizer:
    """The packaged encoder's tokenizer."""
    return Tokenizer(english.tokenizer, max_tokens=256, source=english.path)


@pytest.fixture(scope="module")
def sentences() -> list[str]:
    """64 English sentences, some of which differ in a word."""
    return [text for kind in read_triples(ROOT / "training" / "dev" / "triples.tsv") for text in kind.texts[:11]][:64]


def larger(known: Encoder, sizes: dict[str, Any]) -> Encoder:
    """A student of these sizes, else of the encoder's, grown from it."""
    torch.manual_seed(1)
    student = Encoder(known.config.model_copy(update=sizes))
    student.load_state_dict(grow(known, student))
    return student


def halves(encoder: Encoder, tokenizer: Tokenizer, sentences: list[str]) -> NDArray[np.float32]:
    """The forward and the backward states of sentences, float32 [sentences, 2, hidden]."""
    return embed(encoder, tokenizer, sentences).reshape(len(sentences), 2, -1)


@pytest.mark.parametrize("sizes", WIDER, ids=str)
def test_a_wider_student_gives_the_same_vectors(
    known: Encoder, tokenizer: Tokenizer, sentences: list[str], sizes: dict[str, Any]
) -> None:
    """First units have the encoder's states, and the others are silent, so that all cosines are the same."""
    old, new = (halves(encoder, tokenizer, sentences) for encoder in (known, larger(known, sizes)))
    assert len(sentences) == len(old) == 64
    np.testing.assert_allclose(new[:, :, : known.config.hidden_size], old, rtol=0, atol=1e-5)
    assert (new[:, :, known.config.hidden_size :] == 0).all()


@pytest.mark.parametrize("sizes", DEEPER, ids=str)
def test_a_deeper_student_gives_vectors_of_nearly_the_same_direction(
    known: Encoder, tokenizer: Tokenizer, sentences: list[str], sizes: dict[str, Any]
) -> None:
    """Layers on top pass on what is below them, and have nothing to say of their own."""
    old, new = (halves(encoder, tokenizer, sentences) for encoder in (known, larger(known, sizes)))
    theirs, ours = (torch.from_numpy(found[:, :, : known.config.hidden_size]).flatten(1) for found in (old, new))
    assert functional.cosine_similarity(theirs, ours).min() > 0.998
    assert (new[:, :, known.config.hidden_size :] == 0).all()


def test_a_student_of_two_layers_grows_in_all_sizes(known: Encoder, tokenizer: Tokenizer, sentences: list[str]) -> None:
    """The second layer goes on reading both directions of the first, wherever their states stand now."""
    torch.manual_seed(2)
    two = Encoder(known.config.model_copy(update={"hidden_size": 24, "layers": 2}))
    wide = larger(two, {"hidden_size": 31, "embedding_size": 300})
    old, new = (halves(encoder, tokenizer, sentences) for encoder in (two, wide))
    np.testing.assert_allclose(new[:, :, :24], old, rtol=0, atol=1e-5)


@pytest.mark.parametrize("sizes", [*WIDER[1:], *DEEPER], ids=str)
def test_what_is_new_learns_from_the_first_step_on(known: Encoder, sizes: dict[str, Any]) -> None:
    """No new number of a token, and no unit's candidate, is where its gradient is zero for ever."""
    student = larger(known, sizes)
    ids = torch.randint(1000, 20_000, (8, 12))
    found = student(ids, torch.full((8,), 12)).embedding
    (found * torch.randn_like(found)).sum().backward()
    gradients = {name: parameter.grad for name, parameter in student.named_parameters() if parameter.grad is not None}
    assert (gradients["embedding.weight"][ids.flatten()] != 0).all()
    for layer in range(student.config.layers):
        for direction in ("", "_reverse"):
            candidates = torch.unflatten(gradients[f"lstm.weight_ih_l{layer}{direction}"], 0, (4, -1))[2]
            assert (candidates != 0).any(dim=1).all()


def test_a_wider_student_attends_to_the_same_steps(known: Encoder, tokenizer: Tokenizer, sentences: list[str]) -> None:
    """Attention goes on reading the units that are known, whatever new ones stand beside them."""
    torch.manual_seed(3)
    attention = Attention(size=7, hops=2)
    small = Encoder(known.config.model_copy(update={"hidden_size": 24, "pooling": "attention", "attention": attention}))
    wide = larger(small, {"hidden_size": 31})
    old, new = (embed(encoder, tokenizer, sentences).reshape(len(sentences), 2, 2, -1) for encoder in (small, wide))
    np.testing.assert_allclose(new[..., :24], old, rtol=0, atol=1e-5)
    assert (new[..., 24:] == 0).all()
