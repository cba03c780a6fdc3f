"""Reads documents, and makes a group of texts from each for one batch: passage, title, and some of its sentences.

The teachers alone say what a passage's title or sentence means in relation to others.
"""

import random
from collections.abc import Sequence
from pathlib import Path

from .corpus import read_lines
from .decontaminate import NearDuplicates
from .errors import RecipeError
from .gather.passages import sentences
from .recipe import Documents


def read_documents(plan: Documents, folder: Path, near: NearDuplicates | None) -> list[list[str]]:
    """Return the texts of each document, none of them empty or repeated; the path in `plan` is relative to `folder`.

    A text that nearly matches a held-out one, by the index `near`, is left out, and a passage if one of its sentences
    does. Raises RecipeError if the file can't be read, or holds too few documents.
    """
    path = (folder / plan.path).resolve()
    found: list[list[str]] = []
    for head, passage in read_lines(path):
        if len(found) == plan.count:
            break
        if near and any(near.match(sentence) for sentence in sentences(passage)):
            continue  # a passage is far longer than what it holds, and matches none as a whole
        _, _, title = head.partition("\t")
        texts = [passage, title.strip(), *own_sentences(passage, plan.sentences)]
        kept = [text for text in dict.fromkeys(texts) if text and not (near and near.match(text))]
        if kept and kept[0] == passage:
            found.append(kept)
    if len(found) < 2:
        raise RecipeError(f"{path} holds {len(found)} documents; training needs at least two")
    return found


def own_sentences(passage: str, count: int) -> Sequence[str]:
    """Return up to `count` of the passage's sentences, chosen by a hash of it; none for a passage of one sentence."""
    found = [sentence for sentence in sentences(passage) if len(sentence.split()) > 2]
    if len(found) < 2:
        return []
    return random.Random(passage).sample(found, min(count, len(found)))  # noqa: S311  a corpus needs no secrets
