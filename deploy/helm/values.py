"""Writes what follows from the chart's values.yaml and from the server's settings: `make chart`.

That is the table in the chart's README.md, a row for each value that has a line "# --" above it, and the settings of
the server in its values.schema.json. Everything else in both is written by hand.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

from bothends.settings import Settings

CHART = Path(__file__).parent / "bothends"
OF_THE_CHART = {
    *("api_keys", "bundle", "tls_cert", "tls_client_ca", "tls_key"),  # from volumes
    *("health_port", "http_port", "port"),  # which probes, Services and policies name
    "tracing",  # with the way out to the collector
}
"""Settings that are no values under `settings`: the chart sets them by values of their own, or not at all."""


def main(target: Path) -> None:
    """Write README.md and values.schema.json into `target`."""
    readme = (CHART / "README.md").read_text(encoding="utf-8")
    written = re.sub(r"^\| value \|.*?\n\n", lambda _: f"{_table()}\n", readme, flags=re.DOTALL | re.MULTILINE)
    (target / "README.md").write_text(written, encoding="utf-8")
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    schema["properties"]["settings"]["properties"] = _settings()
    (target / "values.schema.json").write_text(
        json.dumps(schema, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )


def _table() -> str:
    text = (CHART / "values.yaml").read_text(encoding="utf-8")
    rows = [
        f"| `{name}` | `{default}` | {words} |"
        for name, default, words in _values(yaml.compose(text), text.split("\n"))
    ]
    return "\n".join(["| value | default | what it does |", "|---|---|---|", *rows, ""])


def _values(node: yaml.Node, lines: list[str], above: str = "") -> Iterator[tuple[str, str, str]]:
    """Name, default and description of each value in a mapping of values.yaml that is described."""
    for key, value in node.value:
        name = f"{above}{key.value}"
        if words := _described(lines[: key.start_mark.line]):
            yield name, _default(yaml.safe_load(yaml.serialize(value))), words
        elif isinstance(value, yaml.MappingNode):
            yield from _values(value, lines, f"{name}.")
        else:
            yield name, _default(yaml.safe_load(yaml.serialize(value))), ""


def _described(before: list[str]) -> str:
    """Return what the comment that ends `before` says behind its "# --", or nothing."""
    comment: list[str] = []
    for line in reversed(before):
        if not line.lstrip().startswith("#"):
            break
        comment.insert(0, line.strip().removeprefix("#").strip())
    marked = [at for at, line in enumerate(comment) if line.startswith("-- ")]
    return " ".join(comment[marked[-1] :]).removeprefix("-- ") if marked else ""


def _default(value: object) -> str:
    """Write it as one may write it in YAML, on a line; what is long is to be read there."""
    written = json.dumps(value, ensure_ascii=False)
    return written if len(written) <= 100 else "see values.yaml"


def _settings() -> dict[str, object]:
    """JSON schema of each setting; its value is checked by the server itself."""
    kinds = ["string", "number", "boolean", "array", "null"]
    return {
        name: {"description": Settings.model_fields[name].description, "type": kinds}
        for name in sorted(set(Settings.options()) - OF_THE_CHART)
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else CHART)
