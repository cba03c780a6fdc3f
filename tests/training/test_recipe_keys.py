"""What docs/training.md says of a recipe's keys."""

import re
from typing import Any

from bothends_training import recipe
from bothends_training.recipe import Recipe
from tests.support.paths import ROOT


def test_every_key_is_documented() -> None:
    """Each key stands in the table of docs/training.md, under its section, with its own default; and no other does."""
    _, table = (ROOT / "docs" / "training.md").read_text(encoding="utf-8").split("## What a recipe says\n")
    lines = table.splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:3]] for line in lines if line.startswith("|")]
    documented: dict[str, dict[str, str]] = {}
    section = documented.setdefault("", {})
    for keys, default in rows[2:]:
        names = re.findall(r"`(.*?)`", keys)
        if keys.startswith("**"):
            section = documented.setdefault(names[0].strip("[]"), {})
            continue
        section |= zip(names, default.split(", ") if ", " in default else [default] * len(names), strict=True)
    start = documented["student"].pop("start")  # a key of the recipe; it stands where a reader looks for it
    documented[""]["start"] = start
    parts: dict[str, Any] = {
        name: Recipe.model_fields[name].annotation for name in ("corpus", "student", "batches", "loss", "optimisation")
    }
    parts |= {"held_out": recipe.HeldOut, "documents": recipe.Documents, "teachers": recipe.Teacher}
    models = {"": Recipe, **parts}
    assert documented.keys() == models.keys()
    for section_name, model in models.items():
        fields = {name: field for name, field in model.model_fields.items() if section_name or name not in models}
        assert fields.keys() == documented[section_name].keys()
        for name, field in fields.items():
            if isinstance(field.default, int | float) and not isinstance(field.default, bool):
                assert float(documented[section_name][name]) == field.default, name
