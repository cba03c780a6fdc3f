"""Refuses linear layers that may follow one another behind the pooling, until the TOML says where an embedding ends.

Weights show neither that one layer reads what another gives, nor what stands between the two. So a classifier's hidden
layer looks like an encoder's head, and whoever leaves out only the layer behind it would embed with the classifier.
"""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from bothends.text import printable

from ..source import join_names
from .candidates import Candidates, Linear
from .config import StateDictConfig


def _following(candidates: Candidates, first: Linear) -> list[Linear]:
    """Return the layers, ignored ones among them, that may read what `first` gives, or what such a layer gives."""
    others = [linear for linear in candidates.linears_of_file() if linear.name != first.name]
    sizes = {len(first.weight)}
    found: dict[str, Linear] = {}
    for _ in others:  # as many rounds as the longest chain has layers
        found |= {linear.name: linear for linear in others if linear.weight.shape[1] in sizes}
        sizes |= {len(linear.weight) for linear in found.values()}
    return list(found.values())


def check_end(candidates: Candidates, config: StateDictConfig, first: Linear) -> None:
    """Raise SourceError if layers may follow `first`, which reads the pooled states, and the TOML doesn't say both that
    it is the head and what comes after it.
    """
    behind = _following(candidates, first)
    if not behind or (config.names.head == first.name and config.encoder.head_then is not None):
        return
    layers = join_names([linear.shown for linear in (first, *behind)])
    raise candidates.refused(
        f"holds linear layers that may follow one another, {layers}; weights don't show where the embedding ends, nor "
        "what stands between the layers. "
        f"{_readings(config, first, behind)}"
    )


def _readings(config: StateDictConfig, first: Linear, behind: Sequence[Linear]) -> str:
    """Return the two ways to read such layers, each with the lines of the TOML that say it."""
    name = printable(first.name)
    choices = (
        f"Say in the TOML of --encoder, to embed before them: {_ignoring(config, [first, *behind])}; or, to embed "
        f'through {name}: {_ignoring(config, behind)}, [names] head = "{name}" and [encoder] head_then = "relu", '
        f'"tanh", "layer_norm" or "none", whichever the module computes after {name}'
    )
    besides = [printable(linear.name) for linear in behind if linear.weight.shape[1] == first.weight.shape[1]]
    if config.encoder.pooling != "attention":
        choices += '; or, where they weigh the steps: [encoder] pooling = "attention"'
    return choices + "".join(f'; or [names] head = "{each}", if that reads the pooled states' for each in besides)


def _ignoring(config: StateDictConfig, left_out: Sequence[Linear]) -> str:
    """Return the line of the TOML that leaves these layers out, beside what it leaves out already."""
    new = [linear for linear in left_out if not any(fnmatchcase(f"{linear.name}.weight", p) for p in config.ignore)]
    patterns = [*config.ignore, *(f"{linear.name}.*" for linear in new)]
    listed = ", ".join(f'"{printable(pattern)}"' for pattern in patterns)
    return f"ignore = [{listed}]"
