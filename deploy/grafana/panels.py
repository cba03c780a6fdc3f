"""Makes panels of one look from titles, words and queries, for all dashboards.

Colours are Okabe and Ito's, which people who see red and green alike can tell apart: https://jfly.uni-koeln.de/color/
"""

from collections.abc import Mapping, Sequence

from grafana_foundation_sdk.builders import common as builders
from grafana_foundation_sdk.builders import heatmap as heatmaps
from grafana_foundation_sdk.builders import prometheus, stat, table, timeseries
from grafana_foundation_sdk.builders.dashboard import ThresholdsConfig
from grafana_foundation_sdk.models import common, dashboard
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode, HeatmapColorScale
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

Panel = stat.Panel | table.Panel | timeseries.Panel | heatmaps.Panel

BLUE, SKY, GREEN, YELLOW = "#0072B2", "#56B4E9", "#009E73", "#F0E442"
ORANGE, VERMILION, PURPLE, GREY = "#E69F00", "#D55E00", "#CC79A7", "#999999"
GOOD, WARN, BAD = GREEN, ORANGE, VERMILION

SOURCE = common.DataSourceRef(type_val="prometheus", uid="prometheus")
_SELECTED = 'job="bothends", instance=~"$instance"'


def pick(metric: str, more: str = "") -> str:
    """Return `metric` of the instances that the page shows."""
    return f"{metric}{{{_SELECTED}{', ' + more if more else ''}}}"


def rate(metric: str, more: str = "") -> str:
    """Return the growth of `metric` each second."""
    return f"rate({pick(metric, more)}[$__rate_interval])"


def quantile(share: float, metric: str, more: str = "", *, by: str = "") -> str:
    """Return a quantile over all instances shown: their buckets can be added up, their quantiles can't."""
    return f"histogram_quantile({share}, sum by (le{', ' + by if by else ''}) ({rate(metric + '_bucket', more)}))"


def quantiles(metric: str, more: str = "", *, shares: Sequence[float]) -> dict[str, str]:
    """Return several quantiles by name: "p50", "p99.9"."""
    return {f"p{100 * share:g}": quantile(share, metric, more) for share in shares}


def mean(metric: str, more: str = "", *, by: str = "") -> str:
    """Return the mean of a histogram's observations."""
    of = f"sum by ({by})" if by else "sum"
    return f"{of} ({rate(metric + '_sum', more)}) / {of} ({rate(metric + '_count', more)})"


def levels(start: str, *steps: tuple[float, str]) -> ThresholdsConfig:
    """Return a colour, and from each value on another."""
    thresholds = [dashboard.Threshold(value=value, color=color) for value, color in [(None, start), *steps]]
    return ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE).steps(thresholds)


def number(
    title: str,
    description: str,
    query: str,
    *,
    unit: str,
    thresholds: ThresholdsConfig,
    words: Mapping[str, str] | None = None,
) -> stat.Panel:
    """Show a present state, as one number or word on a colour that judges it."""
    panel = (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .targets([_target(query, "", ref="A").instant()])
        .unit(unit)
        .thresholds(thresholds)
        .color_mode(common.BigValueColorMode.BACKGROUND)
        .graph_mode(common.BigValueGraphMode.NONE)
        .reduce_options(builders.ReduceDataOptions().calcs(["lastNotNull"]))
        .no_value("no data")
    )
    if words:
        options = {value: dashboard.ValueMappingResult(text=text) for value, text in words.items()}
        panel.mappings([dashboard.ValueMap(options=options)])
    return panel


def lines(
    title: str,
    description: str,
    queries: Mapping[str, str],
    *,
    unit: str,
    colors: Mapping[str, str] | None = None,
    limits: ThresholdsConfig | None = None,
    stacked: bool = False,
    top: float | None = None,
) -> timeseries.Panel:
    """Draw lines over time, from zero up: legend → query. `colors` name a line's; `limits` are drawn across."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .targets(
            [_target(query, legend, ref=_ref(index)).range() for index, (legend, query) in enumerate(queries.items())]
        )
        .unit(unit)
        .min(0)
        .line_width(2)
        .fill_opacity(60 if stacked else 8)
        .show_points(common.VisibilityMode.NEVER)
        .legend(_legend())
        .tooltip(builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI).sort(common.SortOrder.DESCENDING))
    )
    if stacked:
        panel.stacking(builders.StackingConfig().mode(common.StackingMode.NORMAL)).line_width(1)
    if top is not None:
        panel.max(top)
    if limits is not None:
        style = builders.GraphThresholdsStyleConfig().mode(common.GraphThresholdsStyleMode.DASHED)
        panel.thresholds(limits).thresholds_style(style)
    for name, color in (colors or {}).items():
        panel.override_by_name(name, [_fixed(color)])
    return panel


def _legend() -> builders.VizLegendOptions:
    """Return a legend that lists the lines below them."""
    options = builders.VizLegendOptions().display_mode(common.LegendDisplayMode.LIST)
    return options.placement(common.LegendPlacement.BOTTOM).show_legend(True)


def buckets(title: str, description: str, metric: str, more: str = "", *, unit: str) -> heatmaps.Panel:
    """Draw the observations that fell into each bucket of a histogram, over time."""
    query = f"sum by (le) (increase({pick(metric + '_bucket', more)}[$__rate_interval]))"
    return (
        heatmaps.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .targets([_target(query, "{{le}}", ref="A").range().format(PromQueryFormat.HEATMAP)])
        .calculate(False)
        .color(
            heatmaps.HeatmapColorOptions()
            .mode(HeatmapColorMode.SCHEME)
            .scheme("Viridis")
            .scale(HeatmapColorScale.EXPONENTIAL)
            .exponent(0.5)
            .steps(64)
            .reverse(False)
        )
        .filter_values(heatmaps.FilterValueRange().le(1e-9))
        .y_axis(heatmaps.YAxisConfig().unit(unit).axis_placement(common.AxisPlacement.LEFT))
        .cell_gap(1)
        .tooltip(heatmaps.HeatmapTooltip().mode(common.TooltipDisplayMode.SINGLE).y_histogram(True))
        .hide_legend()
    )


def rows(title: str, description: str, query: str, *, columns: Sequence[str]) -> table.Panel:
    """List the labels of each series that `query` finds, as a table."""
    order = {name: index for index, name in enumerate(columns)}
    hidden = dict.fromkeys(("Time", "Value", "__name__", "job"), True)
    return (
        table.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .targets([_target(query, "", ref="A").instant().format(PromQueryFormat.TABLE)])
        .with_transformation(
            dashboard.DataTransformerConfig(
                id_val="organize", options={"excludeByName": hidden, "indexByName": order, "renameByName": {}}
            )
        )
        .no_value("no data")
    )


def _target(query: str, legend: str, *, ref: str) -> prometheus.Dataquery:
    return prometheus.Dataquery().datasource(SOURCE).expr(query).legend_format(legend).ref_id(ref)


def _ref(index: int) -> str:
    return "ABCDEFGH"[index]


def _fixed(color: str) -> dashboard.DynamicConfigValue:
    return dashboard.DynamicConfigValue(id_val="color", value={"mode": "fixed", "fixedColor": color})
