"""Writes the figures by which a server says what it costs that the native engine doesn't compute an encoder."""

import json
from dataclasses import asdict
from pathlib import Path

import bothends.engines
from bothends.engines.encoder_speeds import EncoderSpeeds, MeasuredSize
from results import FLOAT32, ONNXRUNTIME

from .results import EncoderResults

FILE = Path(bothends.engines.__file__).parent / "encoder_speeds.json"


def speeds(results: EncoderResults) -> EncoderSpeeds:
    """Return the sizes that were measured of bidirectional LSTMs, read by their final states."""
    machine = results.machine
    sizes = [
        MeasuredSize(row.hidden_size, row.layers, round(times, 2))
        for row in results.rows
        if row.name == f"{row.hidden_size} × {row.layers}" and (times := row.times(FLOAT32, ONNXRUNTIME))
    ]
    return EncoderSpeeds(f"{machine['date']}, {machine['processor']}", tuple(sizes))


def write(results: EncoderResults) -> None:
    """Write the file that is packaged, where the native engine was measured."""
    found = speeds(results)
    if found.sizes:
        FILE.write_text(json.dumps(asdict(found), indent=1) + "\n", encoding="utf-8")
