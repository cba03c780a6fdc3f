"""Makes a student before its first step, with all of its state that changes from step to step."""

import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bothends.model.pooling import POOLINGS
from bothends_export.encoder import Encoder

from . import warm_start
from .dataset import Dataset
from .objective import Objective
from .ragged_lstm import PackedLSTM, RaggedLSTM
from .recipe import Recipe
from .teacher import open_teacher, token_embeddings
from .vectors import cached_vectors


class MovingAverage:
    """Exponential moving average of an encoder's weights, short at first so that early weights are soon forgotten.

    After n updates the decay is (1 + n)/(10 + n), until that reaches `decay`; the first update copies. Unlike torch's
    AveragedModel it counts on the host, so that it needn't wait for a GPU.
    """

    def __init__(self, encoder: Encoder, decay: float) -> None:
        self.encoder = copy.deepcopy(encoder).requires_grad_(False)
        self._decay, self._updates = decay, 0

    @torch.no_grad()
    def update(self, encoder: Encoder) -> None:
        """Move the average towards the weights of `encoder`."""
        share = 1 - min(self._decay, (1 + self._updates) / (10 + self._updates)) if self._updates else 1
        for kept, new in zip(self.encoder.parameters(), encoder.parameters(), strict=True):
            kept.lerp_(new, share)
        self._updates += 1

    def state(self) -> dict[str, Any]:
        """Return the state that `restore` reads."""
        return {"encoder": self.encoder.state_dict(), "updates": self._updates}

    def restore(self, state: dict[str, Any]) -> None:
        """Resume where `state` was saved."""
        self.encoder.load_state_dict(state["encoder"])
        self._updates = state["updates"]


@dataclass(slots=True)
class Run:
    """State that changes from step to step, which a resumed run needs back."""

    encoder: Encoder
    lstm: RaggedLSTM | PackedLSTM
    """The encoder's LSTM over batches, as the steps run it."""
    average: MovingAverage | None
    """Moving average of the encoder's weights, if the recipe asks for it."""
    objective: Objective
    optimiser: torch.optim.Optimizer
    start_share: float
    """Share of `start` in what is scored and exported."""
    start: dict[str, Tensor] | None = None
    """Weights from which it started, if a share of them is kept."""
    step: int = 0
    seconds: float = 0.0
    losses: list[Tensor] = field(default_factory=list)
    """Losses of the steps since the last evaluation, scalars on the student's device."""
    history: list[dict[str, float]] = field(default_factory=list)

    @property
    def trained(self) -> Encoder:
        """Return the encoder to score and to export: the average, or the last step's, mixed with its share of the
        start.

        The mean with the starting weights forgets less of them (Wortsman et al., "Robust fine-tuning of zero-shot
        models", CVPR 2022).
        """
        learned = self.average.encoder if self.average and self.step else self.encoder
        if self.start is None:
            return learned
        mixed = copy.deepcopy(learned)
        for name, weight in mixed.state_dict().items():
            weight.lerp_(self.start[name], self.start_share)
        return mixed

    def state(self) -> dict[str, Any]:
        """Return the state from which a run continues as if never interrupted."""
        return {
            "encoder": self.encoder.state_dict(),
            "average": self.average.state() if self.average else None,
            "objective": self.objective.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "start": self.start,
            "random": torch.get_rng_state(),
            "cuda_random": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
            "step": self.step,
            "seconds": self.seconds,
            "losses": self.losses,
            "history": self.history,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Resume where `state` was saved."""
        self.encoder.load_state_dict(state["encoder"])
        if self.average:
            self.average.restore(state["average"])
        self.objective.load_state_dict(state["objective"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.start = state["start"]
        torch.set_rng_state(state["random"].cpu())
        if state["cuda_random"]:
            torch.cuda.set_rng_state_all([random.cpu() for random in state["cuda_random"]])
        self.step, self.seconds = state["step"], state["seconds"]
        self.losses, self.history = state["losses"], state["history"]


def begin(recipe: Recipe, folder: Path, cache: Path, dataset: Dataset, device: torch.device) -> Run:
    """Return a student of `recipe` at step 0 on `device`: with the weights of other encoders, or its token embeddings
    taken from the teachers.

    Paths in the recipe are relative to `folder`; teachers' vectors are kept in `cache`.
    """
    run = new_student(recipe, dataset, device)
    if recipe.start:
        paths = [start.locate(folder, cache) for start in recipe.start]
        shares = [start.weight for start in recipe.start]
        weights = warm_start.mean_weights(paths, shares, run.encoder, dataset.tokenizer_definition)
        run.encoder.load_state_dict(weights)
        if run.start_share:
            run.start = {name: tensor.detach().clone() for name, tensor in run.encoder.state_dict().items()}
    else:
        table = initial_token_embeddings(recipe, folder, cache, dataset)
        run.encoder.embedding.weight.data.copy_(torch.from_numpy(table))
    return run


def initial_token_embeddings(recipe: Recipe, folder: Path, cache: Path, dataset: Dataset) -> NDArray[np.float32]:
    """Return initial token embeddings, float32 [tokens, embedding], from the teachers' vectors of single tokens, which
    are kept in `cache`. Paths in `recipe` are relative to `folder`.
    """
    counts = np.bincount(dataset.corpus.ids, minlength=dataset.tokenizer.vocabulary_size)
    tokens = dataset.tokenizer.vocabulary()
    teachers = [open_teacher(spec, folder, cache) for spec in recipe.teachers if spec.row_weight]
    return token_embeddings(
        np.concatenate([cached_vectors(teacher, tokens, cache)[:] for teacher in teachers], axis=1),
        counts / counts.sum(),
        size=recipe.student.embedding_size,
        norm=recipe.student.token_norm,
        frequency_scale=recipe.optimisation.frequency_scale,
    )


def new_student(recipe: Recipe, dataset: Dataset, device: torch.device) -> Run:
    """Return a student with random weights, which `begin` or a saved state replaces."""
    torch.manual_seed(recipe.seed)
    student = recipe.student
    config = student.config(dataset.tokenizer.vocabulary_size)
    encoder = Encoder(config)
    # Forget bias 1 (Jozefowicz et al., ICML 2015); the gates stand in the order i, f, g, o.
    for name, parameter in encoder.cells.named_parameters():
        if name.startswith("bias_ih"):
            parameter.data[student.hidden_size : 2 * student.hidden_size] += 1
    objective = Objective(
        config.dimension,
        [vectors.dimension for vectors in dataset.vectors],
        recipe.loss,
        weights=[teacher.row_weight for teacher in recipe.teachers],
        kin_weights=[teacher.family_weight for teacher in recipe.teachers],
    )
    learned = nn.ModuleList([encoder, objective]).to(device)
    optimiser = torch.optim.AdamW(learned.parameters(), weight_decay=recipe.optimisation.weight_decay, fused=True)
    decay = recipe.optimisation.average_decay
    average = MovingAverage(encoder, decay) if decay else None
    way = RaggedLSTM if device.type == "cpu" else PackedLSTM
    lstm = way(encoder.cells, reads_steps=POOLINGS[config.pooling].reads_steps)
    return Run(encoder, lstm, average, objective, optimiser, recipe.start_share)
