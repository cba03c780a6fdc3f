// The same picture from top to bottom, for narrow screens and long sentences: each row is one output[t], and the
// embedding stands below them. Its left half is that of the row above it, its right half comes from the first row. Of
// many rows the middle is left out, unless all are asked for.

import { cosine, svg } from "./dom.js";
import { canvas, chevron, hasRead, kind, label, painter, roles, told, track, word } from "./states.js";

const STRIP = 22;
const ROW = 68; // from one row's strips to the next
const TOP = 34;
const MIDDLE = 10; // between the passes
const CORRIDOR = 26; // right of them, where the backward end goes down
const NUMBERS = 36; // right of that, cosines
const JOIN = 26; // above the embedding
const [LEAST, MOST] = [240, 720];
const MANY = 20; // rows that are still shown all
const SHOWN = 8; // of more, so many at each end

export function tall(explanation, room, { isWhole }) {
  const { output, tokens, candidates } = explanation;
  const count = tokens.length;
  const hidden = isWhole || count <= MANY ? 0 : count - 2 * SHOWN;
  const width = Math.max(LEAST, Math.min(room, MOST)); // a narrower place scrolls
  const left = width < 480 ? 86 : 110;
  const lane = (width - left - MIDDLE - CORRIDOR - NUMBERS) / 2;
  const at = {
    count,
    hidden,
    width,
    left,
    lane,
    paint: painter(explanation),
    y: (step) => TOP + (step < count - SHOWN || !hidden ? step : step - hidden + 1) * ROW,
    forwardX: left,
    backwardX: left + lane + MIDDLE,
    corridor: left + 2 * lane + MIDDLE + 15,
  };
  at.endY = at.y(count) + JOIN;
  const isShown = (_, step) => !hidden || step < SHOWN || step >= count - SHOWN;
  const drawn = canvas(
    width,
    at.endY + 58,
    ...heads(at),
    ...boxes(at),
    ...output.map((state, step) => row(state, step, tokens[step], at)).filter(isShown),
    ...(hidden ? [label(`${hidden} tokens more`, left + lane, at.y(SHOWN) + 26, "small faint between")] : []),
    ...embedding(candidates.embedding, at),
  );
  return { drawn, hidden };
}

function row(state, step, token, at) {
  const { count, lane, width, forwardX, backwardX } = at;
  const y = at.y(step);
  const role = roles(step, count);
  const isWrong = count > 1 && (step === 0 || step === count - 1);
  const arrows = [chevron(forwardX + lane / 2, y + ROW - 11.5, 90), chevron(backwardX + lane / 2, y + ROW - 11.5, 270)];
  return svg(
    "g",
    {},
    told(step, count, token, state.cosine),
    word(token, at.left - 10, 6, y + 16, "start"),
    ...(isWrong ? [label(step ? "output[-1]" : "output[0]", 6, y + 36, "small misses", "start")] : []),
    ...half(state.forward, state.cosine.forward, forwardX, y, role.forward, at),
    ...half(state.backward, state.cosine.backward, backwardX, y, role.backward, at),
    label(cosine(state.cosine.whole), width - 6, y + 16, isWrong ? "number misses" : "number", "end"),
    ...(step < count - 1 ? arrows : []),
  );
}

function half(numbers, near, x, y, role, { lane, count, paint }) {
  return [
    ...paint(numbers, { x, y, width: lane, height: STRIP }, { across: true, ...role }),
    ...track(role, count, { x, y: y + STRIP + 4, width: lane }),
    label(hasRead(role.read, count), x, y + STRIP + 22, `small${kind(role)}`, "start"),
    label(cosine(near), x + lane, y + STRIP + 22, `small faint${kind(role)}`, "end"),
  ];
}

function embedding(vector, { paint, lane, forwardX, backwardX, corridor, endY, count, width, y }) {
  const lastY = y(count - 1) + STRIP + 28;
  const strip = (numbers, x, pass) => [
    ...paint(numbers, { x, y: endY, width: lane, height: STRIP }, { across: true, isEnd: true }),
    label(lane < 90 ? "end" : `${pass} end`, x + lane / 2, endY + STRIP + 18, "small ends"),
  ];
  return [
    svg("rect", { class: "whole", x: 1, y: endY - 9, width: width - 2, height: STRIP + 36, rx: 9 }),
    label("embedding", 6, endY + 16, "small ends", "start"),
    ...strip(vector.forward, forwardX, "forward"),
    ...strip(vector.backward, backwardX, "backward"),
    label(cosine(vector.cosine.whole), width - 6, endY + 16, "number ends", "end"),
    svg("path", { class: "join", d: `M${forwardX + lane / 2} ${lastY}V${endY - 3}`, "marker-end": "url(#head)" }),
    svg("path", {
      class: "join",
      "marker-end": "url(#head)",
      d:
        `M${backwardX + lane + 2} ${y(0) + STRIP / 2}H${corridor - 6}q6 0 6 6` +
        `V${endY + STRIP / 2 - 6}q0 6 -6 6H${backwardX + lane + 3}`,
    }),
  ];
}

function boxes({ count, width, y }) {
  if (count === 1) return [];
  return [0, count - 1].map((step) =>
    svg("rect", { class: "wrong", x: 1, y: y(step) - 6, width: width - 2, height: STRIP + 35, rx: 8 }),
  );
}

function heads({ lane, forwardX, backwardX, width }) {
  return [
    label("forward ↓", forwardX + lane / 2, 18, "lane"),
    label("backward ↑", backwardX + lane / 2, 18, "lane"),
    label("cosine", width - 6, 18, "small faint", "end"),
  ];
}
