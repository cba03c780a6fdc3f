"""A few sentences' vectors, for a person or as JSON."""

import json
from collections.abc import Sequence

import click

from ..embeddings import Embeddings
from ..options import Options

_SHOWN_NUMBERS = 4
_SHOWN_COSINES = 10


def show(sentences: Sequence[str], found: Embeddings, *, as_json: bool) -> None:
    """Print them."""
    if not as_json:
        click.echo(_table(sentences, found))
        return
    for index, (row, count, truncated) in enumerate(zip(found.rows, found.token_counts, found.truncated, strict=True)):
        line = {"embedding": row.tolist(), "token_count": count, "truncated": truncated}
        click.echo(json.dumps(line if found.scales is None else {**line, "scale": float(found.scales[index])}))


def _table(sentences: Sequence[str], found: Embeddings) -> str:
    """Tokens, the first numbers of each vector, and the cosines between all pairs."""
    lines = [f"{found.rows.shape[1]} numbers a sentence (model version {found.model_version})", ""]
    for index, (sentence, row, count, cut) in enumerate(
        zip(sentences, found.rows, found.token_counts, found.truncated, strict=True)
    ):
        numbers = " ".join(f"{value:+.3f}" for value in row[:_SHOWN_NUMBERS])
        lines.append(f"{index:>3}  {numbers} …  {count:>3} tokens{' (cut)' if cut else ''}  {sentence}")
    if 1 < len(sentences) <= _SHOWN_COSINES:
        unit = Options(normalize=True).shaped(found.rows)
        lines += ["", "cosine " + "".join(f"{index:>7}" for index in range(len(unit)))]
        lines += [f"{index:>6} " + "".join(f"{value:7.3f}" for value in row) for index, row in enumerate(unit @ unit.T)]
    return "\n".join(lines)
