"""A student before its first step, and the moving average of its weights."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.progress import Progress

from bothends_export import checkpoint
from bothends_export.encoder import Encoder
from bothends_training import train
from bothends_training.dataset import prepare
from bothends_training.student import Run, begin
from bothends_training.teacher import Teacher, token_embeddings
from tests.support import toy

from .runs import assert_same, run, state

CPU = torch.device("cpu")


def test_a_student_begins_with_its_teachers_words(folder: Path) -> None:
    """The student's table is the teachers' view of each token, weighted by how often the corpus holds it."""
    recipe = toy.recipe(student={**toy.recipe().student.model_dump(), "token_norm": 2.5})
    dataset = prepare(recipe, folder, folder / "cache", Progress())
    begun = begin(recipe, folder, folder / "cache", dataset, CPU)
    words = Counter(word for sentence in toy.sentences(300) for word in sentence.split())
    counts = np.array([words[piece] for piece in toy.VOCABULARY], dtype=np.float64)
    views = Teacher(recipe.teachers[0], folder, folder / "cache").embed(
        [piece.removeprefix("##") for piece in toy.VOCABULARY]
    )
    views = views.astype(np.float16).astype(np.float32)
    expected = token_embeddings(views, counts / counts.sum(), size=6, norm=2.5, frequency_scale=1e-3)
    np.testing.assert_array_equal(begun.encoder.embedding.weight.detach().numpy(), expected)


@pytest.mark.parametrize("layers", [1, 2])
def test_a_student_begins_by_remembering(folder: Path, layers: int) -> None:
    """The forget gates' biases stand near 1, in both directions of every layer; those of other gates near 0."""
    recipe = toy.recipe(student={**toy.recipe().student.model_dump(), "layers": layers})
    dataset = prepare(recipe, folder, folder / "cache", Progress())
    parameters = dict(begin(recipe, folder, folder / "cache", dataset, CPU).encoder.cells.named_parameters())
    biases = [value.detach() for name, value in parameters.items() if name.startswith("bias_ih")]
    assert len(biases) == 2 * layers
    spread = 1 / 8**0.5  # of nn.LSTM's own initial values
    for bias in biases:
        gates = bias.view(4, 8)
        assert (gates[1] - 1).abs().max() <= spread
        assert gates[[0, 2, 3]].abs().max() <= spread


def test_the_average_of_weights_is_scored_and_exported(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The average moves to the new weights by 1 − decay after each step, by more at first; the steps don't use it."""
    plain, averaged, scored = tmp_path / "plain", tmp_path / "averaged", list[Encoder]()
    run(toy.recipe(), folder, plain)
    expected: dict[str, torch.Tensor] = {}
    real: Callable[..., torch.Tensor] = train.step

    def step(job: Any, rows: Any, taught: Run) -> torch.Tensor:
        loss = real(job, rows, taught)
        decay = min(0.4, (1 + taught.step) / (10 + taught.step)) if expected else 0
        for name, now in taught.encoder.state_dict().items():
            expected[name] = decay * expected.get(name, 0) + (1 - decay) * now
        return loss

    def embed(encoder: Encoder, *rest: Any) -> Any:
        scored.append(encoder)
        return real_embed(encoder, *rest)

    real_embed = train.embed
    monkeypatch.setattr(train, "step", step)
    monkeypatch.setattr(train, "embed", embed)
    run(toy.recipe(average_decay=0.4), folder, averaged)
    assert_same(state(averaged)["encoder"], state(plain)["encoder"])
    exported = checkpoint.load(averaged).encoder.state_dict()
    for name, tensor in expected.items():
        torch.testing.assert_close(scored[-1].state_dict()[name], tensor)
        torch.testing.assert_close(exported[name], tensor, rtol=0, atol=1e-3 if "embedding" in name else 1e-6)
        assert not torch.allclose(tensor, state(plain)["encoder"][name])
