"""Computes a teacher's unit vectors of sentences, and of single tokens for a student's initial table.

A teacher's weights come from an installed package; nothing is downloaded. If they aren't installed, vectors in a cache
may be used instead.
"""

import hashlib
import pkgutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import onnxruntime
import tokenizers
import torch
from numpy.typing import NDArray

from . import recipe
from .errors import RecipeError
from .vectors import Source, kept_teachers

_BATCH = 64


_Embed = Callable[[list[str]], NDArray[np.float32]]
"""Sentences to their vectors of any length, float32 [sentences, dimension]."""


class _Forward(Protocol):
    """Padded ids and mask, int64 [batch, time], to sentence vectors float32 [batch, dimension]."""

    def __call__(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> NDArray[np.float32]: ...


class Teacher:
    """Loaded teacher. `identity` names what it computes: hashes of its files, and how they are used."""

    def __init__(self, spec: recipe.Teacher, folder: Path, cache: Path) -> None:
        """Load the teacher that `spec` names, with paths relative to `folder`. Raises RecipeError if it can't be
        loaded.

        A zip in parts is unpacked in `cache`.
        """
        model = spec.model.locate(folder, cache)
        self.name = spec.name
        beside = model if model.is_dir() else model.parent
        tokenizer = spec.tokenizer.locate(folder, cache) if spec.tokenizer else beside / "tokenizer.json"
        try:
            self._embed, files = _load(spec, model, tokenizer)
            digests = [_digest(file) for file in files]
            self.dimension = len(self.embed(["dimension"])[0])
        except RecipeError:
            raise
        except Exception as error:  # transformers, onnxruntime and functions raise of everything for a broken file
            raise RecipeError(f"the teacher {spec.name} can't be loaded from {model}: {error}") from error
        self.identity = _use(spec) + ":".join(digests)

    def embed(self, sentences: Sequence[str]) -> NDArray[np.float32]:
        """Return unit vectors, float32 [sentences, dimension]."""
        vectors = self._embed(list(sentences))
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not (np.isfinite(norms) & (norms > 0)).all():
            raise RecipeError(f"the teacher {self.name} gives a sentence no direction (zero or NaN)")
        return np.asarray(vectors / norms)


def open_teacher(spec: recipe.Teacher, folder: Path, cache: Path) -> Source:
    """Return the teacher that `spec` names. If its files aren't installed, the cached vectors of an equal one are used.

    Raises RecipeError if there is neither, and like `Teacher`.
    """
    try:
        spec.model.locate(folder, cache)
    except RecipeError:
        found = [kept for kept in kept_teachers(spec.name, cache) if kept.identity.startswith(_use(spec))]
        if len(found) != 1:  # of two, nobody knows which the recipe means
            raise
        return found[0]
    return Teacher(spec, folder, cache)


def _use(spec: recipe.Teacher) -> str:
    """What a teacher's identity says before the hashes of its files."""
    if spec.kind == "function":
        return f"{spec.kind}:{spec.function}:"
    return f"{spec.kind}:{spec.output}:{spec.max_tokens}:"


def _load(spec: recipe.Teacher, model: Path, tokenizer: Path) -> tuple[_Embed, list[Path]]:
    """What embeds for the teacher, and the files that decide what it computes."""
    if spec.kind == "function":
        return _function(spec.function), [model]
    opened = _tokenizer(tokenizer, spec.max_tokens)  # first, since it is the quicker to be refused
    if spec.kind == "onnx":
        return _padded(opened, _onnx(model, spec.output)), [model, tokenizer]
    files = [model / "model.safetensors", model / "config.json", tokenizer]
    return _padded(opened, _transformers(model)), files


def _function(name: str | None) -> _Embed:
    """The function `module:name` of an installed package, in batches; it cuts texts as it likes."""
    called = pkgutil.resolve_name(str(name))

    def embed(sentences: list[str]) -> NDArray[np.float32]:
        starts = range(0, len(sentences), _BATCH)
        return np.concatenate([np.asarray(called(sentences[start : start + _BATCH]), np.float32) for start in starts])

    return embed


def _tokenizer(file: Path, max_tokens: int) -> tokenizers.Tokenizer:
    try:
        opened = tokenizers.Tokenizer.from_file(str(file))
    except Exception as error:  # the library raises plain Exception for every fault of the file
        raise RecipeError(f"{file} is no tokenizer.json: {error}") from error
    opened.no_padding()
    opened.enable_truncation(max_tokens)
    return opened


def _padded(tokenizer: tokenizers.Tokenizer, forward: _Forward) -> _Embed:
    """Runs sentences through `forward` in batches of similar length."""

    def embed(sentences: list[str]) -> NDArray[np.float32]:
        encoded = [encoding.ids for encoding in tokenizer.encode_batch_fast(sentences)]
        order = sorted(range(len(encoded)), key=lambda index: len(encoded[index]))
        rows: list[NDArray[np.float32]] = []
        for start in range(0, len(order), _BATCH):
            chosen = [encoded[index] for index in order[start : start + _BATCH]]
            ids = np.zeros((len(chosen), max(map(len, chosen))), dtype=np.int64)
            mask = np.zeros_like(ids)
            for row, tokens in enumerate(chosen):
                ids[row, : len(tokens)] = tokens
                mask[row, : len(tokens)] = 1
            rows.append(forward(ids, mask))
        vectors = np.concatenate(rows)
        result = np.empty_like(vectors)
        result[order] = vectors
        return result

    return embed


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _transformers(model: Path) -> _Forward:
    """A BERT-like encoder, mean over its last hidden states; bfloat16 where the machine multiplies that natively."""
    from transformers import AutoModel, logging  # takes seconds to import; only this kind of teacher needs it

    logging.disable_progress_bar()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    # Its weights too: a CPU would cast all of them for each batch.
    network = AutoModel.from_pretrained(str(model), local_files_only=True, dtype=torch.bfloat16).eval().to(device)

    def forward(ids: NDArray[np.int64], mask: NDArray[np.int64]) -> NDArray[np.float32]:
        with torch.inference_mode():
            weights = torch.from_numpy(mask).to(device)
            states = network(input_ids=torch.from_numpy(ids).to(device), attention_mask=weights).last_hidden_state
            counted = weights.unsqueeze(-1)
            mean = (states.float() * counted).sum(1) / counted.sum(1)
        vectors: NDArray[np.float32] = mean.cpu().numpy()
        return vectors

    return forward


def _onnx(model: Path, output: str | None) -> _Forward:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()  # so that OMP_NUM_THREADS holds for both libraries
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    names = [entry.name for entry in session.get_outputs()]
    if output not in names:
        raise RecipeError(f"{model} has no output {output!r}; it has {', '.join(names)}")

    def forward(ids: NDArray[np.int64], mask: NDArray[np.int64]) -> NDArray[np.float32]:
        (vectors,) = session.run([output], {"input_ids": ids, "attention_mask": mask})
        return np.asarray(vectors, dtype=np.float32)

    return forward


def token_embeddings(
    vectors: NDArray[np.float32], frequencies: NDArray[np.float64], *, size: int, norm: float, frequency_scale: float
) -> NDArray[np.float32]:
    """Return initial token embeddings, float32 [tokens, size], from a teacher's vectors of single tokens, float32
    [tokens, dimension], and the tokens' relative `frequencies` [tokens].

    They are centred, projected to the first `size` principal directions, scaled to `norm` on average, and weighted with
    a/(a+p) for a token of relative frequency p, where a is `frequency_scale` (smooth inverse frequency: Arora, Liang
    and Ma, "A Simple but Tough-to-Beat Baseline for Sentence Embeddings", ICLR 2017).
    """
    if size > vectors.shape[1]:
        raise RecipeError(f"embedding_size {size} exceeds the {vectors.shape[1]} numbers of the teachers' vectors")
    centred = vectors - vectors.mean(axis=0)
    _, directions = np.linalg.eigh(centred.T @ centred)
    projected = centred @ directions[:, ::-1][:, :size]
    projected *= norm / np.linalg.norm(projected, axis=1).mean()
    weighted = projected * (frequency_scale / (frequency_scale + frequencies))[:, np.newaxis]
    return np.ascontiguousarray(weighted, dtype=np.float32)
