// One state of one pass as a picture: its numbers as a strip, and what it has read.

import { cosine, isolated, short, svg } from "./dom.js";

export const TRACK = 5; // pixels of the bar that tells what has been read

export function painter(explanation) {
  const numbers = explanation.output.flatMap((state) => [...state.forward, ...state.backward]);
  const scale = Math.max(...numbers.map(Math.abs), 1e-9);
  // Numbers run along the longer side of `width` × `height`, or the one that `across` names.
  return (values, { x, y, width, height }, { across = false, isEnd = false } = {}) => {
    const step = (across ? width : height) / values.length;
    const place = (index) =>
      across ? { x: x + index * step, y, width: step, height } : { x, y: y + index * step, width, height: step };
    const painted = values.map((value, index) =>
      svg("rect", {
        ...place(index),
        class: value < 0 ? "minus" : "plus",
        "fill-opacity": Math.sqrt(Math.abs(value) / scale).toFixed(3), // most numbers are small
      }),
    );
    return [
      svg("rect", { class: "ground", x, y, width, height, rx: 3 }),
      ...painted,
      svg("rect", { class: `frame${isEnd ? " end" : ""}`, x, y, width, height, rx: 3 }),
    ];
  };
}

// What the states of both passes at a step have read, and what they are.
export function roles(step, count) {
  const last = count - 1;
  return {
    forward: { from: 0, read: step + 1, isEnd: step === last, isWrong: step === 0 && count > 1 },
    backward: { from: step, read: count - step, isEnd: step === 0, isWrong: step === last && count > 1 },
  };
}

export const kind = ({ isEnd, isWrong }) => (isEnd ? " ends" : isWrong ? " misses" : "");

export function track({ from, read, ...role }, count, { x, y, width }) {
  const share = width / count;
  return [
    svg("rect", { class: "track", x, y, width, height: TRACK, rx: TRACK / 2 }),
    svg("rect", {
      class: `read${kind(role)}`,
      x: x + share * from,
      y,
      width: share * read,
      height: TRACK,
      rx: TRACK / 2,
    }),
  ];
}

export function hasRead(read, count) {
  if (read === count) return `all ${count}`;
  return count < 100 ? `${read} of ${count}` : `${read}`;
}

export function label(text, x, y, kind, anchor = "middle") {
  return svg("text", { class: kind, x, y, "text-anchor": anchor }, text);
}

// A token's text, as much of it as fits; one that the model doesn't know is marked.
export function word(token, pixels, x, y, anchor) {
  const kind = `token${token.unknown ? " unknown" : ""}`;
  return label(short(token.text, Math.max(2, Math.floor(pixels / 9))), x, y, kind, anchor);
}

export function told(step, count, { text, unknown }, near) {
  return svg(
    "title",
    {},
    `output[${step}], “${isolated(short(text, 40))}”${unknown ? ", unknown to the model" : ""}: forward has read ${step + 1} of ${count}, backward ${count - step}; ` +
      `its cosine to the embedding is ${cosine(near.whole)}`,
  );
}

export function chevron(x, y, turn) {
  return svg("path", { class: "step", d: "M-2.5 -5L2.5 0L-2.5 5", transform: `translate(${x} ${y}) rotate(${turn})` });
}

export function canvas(width, height, ...children) {
  const head = svg(
    "marker",
    { id: "head", viewBox: "0 0 10 10", refX: 8, refY: 5, markerWidth: 5, markerHeight: 5, orient: "auto" },
    svg("path", { class: "head", d: "M0 0 10 5 0 10z" }),
  );
  return svg(
    "svg",
    { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-labelledby": "answer" },
    svg("defs", {}, head),
    ...children,
  );
}
