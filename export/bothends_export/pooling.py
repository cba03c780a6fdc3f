"""Poolings in PyTorch: the reference that exports are held to, and what training learns by.

`bothends.model.pooling` says what each means, and computes it in ONNX.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bothends.model.architecture import Attention as AttentionConfig
from bothends.model.pooling import Pooling


@dataclass(frozen=True, slots=True)
class TopStates:
    """States of the top layer for a batch of sentences."""

    final: Tensor
    """Each direction's state once it has read the whole sentence, float [batch, directions·state], forward first."""
    steps: Tensor
    """Every step's states, float [batch, time, directions·state]; empty where the pooling reads the final ones alone.

    What stands behind a sentence's end is never read.
    """
    lengths: Tensor
    """Number of steps of each sentence, int64 [batch], on the device of `steps`."""

    @property
    def own(self) -> Tensor:
        """True where a step is the sentence's own, bool [batch, time, 1]."""
        positions = torch.arange(self.steps.shape[1], device=self.steps.device)
        return (positions < self.lengths.unsqueeze(1)).unsqueeze(2)

    def kept(self, other: float = 0.0) -> Tensor:
        """Return `steps` with `other` behind each sentence's end."""
        return self.steps.masked_fill(~self.own, other)

    def last(self) -> Tensor:
        """Return the states of each sentence's last step, [batch, directions·state]."""
        return self.steps[torch.arange(len(self.lengths), device=self.steps.device), self.lengths - 1]


class Attention(nn.Module):
    """Weighted means of a sentence's steps, [batch, hops·directions·state], hop by hop.

    Zhouhan Lin and others, "A structured self-attentive sentence embedding" (ICLR 2017), whose W_s1 is `hidden`, here
    with biases, and whose W_s2 is `scores`.
    """

    def __init__(self, config: AttentionConfig, inputs: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(inputs, config.size)
        self.scores = nn.Linear(config.size, config.hops, bias=False)

    def forward(self, states: TopStates) -> Tensor:
        """Pool the states of a batch."""
        scores = self.scores(torch.tanh(self.hidden(states.kept())))
        weights = scores.masked_fill(~states.own, -torch.inf).softmax(dim=1)
        means: Tensor = weights.transpose(1, 2).to(states.steps) @ states.kept()
        return means.flatten(1)


POOL: dict[Pooling, Callable[[TopStates], Tensor]] = {
    "final_states": lambda states: states.final,
    "max": lambda states: states.kept(-torch.inf).amax(dim=1),
    "mean": lambda states: states.kept().sum(dim=1) / states.lengths.unsqueeze(1).to(states.steps),
    "last_output": lambda states: states.last(),
    "first_and_last_output": lambda states: torch.cat((states.steps[:, 0], states.last()), dim=1),
}
"""The poolings without weights, each from a batch's states to float [batch, numbers]. `Attention` has weights."""
