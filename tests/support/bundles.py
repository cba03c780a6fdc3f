"""Bundles of small encoders with random weights, made without PyTorch, for tests of what serves them.

Their golden embeddings are what onnxruntime computes for each sentence alone. That onnxruntime's are PyTorch's is what
tests/export proves, with bundles that `bothends export` makes.
"""

from pathlib import Path
from typing import Any

import numpy as np
import tokenizers
from numpy.typing import NDArray

from bothends.engines.onnxruntime import OnnxRuntimeEngine
from bothends.model import bundle
from bothends.model.architecture import EncoderConfig, layer_name
from bothends.model.bundle import Bundle
from bothends.model.golden import Golden
from bothends.model.tokenizer import Tokenizer
from bothends_export import graph

WORDS = ["there", "will", "be", "dragons", "no", "##s", "a", "man", "plays", "the", "guitar", "and", "woman", "sings"]
MAX_TOKENS = 40
SENTENCES = (
    "a",
    "there will be dragons",
    "dragons will be there",
    "no no no no no no no no",
    "a man plays the guitar and a woman plays no guitar",
    "a woman plays the guitar, and a man plays no guitar!",
    "the quick brown fox; 1,234.56 dollars & 50% off",
    "!?!?!?",
    "x" * 30,
    "there will be no dragons " * 8,
)
"""Sentences of one token to as many as the encoders read; those that are longer are cut. None has the word "sings":
tests spoil the row of a word that no self-test reads.
"""
TOLERANCE = 1e-5
_GATES = {"lstm": 4, "gru": 3}

Weights = dict[str, NDArray[np.floating[Any]]]
_Kind = tuple[tuple[int, ...], float | None]
"""Shape of an array, and the bound of its uniform numbers; None if they are normal."""


def toy_tokenizer() -> str:
    """Return a tokenizer.json of a few words and every printable ASCII character."""
    pieces = [
        "[PAD]",
        "[UNK]",
        *WORDS,
        *(chr(code) for code in range(33, 127)),
        *(f"##{chr(c)}" for c in range(97, 123)),
    ]
    vocabulary = {piece: index for index, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordPiece(vocabulary, unk_token="[UNK]"))  # noqa: S106  a token of text
    tokenizer.normalizer = tokenizers.normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    return str(tokenizer.to_str())


def make(
    path: Path,
    *,
    layers: int = 1,
    hidden_size: int = 16,
    embedding_size: int = 12,
    seed: int = 0,
    dtype: type[np.floating[Any]] = np.float16,
    tokenizer: str | None = None,
    **shape: Any,
) -> Bundle:
    """Write a bundle of random weights to the new folder `path`, with an embedding table of `dtype`.

    `tokenizer` is a tokenizer.json that takes the place of `toy_tokenizer`'s, with the same vocabulary. `shape` is more
    of EncoderConfig's fields. The row of token 0 is as random as the others: padding would show.
    """
    text = tokenizer or toy_tokenizer()
    config = EncoderConfig(
        vocabulary_size=tokenizers.Tokenizer.from_str(text).get_vocab_size(),
        embedding_size=embedding_size,
        hidden_size=hidden_size,
        layers=layers,
        **shape,
    )
    found = weights(config, seed=seed)
    found["embedding.weight"] = found["embedding.weight"].astype(dtype)
    fields = {"name": "toy", "version": f"{layers}.{seed}", "max_tokens": MAX_TOKENS, "tolerance": TOLERANCE}
    parts: dict[str, Any] = {
        "config": fields | config.model_dump(),
        "model": graph.build(found, config).SerializeToString(),
        "tokenizer": text,
        "card": f"# toy {layers}.{seed}\n",
    }
    read = Tokenizer(text, max_tokens=MAX_TOKENS, source=Path("tokenizer.json")).encode(SENTENCES)
    ids = [list(tokens.ids) for tokens in read]
    nothing = Golden(list(SENTENCES), ids, np.zeros((len(ids), config.dimension), dtype=np.float32))
    draft = path.with_name(f"{path.name}-draft")
    bundle.write(draft, golden=nothing, **parts)
    engine = OnnxRuntimeEngine(Bundle.open(draft))
    rows = np.concatenate([engine.run([each]) for each in ids])
    bundle.write(path, golden=Golden(list(SENTENCES), ids, rows), **parts)
    return Bundle.open(path)


def weights(config: EncoderConfig, *, seed: int) -> Weights:
    """Return random weights of an encoder by PyTorch's names, as widely spread as PyTorch begins with them."""
    chance = np.random.default_rng(seed)
    drawn = {}
    for name, (shape, bound) in (_cells(config) | _around(config)).items():
        numbers = chance.standard_normal(shape) if bound is None else chance.uniform(-bound, bound, shape)
        drawn[name] = numbers.astype(np.float32)
    return drawn


def _cells(config: EncoderConfig) -> dict[str, _Kind]:
    """Weights of the recurrent layers."""
    found: dict[str, _Kind] = {}
    for layer, width in enumerate(config.widths):
        gates, state = _GATES[config.cell] * width, config.projection_size or width
        shapes = {"weight_ih": (gates, config.layer_input_size(layer)), "weight_hh": (gates, state)}
        shapes |= {"weight_hr": (state, width)} if config.projection_size else {}
        biases = {"bias_ih": (gates,), "bias_hh": (gates,)} if config.bias else {}
        name = layer_name(config.cell, layer, is_uneven=config.is_uneven)
        for end in ("", "_reverse")[: config.directions]:
            found |= {f"{name.format(kind)}{end}": (shape, width**-0.5) for kind, shape in (shapes | biases).items()}
    return found


def _around(config: EncoderConfig) -> dict[str, _Kind]:
    """Weights of all that isn't recurrent."""
    found: dict[str, _Kind] = {"embedding.weight": ((config.vocabulary_size, config.embedding_size), None)}
    stacked = config.layers * config.directions
    if config.input_projection:
        found |= _linear("input_projection", config.embedding_size, config.input_projection)
    if config.learned_initial_states:
        found["h_0"] = ((stacked, config.state_size), None)
        found |= {"c_0": ((stacked, config.hidden_size), None)} if config.cell == "lstm" else {}
    if attention := config.attention:
        found |= _linear("attention.hidden", config.directions * config.state_size, attention.size)
        found["attention.scores.weight"] = ((attention.hops, attention.size), attention.size**-0.5)
    if head := config.head:
        found |= _linear("head.linear", config.pooled_size, head.size)
        norms = ("weight", "bias") if head.then == "layer_norm" else ()
        found |= {f"head.norm.{kind}": ((head.size,), None) for kind in norms}
    return found


def _linear(name: str, inputs: int, outputs: int) -> dict[str, _Kind]:
    return {f"{name}.weight": ((outputs, inputs), inputs**-0.5), f"{name}.bias": ((outputs,), inputs**-0.5)}
