"""Answers questions about the chart by Helm's library, a line of JSON for each.

It is a process of its own, since a library of Go's brings threads and signal handlers along.

A question is a list of a function's name and its arguments by name; an answer is what it returned, or {"error": …}.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import helm_python

CHART = sys.argv[1]


def main() -> None:
    """Answer until standard input ends."""
    for line in sys.stdin:
        name, given = json.loads(line)
        try:
            answer: Any = QUESTIONS[name](**given)
        except helm_python.HelmError as error:
            answer = {"error": str(error)}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _render(values: dict[str, Any], release: str, namespace: str) -> dict[str, str]:
    """Return what `helm template` gives, by the template's name: each manifest, and NOTES.txt."""
    with helm_python.Chart.load(CHART) as chart:
        rendered: dict[str, str] = chart.render(values, name=release, namespace=namespace)
    return {name.partition("/templates/")[2]: text for name, text in rendered.items()}


def _lint(values: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = helm_python.lint(CHART, values, strict=True, kube_version="v1.30.0")["messages"]
    return found


def _package(folder: str) -> str:
    helm_python.package(CHART, destination=folder)
    (made,) = Path(folder).glob("*.tgz")
    return str(made)


QUESTIONS: dict[str, Callable[..., Any]] = {"render": _render, "lint": _lint, "package": _package}

if __name__ == "__main__":
    main()
