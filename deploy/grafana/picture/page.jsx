// A dashboard's JSON and what its queries found, as `window.picture`, to a page of Grafana's own components.
// Knows the four kinds of panel that the dashboards use. Grafana's heatmap is no component of its library: drawn here.
import {
  createTheme, FieldColorModeId, FieldType, formattedValueToString, getDisplayProcessor, getValueFormat, dateTime,
} from "@grafana/data";
import { AxisPlacement, ScaleDirection, ScaleOrientation } from "@grafana/schema";
import {
  BigValue, GlobalStyles, InteractiveTable, PanelChrome, ThemeContext, TimeSeries, UPlotChart, UPlotConfigBuilder,
} from "@grafana/ui";
import { interpolateViridis } from "d3-scale-chromatic";
import { createRoot } from "react-dom/client";

const { dashboard, found, start, stop } = window.picture;
const theme = createTheme({ colors: { mode: "dark" } });
const timeRange = { from: dateTime(start), to: dateTime(stop), raw: { from: "", to: "" } };
const ROW = 38, GAP = 8;

const named = (legend, labels) => legend.replace(/\{\{(\w+)\}\}/g, (_, name) => labels[name] ?? "");

function withDisplay(field, panel, index) {
  const { custom, ...defaults } = panel.fieldConfig.defaults;
  const name = field.state?.displayName ?? field.name;
  const override = panel.fieldConfig.overrides.find(({ matcher }) => matcher.options === name);
  const color = { mode: FieldColorModeId.PaletteClassic };
  field.config = { color, ...defaults, custom: { ...custom }, ...field.config };
  for (const { id, value } of override?.properties ?? []) field.config[id] = value;
  field.state = { ...field.state, seriesIndex: index };
  field.display = getDisplayProcessor({ field, theme });
  return field;
}

function frames(panel) {
  let index = 0;
  return found[panel.id].flatMap(({ legend, result }) =>
    result.map(({ metric, values }) => {
      const name = named(legend, metric);
      const numbers = values.map(([, value]) => (Number.isFinite(+value) ? +value : null));
      const value = { name, type: FieldType.number, values: numbers, config: {}, state: { displayName: name } };
      return {
        length: values.length,
        fields: [
          { name: "time", type: FieldType.time, values: values.map(([time]) => time * 1000), config: {} },
          withDisplay(value, panel, index++),
        ],
      };
    }),
  );
}

function Stat({ panel, width, height }) {
  const [series] = found[panel.id][0].result;
  const field = withDisplay({ name: "", type: FieldType.number, values: [], config: {} }, panel, 0);
  field.config.color = { mode: FieldColorModeId.Thresholds };
  const value = getDisplayProcessor({ field, theme })(series ? +series.values[0][1] : null);
  const { colorMode, graphMode, justifyMode, textMode } = panel.options;
  const options = { colorMode, graphMode, justifyMode, textMode };
  return <BigValue {...options} theme={theme} width={width} height={height} value={value} />;
}

function Lines({ panel, width, height }) {
  const shown = frames(panel);
  if (shown.length === 0) {
    const said = panel.fieldConfig.defaults.noValue ?? "No data";
    return <div style={{ textAlign: "center", paddingTop: height / 3 }}>{said}</div>;
  }
  const size = { width, height };
  return <TimeSeries {...size} frames={shown} timeRange={timeRange} timeZone="utc" legend={panel.options.legend} />;
}

function Heatmap({ panel, width, height }) {
  const bound = (series) => (series.metric.le === "+Inf" ? Infinity : +series.metric.le);
  const all = [...found[panel.id][0].result].sort((one, other) => bound(one) - bound(other));
  // Prometheus' buckets hold all below them; a cell is one bucket less the one under it.
  const cells = all.map(({ values }, row) => values.map(([, v], at) => +v - (row ? +all[row - 1].values[at][1] : 0)));
  const rows = all.map((_, row) => row).filter((row) => cells[row].some((count) => count > 1e-9));
  const [first, last] = [Math.max(rows[0] - 1, 0), rows[rows.length - 1]];
  const times = all[0].values.map(([time]) => time * 1000);
  const most = Math.max(...cells.flat());
  const format = getValueFormat(panel.options.yAxis.unit);
  const label = (edge) => (edge === Infinity ? "∞" : formattedValueToString(format(edge)));
  const rowsBetween = all.map((_, row) => row + 1).filter((edge) => edge > first && edge <= last + 1);
  const builder = new UPlotConfigBuilder("utc");
  builder.addScale({
    scaleKey: "x", isTime: true, range: () => [start, stop],
    orientation: ScaleOrientation.Horizontal, direction: ScaleDirection.Right,
  });
  builder.addScale({
    scaleKey: "y", range: () => [first, last + 1],
    orientation: ScaleOrientation.Vertical, direction: ScaleDirection.Up,
  });
  builder.addAxis({ scaleKey: "x", isTime: true, placement: AxisPlacement.Bottom, timeZone: "utc", theme });
  builder.addAxis({
    scaleKey: "y", placement: AxisPlacement.Left, theme,
    splits: () => rowsBetween.filter((edge) => (edge - first) % 2 === 0),
    values: (_, edges) => edges.map((edge) => label(bound(all[edge - 1]))),
  });
  builder.addSeries({ scaleKey: "y", pathBuilder: () => null, pointsFilter: () => [], theme, show: true });
  builder.addHook("draw", (plot) => {
    for (let row = first; row <= last; row++) {
      const [bottom, top] = [plot.valToPos(row, "y", true), plot.valToPos(row + 1, "y", true)];
      times.forEach((time, at) => {
        if (at === 0 || cells[row][at] <= 1e-9) return;
        const [left, right] = [plot.valToPos(times[at - 1], "x", true), plot.valToPos(time, "x", true)];
        plot.ctx.fillStyle = interpolateViridis(Math.sqrt(cells[row][at] / most));
        plot.ctx.fillRect(left, top + 1, right - left + 0.5, bottom - top - 1); // columns touch, rows don't
      });
    }
  });
  return <UPlotChart config={builder} data={[times, times.map(() => null)]} width={width} height={height} />;
}

function Rows({ panel }) {
  const { excludeByName, indexByName } = panel.transformations[0].options;
  const columns = Object.keys(indexByName).filter((name) => !excludeByName[name]);
  columns.sort((one, other) => indexByName[one] - indexByName[other]);
  const series = found[panel.id][0].result.map(({ metric }) => metric);
  const shown = columns.map((name) => ({ id: name, header: name }));
  return <InteractiveTable columns={shown} data={series} getRowId={(labels) => `${labels.instance} ${labels.model}`} />;
}

const KINDS = { stat: Stat, timeseries: Lines, heatmap: Heatmap, table: Rows };

function Panel({ panel, column }) {
  const { x, y, w, h } = panel.gridPos;
  const [width, height] = [w * column - GAP, h * ROW - GAP];
  const Kind = KINDS[panel.type];
  const place = { position: "absolute", left: x * column + GAP, top: y * ROW + 48 };
  const padding = panel.type === "stat" ? "none" : "sm";
  return (
    <div style={place}>
      <PanelChrome title={panel.title} description={panel.description} width={width} height={height} padding={padding}>
        {(innerWidth, innerHeight) => <Kind panel={panel} width={innerWidth} height={innerHeight} />}
      </PanelChrome>
    </div>
  );
}

const column = (window.innerWidth - GAP) / 24;
createRoot(document.getElementById("page")).render(
  <ThemeContext.Provider value={theme}>
    <GlobalStyles />
    <h3 style={{ padding: "12px 8px" }}>{dashboard.title}</h3>
    {dashboard.panels.map((panel) => <Panel key={panel.id} panel={panel} column={column} />)}
  </ThemeContext.Provider>,
);
