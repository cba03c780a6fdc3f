"""Golden sentences, chosen as hard cases, with the reference encoder's embedding of each, computed alone."""

from collections.abc import Sequence

import numpy as np
import torch

from bothends.errors import BundleError
from bothends.model.architecture import EncoderConfig
from bothends.model.golden import Golden
from bothends.model.tokenizer import Tokenizer

from .encoder import Encoder

SENTENCES = (
    "a",
    "there will be dragons",
    "dragons will be there",
    "There will be dragons.",
    "Will there be dragons?",
    "no no no no no no no no",
    "A man is playing a guitar on the stage, and a woman is singing.",
    "A woman is playing a guitar on the stage, and a man is singing.",
    "The quick brown fox jumps over the lazy dog; 1,234.56 dollars & 50% off!",
    "naïve café façade Ångström coöperate",
    "e\u0301 is e\u0301 and \u00e9 is \u00e9",  # combining and composed
    "日本語の文章です。",
    "Привет, мир!",
    "שלום עולם and مرحبا بالعالم together",
    "\u202eright to left override\u202c",
    "👩‍👩‍👧‍👦 family 🎉🎉🎉",
    "nul \x00 in the middle, \t tab, \u200b zero width",
    "https://example.com/a/b?c=d#e user@example.com",
    "supercalifragilisticexpialidocious",
    "x" * 300,
    "!?!?!?",
    "it isn't what it wasn't, isn't it?",
    "one two three four five six seven eight nine ten eleven twelve " * 3,
    "words and more words until the model's limit is met and passed " * 60,
)


_FEWEST_TOKENS = 16
"""Least count of different tokens in golden sentences that say something of a table."""
_MAX_WORDS = 40
_LENGTHS = (1, 1, 1, 1, 2, 3, 5, 8, 13, 21)


def make(encoder: Encoder, tokenizer: Tokenizer) -> Golden:
    """Return golden sentences for `encoder`: those of SENTENCES in which `tokenizer` finds a token.

    If these have few tokens, for example because the vocabulary is of another language, sentences of the vocabulary's
    own words are added. Raises BundleError if the tokenizer finds no token even in those.
    """
    kept = _read(SENTENCES, tokenizer)
    if len({index for _, ids in kept for index in ids}) < _FEWEST_TOKENS:
        kept += _read(_of_vocabulary(tokenizer), tokenizer)
    if not kept:
        raise BundleError(
            "no golden sentence can be made: the tokenizer finds no token in English, nor in the words of its own "
            f"vocabulary of {tokenizer.vocabulary_size}; is it this encoder's, and does it split text into its words?"
        )
    encoder.eval()
    with torch.inference_mode():
        rows = [encoder(torch.tensor([ids]), torch.tensor([len(ids)])).embedding.numpy() for _, ids in kept]
    return Golden([sentence for sentence, _ in kept], [ids for _, ids in kept], np.concatenate(rows))


def _read(sentences: Sequence[str], tokenizer: Tokenizer) -> list[tuple[str, list[int]]]:
    """The sentences that have tokens, with the ids of these."""
    found = zip(sentences, tokenizer.encode(sentences), strict=True)
    return [(sentence, list(tokens.ids)) for sentence, tokens in found if tokens.ids]


def _of_vocabulary(tokenizer: Tokenizer) -> list[str]:
    """Sentences of one word and of more, from all of the vocabulary."""
    texts = (text.replace("\u2581", " ").strip() for text in tokenizer.vocabulary())  # which SentencePiece has as space
    words = [text for text in texts if text]
    if not words:
        return []
    spread = words[:: len(words) // _MAX_WORDS + 1]
    sentences, start = [], 0
    for length in _LENGTHS:
        sentences.append(" ".join(spread[(start + index) % len(spread)] for index in range(length)))
        start += length
    return list(dict.fromkeys(sentences))


def cosine_to_final_states(encoder: Encoder, golden: Golden) -> float | None:
    """Return the mean cosine of `golden`'s embeddings with those that final-state pooling would give.

    None if that is the encoder's pooling, or if it would give vectors of another size.
    """
    config = EncoderConfig(**{**encoder.config.model_dump(), "pooling": "final_states", "attention": None})
    if config == encoder.config or config.pooled_size != encoder.config.pooled_size:
        return None
    weights = {name: tensor for name, tensor in encoder.state_dict().items() if not name.startswith("attention.")}
    other = Encoder.of_weights(config, weights)
    with torch.inference_mode():
        rows = [other(torch.tensor([ids]), torch.tensor([len(ids)])).embedding for ids in golden.token_ids]
    cosines = torch.cosine_similarity(torch.cat(rows), torch.from_numpy(golden.embeddings), dim=1)
    return float(cosines.mean())
