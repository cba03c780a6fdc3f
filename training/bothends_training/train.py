"""A recipe to a checkpoint, by distillation: the whole run, resumable at any kill.

    read sentences → tokenise → teachers' vectors (cached) → student → steps → checkpoint

The loop reads top to bottom; corpus, teacher and objective don't know each other.
"""

import hashlib
import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import Progress
from torch import Tensor, nn
from torch.nn import functional

from bothends.tokenizer import Tokenizer
from bothends_export import checkpoint
from bothends_export.encoder import Encoder, EncoderConfig

from .corpus import TokenisedCorpus, batches, fingerprint, read_sentences, tokenise
from .evaluate import read_pairs, spearman
from .objective import Objective
from .recipe import Recipe, RecipeError
from .teacher import Teacher, cached_vectors, token_embeddings

STATE = "training_state.pt"


@dataclass(frozen=True, slots=True)
class Lesson:
    """All that the steps read: the student's tokenizer, the tokenised corpus, the teachers' vectors of it."""

    tokenizer: Tokenizer
    tokenizer_definition: str
    corpus: TokenisedCorpus
    vectors: list[NDArray[np.float16]]

    def targets(self, rows: NDArray[np.int64]) -> Tensor:
        """The teachers' unit vectors side by side, float32 [rows, sum of dimensions]: their similarities add."""
        return torch.from_numpy(np.concatenate([vectors[rows] for vectors in self.vectors], axis=1).astype(np.float32))


@dataclass(slots=True)
class Run:
    """What changes from step to step, and so what a resumed run needs back."""

    encoder: Encoder
    objective: Objective
    optimiser: torch.optim.Optimizer
    step: int
    seconds: float
    history: list[dict[str, float]]

    def state(self, recipe_hash: str) -> dict[str, Any]:
        """Everything needed to go on as if never interrupted."""
        return {
            "recipe": recipe_hash,
            "encoder": self.encoder.state_dict(),
            "objective": self.objective.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "random": torch.get_rng_state(),
            "step": self.step,
            "seconds": self.seconds,
            "history": self.history,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up where `state` was saved."""
        self.encoder.load_state_dict(state["encoder"])
        self.objective.load_state_dict(state["objective"])
        self.optimiser.load_state_dict(state["optimiser"])
        torch.set_rng_state(state["random"].cpu())
        self.step, self.seconds, self.history = state["step"], state["seconds"], state["history"]


def train(recipe: Recipe, folder: Path, out: Path, cache: Path, progress: Progress) -> list[dict[str, float]]:
    """Follow `recipe` (its paths relative to `folder`) and leave a checkpoint in `out`.

    Goes on where an earlier run of the same recipe stopped. Returns the history: one entry an evaluation, with the
    step, the mean loss since the last and each dev file's Spearman × 100. Raises RecipeError where it can't begin.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    lesson = prepare(recipe, folder, cache, progress)
    run = begin(recipe, folder, lesson, device)
    recipe_hash = hashlib.sha256(recipe.model_dump_json().encode()).hexdigest()
    if (out / STATE).exists():
        state = torch.load(out / STATE, map_location=device, weights_only=True)
        if state["recipe"] != recipe_hash:
            raise RecipeError(f"{out} holds a run of another recipe; choose another --out or remove that folder")
        run.restore(state)
    steps(recipe, folder, out, lesson, run, device, progress, recipe_hash)
    return run.history


def prepare(recipe: Recipe, folder: Path, cache: Path, progress: Progress) -> Lesson:
    """Read and tokenise the corpus and have every teacher embed it."""
    source = recipe.student.tokenizer.locate(folder)
    definition = bare_tokenizer(source)
    tokenizer = Tokenizer(definition, max_tokens=recipe.student.max_tokens, source=source)
    sentences = read_sentences((folder / recipe.corpus.path).resolve(), recipe.corpus.sentences)
    corpus = tokenise(sentences, tokenizer)
    name = fingerprint(corpus.sentences)
    vectors = []
    for spec in recipe.teachers:
        bar = progress.add_task(f"{spec.name} embeds", total=len(corpus.sentences))
        teacher = Teacher(spec, folder)
        vectors.append(cached_vectors(teacher, corpus.sentences, name, cache, partial(progress.advance, bar)))
    return Lesson(tokenizer, definition, corpus, vectors)


def bare_tokenizer(file: Path) -> str:
    """A tokenizer.json without the marks that a transformer wants around a sentence, and without its own cutting."""
    try:
        definition = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RecipeError(f"{file} is no tokenizer.json: {error}") from error
    definition.update(post_processor=None, truncation=None, padding=None)
    return json.dumps(definition, ensure_ascii=False)


def begin(recipe: Recipe, folder: Path, lesson: Lesson, device: torch.device) -> Run:
    """A student at step 0, its token embeddings taken from the teachers."""
    torch.manual_seed(recipe.seed)
    student = recipe.student
    config = EncoderConfig(
        vocabulary_size=lesson.tokenizer.vocabulary_size,
        embedding_size=student.embedding_size,
        hidden_size=student.hidden_size,
        layers=student.layers,
    )
    encoder = Encoder(config)
    counts = np.bincount(lesson.corpus.ids, minlength=config.vocabulary_size)
    tokens = lesson.tokenizer.vocabulary()
    of_tokens = np.concatenate([Teacher(spec, folder).embed(tokens) for spec in recipe.teachers], axis=1)
    table = token_embeddings(
        of_tokens,
        counts / counts.sum(),
        size=student.embedding_size,
        frequency_scale=recipe.optimisation.frequency_scale,
    )
    encoder.embedding.weight.data.copy_(torch.from_numpy(table))
    for name, parameter in encoder.lstm.named_parameters():
        if name.startswith(
            "bias_ih"
        ):  # forget bias 1 (Jozefowicz et al., ICML 2015); gates stand in the order i, f, g, o
            parameter.data[student.hidden_size : 2 * student.hidden_size] += 1
    objective = Objective(
        config.dimension,
        sum(vectors.shape[1] for vectors in lesson.vectors),
        temperature=recipe.optimisation.temperature,
        relation_weight=recipe.optimisation.relation_weight,
    )
    learned = nn.ModuleList([encoder, objective]).to(device)
    optimiser = torch.optim.AdamW(learned.parameters(), weight_decay=recipe.optimisation.weight_decay, fused=True)
    return Run(encoder, objective, optimiser, 0, 0.0, [])


def steps(
    recipe: Recipe,
    folder: Path,
    out: Path,
    lesson: Lesson,
    run: Run,
    device: torch.device,
    progress: Progress,
    recipe_hash: str,
) -> None:
    """The loop: one batch a step, evaluated and saved every so often, and once more at the end."""
    plan = recipe.optimisation
    dev = [read_pairs((folder / path).resolve()) for path in recipe.dev]
    order = batches(
        lesson.corpus.lengths, batch_size=plan.batch_size, bucket_batches=plan.bucket_batches, seed=recipe.seed
    )
    bar = progress.add_task("student learns", total=plan.steps, completed=run.step)
    losses: list[float] = []
    started = time.perf_counter() - run.seconds
    for rows in islice(order, run.step, plan.steps):
        losses.append(step(lesson, rows, run, recipe, device))
        run.step += 1
        run.seconds = time.perf_counter() - started
        last = run.step == plan.steps
        if last or run.step % plan.evaluate_every == 0:
            scores = {pairs.name: spearman(partial(embed, run.encoder, lesson.tokenizer), pairs) for pairs in dev}
            run.history.append({"step": run.step, "loss": float(np.mean(losses)), **scores})
            losses.clear()
            shown = "  ".join(f"{name} {value:.2f}" for name, value in run.history[-1].items() if name != "step")
            progress.console.print(f"step {run.step:>6}  {shown}", highlight=False)
        if last or run.step % plan.save_every == 0:
            save(recipe, out, lesson, run, recipe_hash)
        progress.update(bar, completed=run.step)


def step(lesson: Lesson, rows: NDArray[np.int64], run: Run, recipe: Recipe, device: torch.device) -> float:
    """One step of gradient descent on the sentences `rows`; returns the loss."""
    plan = recipe.optimisation
    ids, lengths = lesson.corpus.batch(rows)
    for group in run.optimiser.param_groups:
        group["lr"] = learning_rate(run.step, recipe)
    run.encoder.train()
    with torch.autocast(device.type, torch.bfloat16, enabled=plan.precision == "bfloat16"):
        vectors = run.encoder.embedding(torch.from_numpy(ids).to(device))
        dropped = functional.dropout(vectors, plan.token_dropout)
        embedding = run.encoder.encode_vectors(dropped, torch.from_numpy(lengths)).embedding
    loss = run.objective(embedding.float(), lesson.targets(rows).to(device))
    run.optimiser.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_([*run.encoder.parameters(), *run.objective.parameters()], plan.clip)
    run.optimiser.step()
    return float(loss.detach())


def learning_rate(step: int, recipe: Recipe) -> float:
    """Linear warm-up to `learning_rate`, then a cosine down to `final_learning_rate`."""
    plan = recipe.optimisation
    if step < plan.warmup_steps:
        return plan.learning_rate * (step + 1) / plan.warmup_steps
    done = (step - plan.warmup_steps) / max(1, plan.steps - plan.warmup_steps)
    spread = plan.learning_rate - plan.final_learning_rate
    return plan.final_learning_rate + spread * (1 + math.cos(math.pi * done)) / 2


@torch.inference_mode()
def embed(encoder: Encoder, tokenizer: Tokenizer, sentences: Sequence[str]) -> NDArray[np.float32]:
    """The encoder's embeddings of sentences in batches of 64, float32 [sentences, dimension]."""
    encoder.eval()
    device = encoder.embedding.weight.device
    rows = []
    for start in range(0, len(sentences), 64):
        ids = [torch.tensor(tokens.ids) for tokens in tokenizer.encode(sentences[start : start + 64])]
        padded = nn.utils.rnn.pad_sequence(ids, batch_first=True).to(device)
        rows.append(encoder(padded, torch.tensor([len(row) for row in ids])).embedding.cpu().numpy())
    return np.concatenate(rows)


def save(recipe: Recipe, out: Path, lesson: Lesson, run: Run, recipe_hash: str) -> None:
    """Write the checkpoint that `export` reads, and beside it the state that a resumed run needs."""
    config = checkpoint.CheckpointConfig(
        name=recipe.name,
        version=recipe.version,
        max_tokens=recipe.student.max_tokens,
        encoder=run.encoder.config,
        training={
            "recipe": recipe.model_dump(mode="json"),
            "step": run.step,
            "seconds": round(run.seconds),
            "history": run.history,
        },
    )
    table_dtype = torch.float16 if recipe.student.table_dtype == "float16" else torch.float32
    checkpoint.save(out, run.encoder, config, lesson.tokenizer_definition, table_dtype=table_dtype)
    unfinished = out / (STATE + ".partial")
    torch.save(run.state(recipe_hash), unfinished)
    unfinished.replace(out / STATE)
