"""A TOML that says what tensors are is checked key by key."""

from pathlib import Path

import pytest

from bothends_importing.pytorch.config import read
from bothends_importing.readers.file import SourceError
from tests.importing.custom_modules import config
from tests.support.paths import ROOT

WRONG = {
    "key": ('[names]\nembeding = "e"', "names.embeding: Extra inputs are not permitted; known are embedding, cells"),
    "top key": ("maxtokens = 1", "maxtokens: Extra inputs are not permitted; known are name, max_tokens"),
    "pooling": ('[encoder]\npooling = "avg"', "encoder.pooling: Input should be 'final_states', 'max'"),
    "type": ("max_tokens = true", "max_tokens: Input should be a valid integer"),
    "ignore": ('ignore = "a.*"', "ignore: Input should be a valid list"),
    "no toml": ("= 3", "is no TOML"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_named(tmp_path: Path, wrong: str) -> None:
    text, expected = WRONG[wrong]
    with pytest.raises(SourceError) as caught:
        config(tmp_path, text)
    assert expected in str(caught.value)
    assert "names.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_toml_that_the_docs_show_says_all_there_is(tmp_path: Path) -> None:
    """docs/importing.md: it is read, and no key is missing."""
    page = (ROOT / "docs" / "importing.md").read_text(encoding="utf-8")
    shown = page.partition("```toml\n")[2].partition("```")[0]
    (tmp_path / "encoder.toml").write_text(shown, encoding="utf-8")
    config = read(tmp_path / "encoder.toml")
    for section in (config, config.names, config.encoder, config.tokenizer):
        missing = type(section).model_fields.keys() - section.model_fields_set
        assert all(f"{key} =" in shown for key in missing - {"batch_first"}), missing
