"""The reference: token ids to sentence embeddings in PyTorch. Everything else is measured against this module.

Knows nothing of ONNX, of text, or of training.

Why the embedding is read from `h_n` and never from `output[-1]`: in `output, (h_n, c_n) = lstm(packed)` of a
bidirectional LSTM, `output[t]` joins the forward state after token t with the backward state after token t, *counted
from the end*. At the last position the backward half has read one token only. The backward pass ends at position 0.
`h_n[-2]` and `h_n[-1]` are the two ends.
"""

from typing import Literal, NamedTuple

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence


class EncoderConfig(BaseModel):
    """The sizes of an encoder; with the weights they are all that PyTorch needs to rebuild it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cell: Literal["lstm"] = "lstm"
    pooling: Literal["final_states"] = "final_states"
    vocabulary_size: int = Field(gt=0)
    embedding_size: int = Field(gt=0)
    hidden_size: int = Field(gt=0, description="of one direction; the embedding is twice as wide")
    layers: int = Field(ge=1, le=3)

    @property
    def dimension(self) -> int:
        """How many numbers an embedding has: both directions' final states."""
        return 2 * self.hidden_size


class EncoderOutput(NamedTuple):
    """What the encoder returns for a batch."""

    embedding: Tensor
    """float32 [batch, 2·hidden]: cat(h_n[-2], h_n[-1]), the final forward and the final backward state."""
    h_n: Tensor
    """float32 [layers·2, batch, hidden] in PyTorch's layout: layer 0 forward, layer 0 backward, layer 1 forward, …"""


class Encoder(nn.Module):
    """Embedding table → bidirectional `nn.LSTM` over packed sequences → both final states.

    Its weights carry the names that `nn.Embedding` as `embedding` and `nn.LSTM` as `lstm` give them.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocabulary_size, config.embedding_size)
        self.lstm = nn.LSTM(config.embedding_size, config.hidden_size, config.layers, bidirectional=True)

    @classmethod
    def of_weights(cls, config: EncoderConfig, weights: dict[str, Tensor]) -> "Encoder":
        """An encoder in eval mode with these weights, in float32. Raises ValueError that names the wrong one."""
        with torch.device("meta"):  # names and shapes, before anything of a size that may be wrong is allocated
            expected = cls(config).state_dict()
        for name, tensor in expected.items():
            if name not in weights:
                raise ValueError(f"the tensor {name} is missing")
            if weights[name].shape != tensor.shape:
                raise ValueError(
                    f"{name} has shape {list(weights[name].shape)}, config.json asks for {list(tensor.shape)}"
                )
        if extra := sorted(weights.keys() - expected.keys()):
            raise ValueError(f"unknown tensor {extra[0]}; the encoder has {', '.join(expected)}")
        encoder = cls(config)
        encoder.load_state_dict({name: tensor.float() for name, tensor in weights.items()})
        return encoder.eval()

    def forward(self, token_ids: Tensor, lengths: Tensor) -> EncoderOutput:
        """Embed int64 `token_ids` [batch, time], of which the first `lengths` [batch] (>= 1) of each row count."""
        vectors = self.embedding(token_ids)
        packed = pack_padded_sequence(vectors, lengths.cpu(), batch_first=True, enforce_sorted=False)
        _, (h_n, _) = self.lstm(packed)
        return EncoderOutput(torch.cat((h_n[-2], h_n[-1]), dim=1), h_n)
