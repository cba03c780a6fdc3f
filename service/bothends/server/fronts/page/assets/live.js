// The server's counters, read every second, to rates and quantiles of the last few seconds, and three small charts.

import { html, svg } from "./dom.js";

const KEPT = 61; // readings: a minute
const WINDOW = 5; // readings that a rate or a quantile is of
const [WIDTH, HEIGHT] = [280, 64];

export class Live {
  constructor(place) {
    this.readings = [];
    this.charts = [
      new Chart("Latency", "ms", [
        ["p50", (w) => w.quantile(0.5)],
        ["p99", (w) => w.quantile(0.99)],
      ]),
      new Chart("Sentences", "a second", [["", (w) => w.rate("sentences")]]),
      new Chart("Waiting", "sentences", [["", (w) => w.now.queue]]),
    ];
    place.replaceChildren(...this.charts.map((chart) => chart.element));
  }

  add(reading) {
    const before = this.readings.at(-1);
    if (before && reading.sentences < before.sentences) this.readings = []; // a server that began anew
    this.readings = [...this.readings, reading].slice(-KEPT - WINDOW);
    const windows = this.readings.map((now, index) => new Window(this.readings[Math.max(0, index - WINDOW)], now));
    this.charts.forEach((chart) => chart.draw(windows.slice(-KEPT)));
  }
}

export class Window {
  constructor(before, now) {
    Object.assign(this, { before, now });
  }

  rate(name) {
    const seconds = this.now.time_s - this.before.time_s;
    return seconds > 0 ? (this.now[name] - this.before[name]) / seconds : null;
  }

  // In milliseconds, linear within a bucket, as Prometheus has it; null where nothing was answered.
  quantile(share) {
    const counts = this.now.latency.counts.map((count, index) => count - this.before.latency.counts[index]);
    const all = counts.reduce((sum, count) => sum + count, 0);
    if (!all) return null;
    let below = 0;
    for (const [index, count] of counts.entries()) {
      const bounds = this.now.latency.bounds_s;
      const lower = index ? bounds[index - 1] : 0;
      if (below + count >= share * all) {
        const upper = bounds[index] ?? lower; // beyond the last bound nothing is known
        return 1000 * (lower + ((upper - lower) * (share * all - below)) / count);
      }
      below += count;
    }
    return null;
  }
}

class Chart {
  constructor(title, unit, series) {
    this.unit = unit;
    this.series = series;
    this.numbers = series.map(([name]) => html("b", { "data-live": `${title} ${name}`.trim() }, "–"));
    this.lines = series.map((_, index) => svg("path", { class: `line line-${index}` }));
    this.top = html("span", { class: "top" });
    const read = series.flatMap(([name], index) => [
      name && html("span", { class: `key key-${index}` }, name),
      this.numbers[index],
    ]);
    this.element = html(
      "figure",
      { class: "chart" },
      html(
        "figcaption",
        {},
        html("span", { class: "title" }, title),
        ...read.filter(Boolean),
        html("span", { class: "unit" }, unit),
      ),
      html(
        "div",
        { class: "plot", "aria-hidden": "true" },
        this.top,
        svg(
          "svg",
          { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none" },
          svg("path", { class: "axis", d: `M0 ${HEIGHT - 0.5}H${WIDTH}M0 .5H${WIDTH}` }),
          ...this.lines,
        ),
      ),
    );
  }

  draw(windows) {
    const values = this.series.map(([, of]) => windows.map(of));
    const most = nice(Math.max(...values.flat().map((value) => value ?? 0)));
    this.top.textContent = shown(most);
    values.forEach((line, index) => {
      this.numbers[index].textContent = shown(line.at(-1));
      this.lines[index].setAttribute("d", path(line, most));
    });
  }
}

function path(values, most) {
  let pen = "M";
  return values
    .map((value, index) => {
      if (value === null) {
        pen = "M";
        return "";
      }
      const x = WIDTH - ((values.length - 1 - index) * WIDTH) / (KEPT - 1);
      const point = `${pen}${x.toFixed(1)} ${(HEIGHT - 1 - (value / most) * (HEIGHT - 2)).toFixed(1)}`;
      pen = "L";
      return point;
    })
    .join("");
}

function nice(value) {
  if (value <= 1) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value);
}

function shown(value) {
  if (value === null || value === undefined) return "–";
  return value.toLocaleString("en", { maximumSignificantDigits: value < 100 ? 2 : 3 });
}
