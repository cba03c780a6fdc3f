// An explanation to a picture, from left to right: each column is one output[t], and the embedding is none of them. Its
// upper half is the last column's, its lower half the first one's. Where they don't fit, tall.js draws them as rows.

import { cosine, svg } from "./dom.js";
import { canvas, chevron, hasRead, kind, label, painter, roles, told, track, word } from "./states.js";
import { tall } from "./tall.js";

const CELL = 5; // pixels of one of a state's numbers
const GAP = 16; // between columns, for the arrow
const GUTTER = 30; // left of them, for the passes' names
const JOIN = 58; // between the last column and the embedding
const END = 94; // the embedding's width
const [NARROWEST, WIDEST] = [48, 92];
const NAMED = 64; // pixels of a column below which the names of its box take two lines
const TOKEN_Y = 43;
const FORWARD_Y = 58;
const LINE = 13;
const BELOW = 48; // a lane: what has been read, and how near that is to the end
const BETWEEN = 24;

// The picture, and how many tokens it leaves out unless `isWhole`.
export function picture(explanation, width, { isWhole }) {
  const count = explanation.tokens.length;
  const column = Math.min(WIDEST, Math.floor((width - GUTTER - JOIN - END - 12) / count - GAP));
  return column < NARROWEST ? tall(explanation, width, { isWhole }) : { drawn: wide(explanation, column), hidden: 0 };
}

function wide(explanation, column) {
  const { output, tokens, candidates } = explanation;
  const count = tokens.length;
  const down = column < NAMED ? LINE : 0;
  const at = {
    column,
    count,
    down,
    forwardY: FORWARD_Y + down,
    height: CELL * output[0].forward.length,
    x: (step) => GUTTER + step * (column + GAP),
    paint: painter(explanation),
  };
  at.backwardY = at.forwardY + at.height + BELOW + BETWEEN;
  at.bottom = at.backwardY + at.height + BELOW;
  at.endX = at.x(count - 1) + column + JOIN;
  return canvas(
    at.endX + END + 10,
    at.bottom + 80,
    ...names(at),
    ...boxes(at),
    ...output.map((state, step) => drawn(state, step, tokens[step], at)),
    ...embedding(candidates.embedding, at),
    ...footer(output, candidates.embedding, at),
  );
}

function drawn(state, step, token, at) {
  const { column, count, forwardY, backwardY, height, down } = at;
  const x = at.x(step);
  const role = roles(step, count);
  const arrows = [
    chevron(x + column + GAP / 2, forwardY + height / 2, 0),
    chevron(x + column + GAP / 2, backwardY + height / 2, 180),
  ];
  return svg(
    "g",
    {},
    told(step, count, token, state.cosine),
    word(token, column + GAP - 4, x + column / 2, TOKEN_Y + down),
    ...half(state.forward, state.cosine.forward, x, forwardY, role.forward, at),
    ...half(state.backward, state.cosine.backward, x, backwardY, role.backward, at),
    ...(step < count - 1 ? arrows : []),
  );
}

function half(numbers, near, x, y, role, { column, count, height, paint }) {
  const [middle, below] = [x + column / 2, y + height];
  return [
    ...paint(numbers, { x, y, width: column, height }, role),
    ...track(role, count, { x, y: below + 7, width: column }),
    label(hasRead(role.read, count), middle, below + 27, `small${kind(role)}`),
    label(cosine(near), middle, below + 42, `small faint${kind(role)}`),
  ];
}

function embedding(vector, { paint, endX, height, forwardY, backwardY, bottom, column, count, x }) {
  const middle = endX + END / 2;
  const [first, last, under] = [x(0) + column / 2, x(count - 1) + column, bottom + 20];
  const strip = (numbers, y, text) => [
    ...paint(numbers, { x: endX, y, width: END, height }, { isEnd: true }),
    label(text, middle, y + height + 19, "small ends"),
  ];
  return [
    svg("rect", { class: "whole", x: endX - 8, y: 8, width: END + 16, height: bottom - 4, rx: 9 }),
    label("embedding", middle, 28, "token ends"),
    ...strip(vector.forward, forwardY, "forward end"),
    ...strip(vector.backward, backwardY, "backward end"),
    svg("path", { class: "join", d: `M${last + 2} ${forwardY + height / 2}H${endX - 3}`, "marker-end": "url(#head)" }),
    svg("path", {
      class: "join",
      "marker-end": "url(#head)",
      d:
        `M${first} ${bottom - 1}V${under - 8}Q${first} ${under} ${first + 8} ${under}H${middle - 8}` +
        `Q${middle} ${under} ${middle} ${under - 8}V${backwardY + height + 28}`,
    }),
  ];
}

function boxes({ count, x, column, bottom, down }) {
  if (count === 1) return []; // its only output is the embedding
  return [
    ["[0]", 0],
    ["[-1]", count - 1],
  ].flatMap(([index, step]) => {
    const middle = x(step) + column / 2;
    const lines = down ? ["output", index] : [`output${index}`];
    return [
      svg("rect", { class: "wrong", x: x(step) - 4, y: 8, width: column + 8, height: bottom - 4, rx: 8 }),
      ...lines.map((line, number) => label(line, middle, 24 + number * LINE, "small misses")),
    ];
  });
}

function footer(output, right, { count, x, column, bottom, endX }) {
  const y = bottom + 48;
  const isWrong = (step) => count > 1 && (step === 0 || step === count - 1);
  return [
    ...output.map((state, step) =>
      label(cosine(state.cosine.whole), x(step) + column / 2, y, isWrong(step) ? "number misses" : "number"),
    ),
    label(cosine(right.cosine.whole), endX + END / 2, y, "number ends"),
    label("cosine of each output[t] to the embedding", GUTTER, y + 20, "small faint", "start"),
  ];
}

function names({ height, forwardY, backwardY }) {
  return [
    ["forward", forwardY],
    ["backward", backwardY],
  ].map(([text, y]) =>
    svg(
      "text",
      { class: "lane", "text-anchor": "middle", transform: `translate(13 ${y + height / 2}) rotate(-90)` },
      text,
    ),
  );
}
