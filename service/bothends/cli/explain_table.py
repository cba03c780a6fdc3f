"""Prints an explanation of an embedding as a table for a terminal of 80 columns."""

from collections.abc import Iterator

import click

from ..core.explain import Explanation
from ..text import printable

_TOKEN = 14
"""Width of a token, in columns."""
_BAR = 8
_EIGHTHS = " ▏▎▍▌▋▊▉"


def table(explanation: Explanation) -> Iterator[str]:
    """Yield the table's lines: each direction's states token by token, then the embedding and common mistakes for
    it.
    """
    tokens = [_short(printable(text)) for text in explanation.pieces.texts]
    yield click.style(f"{'':{_TOKEN}}  {'forward →':<22}  {'← backward':<22}  output[t]", bold=True)
    yield f"{'token':{_TOKEN}}  {'to its end':<15}{'read':>5}    {'to its end':<15}{'read':>5}    to the embedding"
    yield from _steps(tokens, explanation)
    yield ""
    yield click.style(f"{'':{_TOKEN}}  {'all':>6}{'forward':>10}{'backward':>10}", bold=True)
    yield from _candidates(tokens, explanation)
    yield ""
    yield f"Cosines. ◀ marks the two ends, which the embedding joins: {2 * explanation.forward.shape[1]} numbers."
    yield f"Model version {explanation.model_version}."
    if explanation.pieces.truncated:
        yield f"The sentence was cut to its first {len(tokens)} tokens, as many as the model reads."


def _steps(tokens: list[str], explanation: Explanation) -> Iterator[str]:
    count = len(tokens)
    for step, (token, state) in enumerate(zip(tokens, explanation.output, strict=True)):
        closeness = explanation.closeness(state)
        forward = _state(closeness.forward, step + 1, is_end=step == count - 1)
        backward = _state(closeness.backward, count - step, is_end=step == 0)
        yield f"{token:{_TOKEN}}  {forward}  {backward}  {closeness.whole:6.3f}"


def _state(cosine: float, read: int, *, is_end: bool) -> str:
    """Return a cosine with its bar, in 22 columns."""
    text = f"{_bar(cosine):{_BAR}} {cosine:6.3f}{read:>5} {'◀' if is_end else ' '}"
    return click.style(text, fg="green", bold=True) if is_end else text


def _candidates(tokens: list[str], explanation: Explanation) -> Iterator[str]:
    first, last, count = tokens[0], tokens[-1], len(tokens)
    why = {
        "embedding": f"forward at “{last}”, backward at “{first}”",
        "output[-1]": f"its backward half has read 1 of {count}",
        "output[0]": f"its forward half has read 1 of {count}",
        "mean": "of states that have read too little",
        "max": "of states that have read too little",
    }
    if count == 1:
        why = dict.fromkeys(why, "one token is both ends: all are the same")
    for name, vector in explanation.candidates.items():
        found = explanation.closeness(vector)
        line = f"{name:{_TOKEN}}  {found.whole:6.3f}{found.forward:10.3f}{found.backward:10.3f}  {why[name]}"
        yield click.style(line, fg="green", bold=True) if name == "embedding" else line


def _bar(share: float) -> str:
    eighths = max(0, round(share * _BAR * 8))
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def _short(text: str) -> str:
    return text if len(text) <= _TOKEN else text[: _TOKEN - 1] + "…"
