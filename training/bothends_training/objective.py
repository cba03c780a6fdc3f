"""Student and teacher vectors of a batch to one loss. It acts on the very vector that is served.

Knows nothing of tokens, files or optimisers.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional


class Objective(nn.Module):
    """1 − cosine(linear(embedding), teacher) + weight · KL(teacher's ‖ student's rows of in-batch similarities).

    The linear map exists in training only. The second term is relational distillation (Park et al., "Relational
    Knowledge Distillation", CVPR 2019) over softmax rows, the diagonal left out.
    """

    def __init__(self, dimension: int, teacher_dimension: int, *, temperature: float, relation_weight: float) -> None:
        super().__init__()
        self.to_teacher = nn.Linear(dimension, teacher_dimension)
        self.temperature = temperature
        self.relation_weight = relation_weight

    def forward(self, embedding: Tensor, teacher: Tensor) -> Tensor:
        """The mean loss, a scalar, for `embedding` [batch, dimension] and `teacher` [batch, teacher_dimension]."""
        imitation = 1 - functional.cosine_similarity(self.to_teacher(embedding), teacher).mean()
        expected = self._rows(teacher)
        relation = functional.kl_div(self._rows(embedding), expected, log_target=True, reduction="batchmean")
        return imitation + self.relation_weight * relation

    def _rows(self, vectors: Tensor) -> Tensor:
        """Log-probabilities of every other sentence by similarity, [batch, batch - 1]."""
        unit = functional.normalize(vectors, dim=1)
        others = ~torch.eye(len(unit), dtype=torch.bool, device=unit.device)
        similarities = (unit @ unit.T)[others].view(len(unit), -1)
        return functional.log_softmax(similarities / self.temperature, dim=1)
