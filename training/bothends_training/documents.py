"""Reads documents, and makes of each a group of texts that one batch holds: passage, title, and some of its sentences.

What a passage's title or sentence means beside those of others is for the teachers to say.
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
    """The texts of each document, none empty and none twice, without those that nearly match what is held out; a
    passage one of whose sentences does is passed by.

    Raises RecipeError where the file can't be read, or holds too few documents.
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
    """Up to `count` of the passage's sentences, by chance that follows from it; none of a passage of one sentence."""
    found = [sentence for sentence in sentences(passage) if len(sentence.split()) > 2]
    if len(found) < 2:
        return []
    return random.Random(passage).sample(found, min(count, len(found)))  # noqa: S311  a corpus needs no secrets
