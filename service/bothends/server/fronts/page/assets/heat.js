// Unit vectors to a table of cosines, coloured by size. Rows choose a sentence; arrow keys walk from cell to cell.

import { cosine, foreign, html, short } from "./dom.js";

const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
const MIDDLE = 0.5; // which the range holds, so that cosines all small look pale, and all large don't
const PALEST = 4; // per cent of the colour at the range's lower end
const NAMED = 80; // characters of a sentence that is told beside another

export function heatMap(sentences, vectors, { choose, tell }) {
  const cosines = vectors.map((one) => vectors.map((other) => dot(one, other)));
  const ramp = new Ramp(cosines);
  const cells = cosines.map((row, index) => row.map((value, column) => cell(value, index, column, sentences, ramp)));
  const head = html("tr", {}, html("td"), ...sentences.map((_, index) => html("th", { scope: "col" }, `${index + 1}`)));
  const rows = sentences.map((sentence, index) => {
    const button = html(
      "button",
      { type: "button", title: short(sentence, 500), "aria-pressed": "false" },
      html("span", { class: "number" }, `${index + 1}`),
      html("span", { class: "text" }, foreign(sentence)),
      html("span", { class: "remarks" }),
    );
    button.addEventListener("click", () => choose(index));
    return html("tr", {}, html("th", { scope: "row" }, button), ...cells[index]);
  });
  const table = html(
    "table",
    { class: "heat" },
    html("caption", { class: "unseen" }, "Cosines between all pairs of sentences"),
    html("thead", {}, head),
    html("tbody", {}, ...rows),
  );
  table.style.setProperty("--count", sentences.length);
  walkable(table, cells, tell);
  return { table, key: ramp.key() };
}

export function mark(table, index) {
  table.querySelectorAll("button").forEach((button, row) => button.setAttribute("aria-pressed", `${row === index}`));
}

export function remark(table, remarks) {
  table.querySelectorAll(".remarks").forEach((place, row) => place.replaceChildren(...remarks[row]));
}

// The colour of a cosine: stretched over those that there are. A sentence's own with itself is always 1 and has none.
class Ramp {
  constructor(cosines) {
    const others = cosines.flatMap((row, index) => row.filter((_, column) => column !== index));
    this.isEmpty = !others.length;
    this.high = Math.max(...others, MIDDLE);
    this.low = Math.max(0, Math.min(...others, MIDDLE - 0.1));
    this.lowest = Math.min(...others, -MIDDLE);
    this.hasNegative = others.some((value) => value < 0);
  }

  share(value) {
    const share = value < 0 ? value / this.lowest : (value - this.low) / (this.high - this.low);
    return PALEST + (100 - PALEST) * Math.max(0, Math.min(1, share));
  }

  key() {
    if (this.isEmpty) return "";
    return html(
      "p",
      { class: "ramp" },
      ...(this.hasNegative ? [cosine(this.lowest), html("i", { class: "negative" })] : []),
      cosine(this.low),
      html("i"),
      cosine(this.high),
      html("span", {}, html("i", { class: "self" }), "with itself"),
    );
  }
}

function cell(value, row, column, sentences, ramp) {
  const element = html("td", { tabindex: "-1", "data-cosine": value.toFixed(6) }, cosine(value));
  const named = (index) => [`${index + 1} “`, foreign(short(sentences[index], NAMED)), "”"];
  element.pair = () => [`${cosine(value)} between `, ...named(row), " and ", ...named(column)];
  element.classList.toggle("self", row === column);
  element.classList.toggle("negative", value < 0);
  if (row !== column) element.style.setProperty("--share", `${ramp.share(value).toFixed(1)}%`);
  return element;
}

function walkable(table, cells, tell) {
  let [row, column] = [0, 0];
  cells[0][0].tabIndex = 0; // one stop for the tab key; arrows do the rest
  const go = (toRow, toColumn) => {
    cells[row][column].tabIndex = -1;
    [row, column] = [toRow, toColumn];
    cells[row][column].tabIndex = 0;
  };
  cells.flat().forEach((element, index) => {
    const at = [Math.floor(index / cells.length), index % cells.length];
    element.addEventListener("focus", () => {
      go(...at);
      tell(element.pair());
    });
    element.addEventListener("click", () => element.focus());
    element.addEventListener("mouseenter", () => tell(element.pair()));
  });
  table.addEventListener("keydown", (event) => {
    const step = STEPS[event.key];
    if (!step || event.target.tagName !== "TD") return;
    event.preventDefault();
    const inside = (index) => Math.max(0, Math.min(cells.length - 1, index));
    cells[inside(row + step[0])][inside(column + step[1])].focus();
  });
}

function dot(one, other) {
  return one.reduce((sum, value, index) => sum + value * other[index], 0);
}
