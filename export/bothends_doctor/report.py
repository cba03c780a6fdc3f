"""Prints an examination's findings on a terminal."""

from typing import TYPE_CHECKING

from bothends.text import printable, shell_word

from .findings import Cosine, Encoder, Findings, Verdict

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_MARKS: dict[Verdict, tuple[str, str]] = {
    "right": ("ok", "green"),
    "wrong": ("WRONG", "bold red"),
    "unknown": ("?", "yellow"),
    "fact": ("", ""),
}


def show(findings: Findings, console: "Console", *, is_fixed: bool) -> None:
    """Print what the file is, what was found, and what to do; also the next command, unless the file is repaired at
    once.
    """
    from rich.padding import Padding
    from rich.text import Text

    console.print(Text(printable(findings.about.path), style="bold"))
    console.print(_table(findings))
    for number, diagnosis in enumerate(findings.diagnoses, start=1):
        console.print(Text.assemble(f"{number}. ", (diagnosis.name, "bold")))
        console.print(Padding(Text(diagnosis.do), (0, 0, 0, 3)))
    if not findings.diagnoses:
        console.print(Text(_CLOSING[findings.exit_code], style="bold"))
    if not is_fixed and (line := _next(findings)) is not None:
        console.print(Text(f"Next: {line}"))


def importing(path: str) -> str:
    """Return the command with which a file without mistakes is imported for serving."""
    return f"bothends import {shell_word(path)} --tokenizer FILE --out CHECKPOINT"


def _next(findings: Findings) -> str | None:
    """Return the command to go on with; None where a file can't be served."""
    if findings.encoder.tokens == "vectors" or not findings.pooling_is_known:
        return None
    command = importing(findings.about.path)
    if not findings.diagnoses or findings.about.format != "ONNX":
        return command
    return f"{command}, which reads it as it was meant; or bothends doctor {shell_word(findings.about.path)} --fix OUT"


_CLOSING = {
    0: "Nothing wrong was found.",
    2: "Nothing known is wrong, but its embedding matches no reading that is known, so that it can't be judged.",
}


def _table(findings: Findings) -> "RenderableType":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True, style="dim")
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    about = findings.about
    opset = "" if about.opset is None else f", opset {about.opset}"
    table.add_row("file", "", Text(f"{about.format}{opset}, by {about.producer}"))
    table.add_row("encoder", "", Text(_sizes(findings.encoder)))
    for port in about.inputs:
        role = "" if port.role == port.name else f", {port.role}"
        table.add_row("input", "", Text(printable(f"{port}{role}")))
    for port in about.outputs:
        table.add_row("output", "", Text(printable(port)))
    table.add_section()
    for fact in findings.facts:
        mark, style = _MARKS[fact.verdict]
        table.add_row(fact.about, Text(mark, style=style), Text(printable(fact.says)))
    if findings.cosine is not None:
        if findings.cosine.to != findings.encoder.reads:
            table.add_row("right is", "", Text(findings.cosine.to))
        table.add_row("cosine to right", "", Text(_cosine(findings.cosine)))
    return table


def _sizes(encoder: Encoder) -> str:
    directions = "bidirectional " if encoder.directions == 2 else ""
    layers = f"{encoder.layers} layer{'s' if encoder.layers > 1 else ''}"
    size = f"{encoder.input_size} → {encoder.hidden_size}" + (" a direction" if encoder.directions == 2 else "")
    words = f"{encoder.vocabulary_size} ids" if encoder.tokens == "ids" else "vectors"
    head = "; a head behind the pooling" if encoder.head else ""
    return f"{directions}{encoder.cell.upper()}, {layers}, {size}, of {words}{head}"


def _cosine(cosine: Cosine) -> str:
    difference = f"differs by up to {cosine.difference:.1g}"
    if cosine.forward is None or cosine.backward is None:
        return f"{cosine.whole:.3f}; {difference}"
    return f"{cosine.whole:.3f}, forward half {cosine.forward:.3f}, backward half {cosine.backward:.3f}; {difference}"
