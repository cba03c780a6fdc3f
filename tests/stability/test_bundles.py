"""Bundles that earlier code wrote are read, and give the vectors that they gave then."""

import json
from pathlib import Path

import numpy as np
import pytest

from bothends import Encoder
from bothends.model.bundle import Bundle

from .released import BUNDLES

WRITTEN = sorted(BUNDLES.iterdir())
UNKNOWN_THEN = {
    "22c4829d": {"nested_dimensions", "input_projection", "head", "languages", "noise"},
    "dc0156e3": {"input_projection", "head", "languages", "noise"},
    "5140a952": {"languages", "noise"},
    "0.1.0": set[str](),
}
"""Keys of config.json that the code of then, by its commit or its release, hadn't yet."""


@pytest.mark.parametrize("engine", ["auto", "onnxruntime"])
@pytest.mark.parametrize("folder", WRITTEN, ids=lambda path: path.name)
def test_a_bundle_of_earlier_code_gives_its_vectors(folder: Path, engine: str) -> None:
    """Golden sentences have the embeddings and the token ids that PyTorch and the tokenizer gave then."""
    golden = Bundle.open(folder).golden
    with Encoder.load(folder, device="cpu", engine=engine) as encoder:
        found = encoder.embed(golden.sentences)
        ids = [pieces.ids for pieces in encoder.tokenize(golden.sentences)]
    assert np.abs(found.rows - golden.embeddings).max() <= 1e-5
    assert [list(each) for each in ids] == golden.token_ids


def test_the_bundles_are_of_every_config_that_there_was() -> None:
    """Each was written by code that knew fewer keys than the next."""
    kept = {folder.name: set(json.loads((folder / "config.json").read_text("utf-8"))) for folder in WRITTEN}
    assert kept.keys() == UNKNOWN_THEN.keys()
    for name, keys in kept.items():
        assert not keys & UNKNOWN_THEN[name]
    assert {"languages", "noise", "head", "nested_dimensions"} <= kept["0.1.0"]
