"""Reads a recipe (TOML) into a frozen object that holds everything that decides the result of a training run.

Paths in a recipe are relative to the recipe's own folder, or to an installed package.
"""

import math
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from bothends.model.architecture import Attention, EncoderConfig, Languages, check_attention
from bothends.model.bundle import MAX_TOKENS, NAME, VERSION
from bothends.model.pooling import Pooling
from bothends.validation import grow_within, one_line

from .errors import RecipeError
from .inherit import tables
from .resource import Part, Resource


class Corpus(Part):
    """Sentences to learn from: a text file, or one in .xz or .gz, of lines `source⇥sentence` or just the sentence."""

    path: str
    sentences: int = Field(gt=0, description="how many, from the top")
    near_match: float | None = Field(
        None, gt=0, le=1, description="leave out what shares this much of its words, by Jaccard, with a dev sentence"
    )
    sources: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(
        {}, description="share of each source's sentences that are read; all of a source that isn't named"
    )
    longest: int | None = Field(None, gt=0, description="words of the longest sentences that are read")
    copied: int | None = Field(
        None, ge=0, description="how many, from the top, copies and made sentences follow; all by default"
    )
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
    introduced: float = Field(
        0.0,
        ge=0,
        le=1,
        description="share of those sentences that one copy more follows, behind words that add nothing",
    )
    misspelt: float = Field(
        0.0, ge=0, le=1, description="share of sentences that a misspelt copy follows, taught as the sentence itself"
    )


class Documents(Part):
    """Passages to learn from besides the sentences: a text file, or one in .xz or .gz, of lines
    `source⇥title⇥passage`.
    """

    path: str
    count: int = Field(gt=0, description="how many, from the top")
    sentences: int = Field(2, ge=0, description="of each passage, taught beside it as texts of their own")


class HeldOut(Part):
    """Sentences of the corpus that aren't learned, nor their near duplicates; the first teacher scores pairs of
    them.
    """

    sources: Annotated[tuple[str, ...], Field(min_length=1)]
    sentences: int = Field(1000, ge=3, description="of each source, and about as many pairs")


class Teacher(Part):
    """Model whose sentence vectors the student imitates."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    kind: Literal["transformers", "onnx", "function"]
    model: Resource = Field(description="function: the file that decides what it computes")
    tokenizer: Resource | None = Field(None, description="default: the tokenizer.json beside the model's files")
    output: str | None = Field(None, description="onnx: the output that holds sentence vectors")
    function: str | None = Field(
        None,
        pattern=r"^[\w.]+:[\w.]+$",
        description="function: `module:name` of one that takes a list of texts and returns their vectors",
    )
    max_tokens: int = Field(128, gt=2)
    weight: float = Field(1.0, gt=0, description="of its similarities where those of all teachers are averaged")
    sentences: int | None = Field(
        None, gt=0, description="how many of the corpus it embeds, from the top; all by default"
    )
    documents: int | None = Field(
        None, ge=0, description="how many of the documents it embeds, from the top; all by default"
    )
    families: bool | Literal["only"] = Field(
        True,
        description="whether its similarities between a sentence and its copies count; only: no others, and no texts "
        "besides are embedded",
    )
    centred: bool = Field(
        False, description="whether the mean of its vectors is taken from each: for one to whom all texts are alike"
    )

    @property
    def row_weight(self) -> float:
        """What its similarities between any two texts count; a teacher that counts there is imitated too."""
        return 0.0 if self.families == "only" else self.weight

    @property
    def family_weight(self) -> float:
        """What its similarities between a sentence and its copies count."""
        return self.weight if self.families else 0.0

    @model_validator(mode="after")
    def _a_function_is_named(self) -> Self:
        if (self.kind == "function") != (self.function is not None):
            raise ValueError("function: named where the kind is function, and there alone")
        return self


class Student(Part):
    """Encoder to train."""

    embedding_size: int = Field(gt=0)
    hidden_size: int = Field(gt=0)
    layers: int = Field(1, ge=1, le=3)
    pooling: Pooling = "final_states"
    attention: Attention | None = Field(None, description="sizes of the pooling of that name")
    max_tokens: int = Field(256, ge=1, le=MAX_TOKENS)
    table_dtype: Literal["float32", "float16"] = Field("float16", description="how the embedding table is stored")
    token_norm: float = Field(1.0, gt=0, description="mean norm of the token embeddings taken from the teachers")
    tokenizer: Resource

    @model_validator(mode="after")
    def _attention_has_its_sizes(self) -> Self:
        check_attention(self.pooling, self.attention)
        return self

    def config(self, vocabulary_size: int) -> EncoderConfig:
        """Return its architecture, with a table of this many rows."""
        return EncoderConfig(
            vocabulary_size=vocabulary_size,
            embedding_size=self.embedding_size,
            hidden_size=self.hidden_size,
            layers=self.layers,
            pooling=self.pooling,
            attention=self.attention,
        )


class Start(Resource):
    """Encoder from whose weights a student starts."""

    recipe: str | None = Field(
        None, description="the recipe, beside this one, that makes the checkpoint at `path`, where it isn't done yet"
    )
    weight: float = Field(1.0, gt=0, description="what it counts where the weights of several are averaged")


class Batches(Part):
    """How sentences form a batch. All sentences of a batch have vectors by the same teachers."""

    size: int = Field(256, ge=2)
    bucket: int = Field(50, ge=1, description="batches that are sorted by length together")
    neighbourhoods: int = Field(0, ge=0, description="of the space of the first teacher that embeds all sentences")
    share: float = Field(
        0.5, ge=0, le=1, description="of sentences whose batch is of one neighbourhood, if there are any"
    )
    per_batch: int = Field(
        1, ge=1, description="neighbourhoods of such a batch: one, or one and others at ever larger distances from it"
    )
    documents: float = Field(
        0.3, gt=0, le=1, description="share of steps whose batch is of documents, if there are any"
    )

    @model_validator(mode="after")
    def _parts_are_of_one_size(self) -> Self:
        if self.size % self.per_batch:
            raise ValueError(f"per_batch: {self.per_batch} neighbourhoods don't divide {self.size} sentences evenly")
        return self


class Loss(Part):
    """Weights of the losses that train the student; see objective.py."""

    imitation_weight: float = Field(1.0, ge=0, description="of 1 − cosine to each teacher through a linear map")
    relation_weight: float = Field(
        1.0, ge=0, description="of the KL between teachers' and student's rows of similarities"
    )
    relation_temperature: float = Field(0.05, gt=0, description="of those rows")
    family_weight: float = Field(
        0.0, ge=0, description="of the squared error of cosines between a sentence and its copies"
    )
    nested: tuple[Annotated[int, Field(ge=2, multiple_of=2)], ...] = Field(
        (), description="sizes k: the first k/2 numbers of each half are held to imitation and relation too"
    )
    nested_weight: float = Field(0.3, ge=0, description="of the mean over those sizes")


class Optimisation(Part):
    """Steps, learning rate and precision of the student's training."""

    steps: int = Field(ge=0, description="0 for what the student begins with, as it is")
    maps_first: int = Field(
        0, ge=0, description="of these steps, the first ones, in which only the maps into the teachers' spaces learn"
    )
    learning_rate: float = Field(2e-3, gt=0)
    final_learning_rate: float = Field(1e-4, gt=0, description="at the end of the cosine")
    warmup_steps: int = Field(200, ge=0)
    weight_decay: float = Field(0.0, ge=0)
    clip: float = Field(5.0, gt=0, description="largest norm of the gradient")
    average_decay: float = Field(
        0.0, ge=0, lt=1, description="of the moving average of weights that is scored and exported; 0 for none"
    )
    token_dropout: float = Field(0.1, ge=0, lt=1, description="share of numbers of token vectors that are zeroed")
    frequency_scale: float = Field(1e-3, gt=0, description="a in the initial token weights a/(a+p)")
    precision: Literal["float32", "bfloat16"] = "float32"
    evaluate_every: int = Field(250, gt=0)
    save_every: int = Field(500, gt=0)

    def learning_rate_at(self, step: int) -> float:
        """Return the learning rate: linear warm-up to `learning_rate`, then a cosine down to `final_learning_rate`.

        While only the maps learn, it is `learning_rate`.
        """
        if step < self.maps_first:
            return self.learning_rate
        step, steps = step - self.maps_first, self.steps - self.maps_first
        if step < self.warmup_steps:
            return self.learning_rate * (step + 1) / self.warmup_steps
        done = (step - self.warmup_steps) / max(1, steps - self.warmup_steps)
        spread = self.learning_rate - self.final_learning_rate
        return self.final_learning_rate + spread * (1 + math.cos(math.pi * done)) / 2


def _several(value: object) -> object:
    """A list of one where a recipe names one."""
    return [value] if isinstance(value, dict | Resource) else value


class Recipe(Part):
    """Complete description of a training run. Two runs of one recipe on one machine give the same weights."""

    # As a checkpoint's config.json wants them: refused here, not at the first save.
    name: str = Field(pattern=NAME)
    version: str = Field(pattern=VERSION)
    languages: Languages = ()
    seed: int = Field(0, ge=0)
    corpus: Corpus
    documents: Documents | None = Field(
        None, description="passages, their titles and sentences, in batches of their own"
    )
    teachers: Annotated[list[Teacher], Field(min_length=1)]
    student: Student
    start: Annotated[tuple[Start, ...], BeforeValidator(_several)] = Field(
        (),
        description="checkpoints or bundles whose mean weights the student begins with; default: the teachers' words",
    )
    start_share: float = Field(0.0, ge=0, lt=1, description="of their weights in those that are scored and exported")
    batches: Batches = Batches()
    loss: Loss = Loss()
    optimisation: Optimisation
    fit: int = Field(
        0,
        ge=0,
        description="the last groups of the corpus's sentences that are taught nothing: how well the student fits its "
        "teachers on them, and on the first ones as many, is told while it trains",
    )
    held_out: HeldOut | None = Field(None, description="pairs made from the corpus, scored while it trains as dev is")
    dev: list[str] = Field(default_factory=list, description="files of score⇥sentence⇥sentence, scored while it trains")
    retrieval: list[str] = Field(
        default_factory=list,
        description="folders of documents.tsv, queries.tsv and relevant.tsv, scored while it trains",
    )
    triples: list[str] = Field(
        default_factory=list, description="files of kind⇥sentence⇥same⇥other, scored while it trains"
    )

    @model_validator(mode="after")
    def _every_sentence_has_a_teacher(self) -> Self:
        if all(
            teacher.sentences or teacher.documents is not None or not teacher.row_weight for teacher in self.teachers
        ):
            raise ValueError("teachers: at least one embeds all sentences, and so has no number of them")
        if not any(teacher.families for teacher in self.teachers):
            raise ValueError("teachers: families of at least one count")
        return self

    @model_validator(mode="after")
    def _what_is_held_out_is_not_read(self) -> Self:
        if self.held_out and self.corpus.near_match is None:
            raise ValueError("held_out: corpus.near_match says what isn't read because it is like held-out sentences")
        return self

    @model_validator(mode="after")
    def _as_much_is_taught_as_is_not(self) -> Self:
        if 2 * self.fit > self.corpus.sentences:
            raise ValueError(f"fit: at most half of the corpus's {self.corpus.sentences} sentences")
        return self

    @model_validator(mode="after")
    def _a_start_is_there_where_it_is_asked_for(self) -> Self:
        if self.start_share and not self.start:
            raise ValueError("start_share: it is a share of the start's weights, and there is no start")
        if not self.optimisation.steps and not self.start:
            raise ValueError("optimisation.steps: without any it is the start that is exported, and there is none")
        return self

    @model_validator(mode="after")
    def _nested_sizes_fit(self) -> Self:
        served = self.student.config(vocabulary_size=1)
        if self.loss.nested and not served.has_halves:
            raise ValueError("loss.nested: an embedding without a forward and a backward half has none")
        if not grow_within(self.loss.nested, served.dimension):
            raise ValueError(f"loss.nested: sizes go up and stay below the embedding's {served.dimension}")
        return self


def read(path: Path) -> Recipe:
    """Read and check the recipe at `path`. Raises RecipeError, naming the key that is wrong."""
    said = tables(path)
    try:
        return Recipe.model_validate(said)
    except ValidationError as error:
        raise RecipeError(f"{path}: {one_line(error)}") from error
