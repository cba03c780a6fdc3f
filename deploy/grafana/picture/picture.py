"""Draws a dashboard of a running Prometheus as a PNG with Grafana's own components; no Grafana runs.

`python deploy/grafana/picture/picture.py --prometheus http://127.0.0.1:9090`. Needs Chromium, Node and, once,
`npm install` in this folder. page.jsx draws.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
DASHBOARDS = HERE.parent / "dashboards"
IMAGES = HERE.parents[2] / "docs" / "images"
_ROW, _ABOVE = 38, 56
"""Pixels of a row of Grafana's grid, and above the first."""
_POINTS = 180


class Prometheus:
    """A Prometheus that is asked as Grafana would, over the `minutes` until `stop`, in Unix time."""

    def __init__(self, url: str, minutes: float, stop: float) -> None:
        self._url = url
        self.stop = stop
        self.start = self.stop - 60 * minutes
        self._variables = {"__rate_interval": "40s"}

    def choose(self, variables: list[dict[str, Any]]) -> None:
        """Take all values of each variable, one after the other: a later one may ask for an earlier one's."""
        for variable in variables:
            found = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"])
            if found is None:
                raise ValueError(f"{variable['name']} is no label_values(...)")
            values = self._get(f"label/{found[2]}/values", {"match[]": self._fill(found[1])})
            self._variables[variable["name"]] = "|".join(values)

    def find(self, target: dict[str, Any]) -> dict[str, Any]:
        """Return a target's legend and its series, each a list of times and values."""
        query = {"query": self._fill(target["expr"])}
        if target.get("instant"):
            series = self._get("query", query | {"time": self.stop})["result"]
            result = [one | {"values": [one["value"]]} for one in series]
        else:
            span = {"start": self.start, "end": self.stop, "step": (self.stop - self.start) / _POINTS}
            result = self._get("query_range", query | span)["result"]
        return {"legend": target["legendFormat"], "result": result}

    def _fill(self, expression: str) -> str:
        return re.sub(r"\$(\w+)", lambda match: self._variables[match[1]], expression)

    def _get(self, path: str, query: dict[str, Any]) -> Any:
        with urllib.request.urlopen(f"{self._url}/api/v1/{path}?{urllib.parse.urlencode(query)}") as answer:  # noqa: S310  as given
            return json.load(answer)["data"]


def main() -> None:
    """Take a picture of each dashboard."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prometheus", default="http://127.0.0.1:9090")
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--until", type=float, default=time.time(), help="Unix time; the default is now")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bundle(folder)
        for file in sorted(DASHBOARDS.glob("*.json")):
            prometheus = Prometheus(options.prometheus, options.minutes, options.until)
            photograph(folder, json.loads(file.read_text()), prometheus, IMAGES / f"dashboard-{file.stem}.png")


def bundle(folder: Path) -> None:
    """Put page.jsx and all that it imports into one script in `folder`."""
    esbuild = HERE / "node_modules" / ".bin" / "esbuild"
    flags = ["--bundle", "--minify", "--jsx=automatic", "--loader:.ttf=empty", "--log-level=error"]
    production = "--define:process.env.NODE_ENV='production'"
    subprocess.run([esbuild, HERE / "page.jsx", *flags, production, f"--outfile={folder}/page.js"], check=True)


def photograph(folder: Path, dashboard: dict[str, Any], prometheus: Prometheus, image: Path) -> None:
    """Ask what the dashboard asks, and draw the answer."""
    prometheus.choose(dashboard["templating"]["list"])
    found = {panel["id"]: [prometheus.find(target) for target in panel["targets"]] for panel in dashboard["panels"]}
    picture = {"dashboard": dashboard, "found": found, "start": prometheus.start * 1000, "stop": prometheus.stop * 1000}
    data = json.dumps(picture).replace("<", "\\u003c")
    (folder / "index.html").write_text(
        '<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="page.css"><body><div id="page"></div>'
        f'<script>window.picture = {data}</script><script src="page.js"></script>',
        encoding="utf-8",
    )
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in dashboard["panels"])
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--virtual-time-budget=20000"]
    size = f"--window-size=1920,{_ABOVE + rows * _ROW}"
    subprocess.run(
        ["chromium", *flags, size, f"--screenshot={image}", f"file://{folder}/index.html"],  # noqa: S607  found on PATH
        check=True,
        capture_output=True,
    )
    if image.parent == IMAGES:  # so that a test sees once it is older than what it shows
        subprocess.run([sys.executable, IMAGES / "pictures.py", "--mark", image.name], check=False)


if __name__ == "__main__":
    main()
