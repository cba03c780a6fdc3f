"""From other people's files to `bothends serve`: its banner names the native engine; its vectors are the originals'.

For each pooling a module as people write it, and InferSent and LASER in their public shapes, with small vocabularies.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bothends.client.sync import Client
from bothends.engines import native
from tests.support.serving import finish, start

from . import original_infersent, original_laser
from .custom_modules import ContextVector, Plain, Pooled, SelfAttentive, Subclass, TwoModules
from .end_to_end import TOLERANCE, exported, imported

pytestmark = [
    pytest.mark.skipif(not native.is_built(), reason="bothends-native isn't built (make native)"),
    pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN"),
]

WORDS = [f"w{row}" for row in range(40)]
LENGTHS = (1, 2, 7, 15, 24)
TOML = '[tokenizer]\nvocabulary = "words.txt"\nsplit = "whitespace"\nunknown = "w0"\n'


class Mean(Plain):
    """The mean over all steps."""

    def forward(self, ids: Tensor) -> Tensor:
        output: Tensor = self.rnn(self.embed(ids))[0]
        return output.mean(dim=1)


class FirstAndLast(Plain):
    """The first step's output, then the last one's."""

    def forward(self, ids: Tensor) -> Tensor:
        output, _ = self.rnn(self.embed(ids))
        return torch.cat((output[:, 0], output[:, -1]), dim=1)


THEIRS: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "final states": (Plain, '[encoder]\npooling = "final_states"\n'),
    "max, with a projection and a head": (Pooled, '[encoder]\npooling = "max"\nhead_epsilon = 1e-3\n'),
    "mean": (Mean, '[encoder]\npooling = "mean"\n'),
    "last output": (Subclass, '[encoder]\npooling = "last_output"\n'),
    "first and last output": (FirstAndLast, '[encoder]\npooling = "first_and_last_output"\n'),
    "attention of three hops": (SelfAttentive, '[encoder]\npooling = "attention"\n'),
    "attention by a context vector": (
        ContextVector,
        '[names]\nattention_scores = "context"\n[encoder]\npooling = "attention"\n',
    ),
    "layers of unequal width": (TwoModules, '[names]\ncells = ["wide", "narrow"]\n[encoder]\npooling = "max"\n'),
}
ALWAYS = ("max, with a projection and a head",)
"""The one that is tried each time: each starts two processes."""


def answered(folder: Path, sentences: Sequence[str]) -> tuple[str, NDArray[np.float32]]:
    """Export the checkpoint in `folder` and serve it; returns the banner, and the vectors, all in one request."""
    running = start("--bundle", str(exported(folder)), "--device", "cpu")
    try:
        with Client(running.target) as client:
            return running.banner, client.encode(sentences)
    finally:
        finish(running)


@torch.inference_mode()
def by(module: nn.Module, rows: Sequence[Sequence[int]]) -> NDArray[Any]:
    """Vectors of a module for ids, each sentence alone."""
    embed = module.embed if isinstance(module, Subclass) else module.eval()
    return torch.cat([embed(torch.tensor([row])) for row in rows]).numpy()


@pytest.mark.parametrize(
    "theirs", [pytest.param(name, marks=[pytest.mark.slow] * (name not in ALWAYS)) for name in THEIRS]
)
def test_a_module_is_served_natively_with_its_own_vectors(tmp_path: Path, theirs: str) -> None:
    torch.manual_seed(6)
    make, text = THEIRS[theirs]
    module = make()
    torch.save(module.state_dict(), tmp_path / "w.pt")
    (tmp_path / "words.txt").write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    (tmp_path / "encoder.toml").write_text(f"{text}{TOML}", encoding="utf-8")
    imported(tmp_path / "w.pt", "--encoder", tmp_path / "encoder.toml")
    random = np.random.default_rng(3)
    rows = [random.integers(0, len(WORDS), length).tolist() for length in LENGTHS]
    banner, found = answered(tmp_path, [" ".join(WORDS[row] for row in ids) for ids in rows])
    assert "  engine     native/" in banner
    assert "slow" not in banner
    assert np.abs(found - by(module, rows)).max() <= TOLERANCE


@pytest.mark.slow
def test_infersent_in_its_public_shape(tmp_path: Path) -> None:
    """One layer of 2,048 units a direction over vectors of 300, the maximum of its outputs: 4,096 numbers."""
    words = ["the", "a", "dog", "dogs", "do", "n't", "run", "runs", ",", ".", "barks", "n"]
    model = original_infersent.write(tmp_path, version=1, size=300, hidden=2048)
    vectors = original_infersent.write_vectors(tmp_path / "glove.txt", [*words, "<s>", "</s>"], size=300)
    options = ("--vectors", tmp_path / "glove.txt", "--max-tokens", "12", "--tokenised")
    imported(tmp_path / "infersent1.pkl", *options)
    sentences = ["the dog runs", "a", "dogs do n't run , the dog barks .", "unheard of", "the dogs run"]
    banner, found = answered(tmp_path, sentences)
    assert "  engine     native/" in banner
    assert found.shape == (len(sentences), 4096)
    expected = [model.encode([sentence.split()], vectors)[0].numpy() for sentence in sentences]
    assert np.abs(found - np.stack(expected)).max() <= TOLERANCE


@pytest.mark.slow
def test_laser_in_its_public_shape(tmp_path: Path) -> None:
    """Five layers of 512 units a direction over vectors of 320, the maximum of their outputs: 1,024 numbers."""
    dictionary = original_laser.write_model(tmp_path / "laser2.spm")
    model = original_laser.write(tmp_path / "laser2.pt", dictionary, size=320, hidden=512)
    imported(tmp_path / "laser2.pt", "--spm", tmp_path / "laser2.spm", "--max-tokens", "60")
    sentences = ["There will be dragons", "a", "il y aura des dragons, et une femme chante", "12 drachen; 3 – nicht ?"]
    banner, found = answered(tmp_path, sentences)
    assert "  engine     native/" in banner
    assert found.shape == (len(sentences), 1024)
    pieces = [original_laser.pieces(sentence, tmp_path / "laser2.spm") for sentence in sentences]
    expected = [model.encode([cut], dictionary)[0].numpy() for cut in pieces]
    assert np.abs(found - np.stack(expected)).max() <= TOLERANCE
