"""The parts of a recipe that say which texts are learnt from, in which variants, and which are held out."""

from typing import Annotated

from pydantic import Field

from .resource import Part


class Corpus(Part):
    """Sentences to learn from: a text file, .xz or .gz too, of lines `source⇥sentence` or just the sentence."""

    path: str
    sentences: int = Field(gt=0, description="how many, from the top")
    near_match: float | None = Field(
        None, gt=0, le=1, description="leave out what shares this much of its words, by Jaccard, with a dev sentence"
    )
    sources: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(
        {}, description="share of each source's sentences that are read; all of a source that isn't named"
    )
    longest: int | None = Field(None, gt=0, description="words of the longest sentences that are read")
    scrambled: float = Field(
        0.0, ge=0, le=1, description="share of sentences that a copy with its words in another order follows"
    )
    varied: float = Field(0.0, ge=0, le=1, description="share of sentences that two copies with other words follow")
    composed: float = Field(
        0.0, ge=0, le=1, description="share of sentences that up to two copies with other roles or numbers follow"
    )
    scenes: float = Field(0.0, ge=0, le=1, description="share of sentences that a family of made sentences follows")
    swapped: float = Field(
        0.0,
        ge=0,
        le=1,
        description="share of sentences that up to two copies with another figure, name or sense follow",
    )
    misspelt: float = Field(
        0.0, ge=0, le=1, description="share of sentences that a misspelt copy follows, taught as the sentence itself"
    )


class Documents(Part):
    """Passages to learn from beside the sentences: a text file, .xz or .gz too, of lines `source⇥title⇥passage`."""

    path: str
    count: int = Field(gt=0, description="how many, from the top")
    sentences: int = Field(2, ge=0, description="of each passage, taught beside it as texts of their own")


class HeldOut(Part):
    """Sentences of the corpus that nothing is taught, and their near duplicates neither; the first teacher scores pairs
    of them.
    """

    sources: Annotated[tuple[str, ...], Field(min_length=1)]
    sentences: int = Field(1000, ge=3, description="of each source, and about as many pairs")
