"""The card's tables are what benchmarks/card.json holds."""

import json

import card
from bothends.model.bundle import CARD, Bundle, default_path


def test_the_card_is_what_was_measured() -> None:
    """`python benchmarks/card.py --again` would change nothing."""
    begin, end = card.MARKERS
    shown = (default_path() / CARD).read_text(encoding="utf-8").partition(begin)[2].partition(end)[0]
    assert shown.strip() == "\n".join(card.markdown(json.loads(card.FILE.read_bytes()))).strip()


def test_the_card_is_of_the_packaged_model() -> None:
    """A new bundle is measured before it is packaged."""
    config = Bundle.open(default_path()).config
    assert json.loads(card.FILE.read_bytes())["model"] == f"{config.name} {config.version}"


def test_what_the_model_cannot_tell_is_said() -> None:
    """Kinds in which it is right in half or less are named, and those in which MiniLM is right more often."""
    rows = [
        {"set": name, "measure": "m", "precision": "float32", "count": 9, "scores": {"512": score}}
        for name, score in (("numbers", 40.0), ("names", 80.0), ("roles", 50.0))
    ]
    said = card.verdict(rows, {"all-MiniLM-L6-v2": {"numbers": 60.0, "names": 70.0}})
    assert said == "It can't tell numbers and roles. all-MiniLM-L6-v2 is right more often on numbers."
