"""Writes the server's settings into the chart's values.schema.json: `make chart`. All else in it is written by hand."""

import json
import sys
from pathlib import Path

from bothends.settings import Settings

CHART = Path(__file__).parent / "bothends"
OF_THE_CHART = {
    *("api_keys", "bundle", "tls_cert", "tls_client_ca", "tls_key"),  # from volumes
    *("health_port", "http_port", "port"),  # which probes, Services and policies name
    "tracing",  # with the way out to the collector
}
"""Settings that are no values under `settings`: the chart sets them by values of their own, or not at all."""


def main(target: Path) -> None:
    """Write values.schema.json into `target`."""
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    schema["properties"]["settings"]["properties"] = _settings()
    (target / "values.schema.json").write_text(
        json.dumps(schema, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )


def _settings() -> dict[str, object]:
    """JSON schema of each setting; its value is checked by the server itself."""
    kinds = ["string", "number", "boolean", "array", "null"]
    return {
        name: {"description": Settings.model_fields[name].description, "type": kinds}
        for name in sorted(set(Settings.options()) - OF_THE_CHART)
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else CHART)
