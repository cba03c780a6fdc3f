"""The chart's files agree with each other and with the server, which needs no Helm to see."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bothends.errors import SettingsError
from bothends.settings import Settings
from tests.support.paths import ROOT

from .charts import CHART, EVERYTHING

VALUES = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
SCHEMA = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))


def test_the_schema_has_the_servers_settings(tmp_path: Path) -> None:
    """A change is followed by `make chart`."""
    subprocess.run([sys.executable, CHART.parent / "values.py", tmp_path], check=True)
    assert json.loads((tmp_path / "values.schema.json").read_text(encoding="utf-8")) == SCHEMA


def paths(values: dict[str, Any], schema: dict[str, Any], above: str = "") -> Iterator[tuple[str, bool, bool]]:
    """Each value's name, and whether values.yaml and the schema have it."""
    known = schema.get("properties", {})
    for name in {*values, *known}:
        yield f"{above}{name}", name in values, name in known
        if known.get(name, {}).get("properties") and isinstance(values.get(name), dict):
            yield from paths(values[name], known[name], f"{above}{name}.")


def test_each_value_stands_in_the_file_and_in_the_schema() -> None:
    """All but settings, of which the file has those that the chart changes, and Kubernetes' own kinds."""
    odd = {name for name, in_file, in_schema in paths(VALUES, SCHEMA) if in_file != in_schema}
    assert {name for name in odd if not name.startswith("settings.")} == {
        "global",
        "resources.claims",
        "gpu.resources.claims",
    }


def test_the_schema_knows_what_a_model_may_set_of_its_own() -> None:
    """The names that the server itself would take."""
    own = SCHEMA["properties"]["models"]["items"]["properties"]["settings"]["properties"]
    with pytest.raises(SettingsError) as refused:
        Settings.load({}, {"BOTHENDS_BUNDLE": "a=?unknown=1"})
    assert str(refused.value).partition("a model's own are ")[2].split(", ") == list(own)


def test_the_tests_try_every_value() -> None:
    """EVERYTHING has something for each value that isn't on by itself."""
    empty = {name for name, value in VALUES.items() if value in ("", [], {}, None)}
    assert empty - {"nameOverride"} <= set(EVERYTHING)


def test_a_releases_chart_has_that_releases_image(tmp_path: Path) -> None:
    """Files are packed in place of links, and the image that the release pushes is the default; helm is a stand-in."""
    helm = tmp_path / "bin" / "helm"
    helm.parent.mkdir()
    helm.write_text('#!/bin/sh\n[ "$1" = lint ] || cp -R "$2" "$4"\n')
    helm.chmod(0o755)
    path = {**os.environ, "PATH": f"{helm.parent}{os.pathsep}{os.environ['PATH']}"}
    script = str(ROOT / "deploy" / "release" / "chart.sh")
    subprocess.run([script, "ghcr.io/example/bothends", tmp_path / "packed"], check=True, env=path)
    packed = tmp_path / "packed"
    released = yaml.safe_load((packed / "values.yaml").read_text(encoding="utf-8"))
    assert released == {**VALUES, "image": {**VALUES["image"], "repository": "ghcr.io/example/bothends"}}
    assert not any(file.is_symlink() for file in packed.rglob("*"))
    assert len(list(packed.glob("files/*/*"))) == 6
