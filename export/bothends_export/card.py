"""Writes the model card of a checkpoint: what it is, how it was trained, what it scored."""

from typing import Any

from bothends.model.architecture import EncoderConfig
from bothends.model.pooling import POOLINGS

from .checkpoint_config import CheckpointConfig


def model_card(config: CheckpointConfig) -> str:
    """Return the card in Markdown, with only what the checkpoint knows. Its author has to add data and licences."""
    sizes = config.encoder
    lines = [
        f"# {config.name} {config.version}",
        "",
        f"A sentence encoder: {sizes.described()}; {sizes.vocabulary_size} tokens, embedding {sizes.embedding_size}, "
        f"hidden {' and '.join(map(str, sizes.hidden_sizes or (sizes.hidden_size,)))} a direction.",
        f"An embedding has {sizes.dimension} numbers, not normalised: {_read_from(sizes)}.",
        f"Sentences of more than {config.max_tokens} tokens are cut, and the reply says so.",
    ]
    if config.nested_dimensions:
        numbers = ", ".join(map(str, config.nested_dimensions))
        lines.append(f"Fewer numbers do too: for {numbers} in all, take the first half as many of each state.")
    if imported := config.training.get("imported"):
        lines += ["", "## Where it comes from", "", *_imported(imported)]
    elif config.training:
        lines += ["", "## Training", "", *_training(config.training)]
    return "\n".join(lines) + "\n"


def _read_from(sizes: EncoderConfig) -> str:
    if sizes.pooling == "final_states" and sizes.has_halves:
        return "the final forward state, then the final backward state (`cat(h_n[-2], h_n[-1])`)"
    pooled = f"pooling {sizes.pooling}, {POOLINGS[sizes.pooling].meaning}"
    return f"what a head makes of {pooled}" if sizes.head else pooled


def _imported(imported: dict[str, Any]) -> list[str]:
    """Source that `bothends import` read, and what differs from the original."""
    source = f"Imported from `{imported['source']}`, in the format {imported['format']}."
    return [f"- {line}" for line in (source, *imported["notes"])]


def _training(training: dict[str, Any]) -> list[str]:
    recipe = training.get("recipe", {})
    lines = []
    if teachers := recipe.get("teachers"):
        names = ", ".join(teacher["name"] for teacher in teachers)
        lines.append(f"- Distilled from {names} on {recipe['corpus']['sentences']} sentences, seed {recipe['seed']}.")
    if "step" in training:
        lines.append(f"- {training['step']} steps in {training['seconds'] / 60:.0f} minutes.")
    if history := training.get("history"):
        scores = ", ".join(f"{name} {value:.2f}" for name, value in history[-1].items() if name not in ("step", "loss"))
        if scores:
            lines.append(f"- Spearman × 100 of cosines at the last step: {scores}.")
    return lines
