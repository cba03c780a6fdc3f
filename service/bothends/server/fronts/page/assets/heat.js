// Unit vectors to a table of cosines, coloured by size. Rows choose a sentence; arrow keys walk from cell to cell.

import { cosine, html } from "./dom.js";

const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

export function heatMap(sentences, vectors, { choose, tell }) {
  const cells = vectors.map((one, row) =>
    vectors.map((other, column) => cell(dot(one, other), row, column, sentences)),
  );
  const head = html("tr", {}, html("td"), ...sentences.map((_, index) => html("th", { scope: "col" }, `${index + 1}`)));
  const rows = sentences.map((sentence, index) => {
    const button = html(
      "button",
      { type: "button", title: sentence, "aria-pressed": "false" },
      html("span", {}, `${index + 1}`),
      sentence,
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
  return table;
}

export function mark(table, index) {
  table.querySelectorAll("button").forEach((button, row) => button.setAttribute("aria-pressed", `${row === index}`));
}

function cell(value, row, column, sentences) {
  const element = html("td", { tabindex: "-1", "data-cosine": value.toFixed(6) }, cosine(value));
  const named = (index) => `${index + 1} “${sentences[index]}”`;
  element.pair = `${cosine(value)} between ${named(row)} and ${named(column)}`;
  element.classList.toggle("negative", value < 0);
  element.style.setProperty("--share", `${Math.min(1, Math.abs(value)) * 100}%`);
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
      tell(element.pair);
    });
    element.addEventListener("click", () => element.focus());
    element.addEventListener("mouseenter", () => tell(element.pair));
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
