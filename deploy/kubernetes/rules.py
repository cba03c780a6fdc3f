"""Writes the compose stack's rules as a PrometheusRule for Prometheus' operator: `make rules`.

The text is copied line by line, comments included.
"""

import sys
import textwrap
from pathlib import Path

_FOLDER = Path(__file__).parent
RULES = _FOLDER.parent / "prometheus" / "rules"
_HEAD = """\
# Written by `make rules` from deploy/prometheus/rules: change those.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: bothends
  namespace: bothends
  labels: {app.kubernetes.io/name: bothends}
spec:
  groups:
"""


def main(target: Path) -> None:
    """Write every file's groups into one resource."""
    groups = [_groups(file.read_text(encoding="utf-8")) for file in sorted(RULES.glob("*.yml"))]
    target.write_text(_HEAD + "\n".join(textwrap.indent(text, "  ") for text in groups), encoding="utf-8")


def _groups(text: str) -> str:
    """Return a file's comments and groups, without the line that says `groups:`."""
    before, _, groups = text.rpartition("\ngroups:\n")
    return textwrap.indent(f"{before}\n", "  ") + groups


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else _FOLDER / "components" / "monitoring" / "rules.yml")
