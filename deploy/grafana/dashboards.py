"""Writes the dashboards as the JSON that Grafana reads: `make dashboards`, or with another folder as argument.

It says where panels stand; what they show is in overview.py, engine.py and connections.py.
"""

import json
import sys
from pathlib import Path

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import prometheus
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard

import connections
import engine
import overview
from panels import SOURCE, VERMILION, Panel

_WIDTH = 24
"""Columns of Grafana's grid."""


def main(folder: Path) -> None:
    """Write every dashboard into `folder`."""
    for module in (overview, engine, connections):
        built = _furnished(module.page(), module.ROWS).build()
        name = str(built.uid).removeprefix("bothends-")
        text = json.dumps(built, cls=JSONEncoder, sort_keys=True, indent=2)
        (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def _furnished(page: builders.Dashboard, rows: list[tuple[int, list[Panel]]]) -> builders.Dashboard:
    """Panels in rows of one height, which they share evenly; numbered, so that links to them last."""
    page = (
        page.tags(["bothends"])
        .readonly()
        .refresh("10s")
        .time("now-30m", "now")
        .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
        .variables([_variable("model", 'bothends_model_info{job="bothends"}', "name"), _instances()])
        .annotation(_alerts())
        .link(_others())
    )
    number, top = 1, 0
    for height, panels in rows:
        width = _WIDTH // len(panels)
        for index, panel in enumerate(panels):
            page.with_panel(panel.id(number).grid_pos(dashboard.GridPos(x=index * width, y=top, w=width, h=height)))
            number += 1
        top += height
    return page


def _instances() -> builders.QueryVariable:
    """Return the variables. Metrics carry no model's name, so choosing a model chooses its instances."""
    return _variable("instance", 'bothends_model_info{job="bothends", name=~"$model"}', "instance")


def _variable(name: str, series: str, label: str) -> builders.QueryVariable:
    query = f"label_values({series}, {label})"
    return (
        builders.QueryVariable(name)
        .label(name.capitalize())
        .datasource(SOURCE)
        .query({"query": query, "refId": name, "qryType": 1})
        .definition(query)
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(dashboard.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .current(dashboard.VariableOption(selected=True, text=["All"], value=["$__all"]))
    )


def _alerts() -> builders.AnnotationQuery:
    """Return the marks across every panel while an alert fires."""
    query = 'ALERTS{alertname=~"Bothends.*", alertstate="firing"}'
    return (
        builders.AnnotationQuery()
        .name("Alerts")
        .datasource(SOURCE)
        .enable(True)
        .icon_color(VERMILION)
        .placement("")
        .expr(query)
        .target(prometheus.Dataquery().expr(query).ref_id("Alerts"))
        .title_format("{{alertname}}")
        .text_format("{{instance}}")
        .step("30s")
    )


def _others() -> builders.DashboardLink:
    return (
        builders.DashboardLink("bothends")
        .type(dashboard.DashboardLinkType.DASHBOARDS)
        .tags(["bothends"])
        .placement("")  # where everyone sees it, not in a menu
        .include_vars(True)
        .keep_time(True)
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "dashboards")
