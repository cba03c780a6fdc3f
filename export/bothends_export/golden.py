"""Sentences chosen to break things, with the reference's embedding of each, computed alone."""

import numpy as np
import torch

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


def make(encoder: Encoder, tokenizer: Tokenizer) -> Golden:
    """Golden sentences for `encoder`: those of SENTENCES that `tokenizer` finds a token in."""
    found = [(sentence, tokens.ids) for sentence, tokens in zip(SENTENCES, tokenizer.encode(SENTENCES), strict=True)]
    kept = [(sentence, ids) for sentence, ids in found if ids]
    encoder.eval()
    with torch.inference_mode():
        rows = [encoder(torch.tensor([ids]), torch.tensor([len(ids)])).embedding.numpy() for _, ids in kept]
    return Golden([sentence for sentence, _ in kept], [ids for _, ids in kept], np.concatenate(rows))


def cosine_to_final_states(encoder: Encoder, golden: Golden) -> float | None:
    """Mean cosine of `golden`'s embeddings to those that pooling final states would give, all else being as it is.

    None where that is the pooling, or would give another number of numbers.
    """
    config = EncoderConfig(**{**encoder.config.model_dump(), "pooling": "final_states"})
    if config == encoder.config or config.pooled_size != encoder.config.pooled_size:
        return None
    other = Encoder.of_weights(config, encoder.state_dict())
    with torch.inference_mode():
        rows = [other(torch.tensor([ids]), torch.tensor([len(ids)])).embedding for ids in golden.token_ids]
    cosines = torch.cosine_similarity(torch.cat(rows), torch.from_numpy(golden.embeddings), dim=1)
    return float(cosines.mean())
