// An explanation to words and tables: the answer in a sentence, the candidates with their cosines, and every step.

import { cosine, foreign, html, short } from "./dom.js";

const NAMES = { mean: "mean of output", max: "max of output" };
const QUOTED = 30; // characters of a token: one that is unknown may be anything

export function answer({ tokens, candidates, truncated }) {
  const count = tokens.length;
  const [first, last] = [tokens[0].text, tokens[count - 1].text];
  const unknown = tokens.filter((token) => token.unknown).length;
  const blind = unknown
    ? ` Of its tokens ${unknown} ${unknown === 1 ? "is" : "are"} unknown to the model, which reads all such as one.`
    : "";
  const cut = truncated ? ` The sentence was cut to its first ${count} tokens, as many as the model reads.` : "";
  if (count === 1) return [`One token is both ends: output[-1] and the embedding are the same.${cut}${blind}`];
  const wrong = candidates["output[-1]"].cosine;
  return [
    "The forward pass ends at ",
    quoted(last),
    ", the backward pass at ",
    quoted(first),
    ": ",
    html("b", { class: "ends" }, "the embedding joins these two ends"),
    ". ",
    html("code", {}, "output[-1]"),
    " pairs the forward end with the backward state at ",
    quoted(last),
    ", which has read ",
    html("b", { class: "misses" }, `1 token of ${count}`),
    ". Its cosine to the embedding is ",
    html("b", { class: "misses" }, cosine(wrong.whole)),
    ", and of the backward halves alone ",
    html("b", { class: "misses" }, cosine(wrong.backward)),
    `.${cut}${blind}`,
  ];
}

export function candidates(found) {
  const rows = Object.entries(found).map(([name, { cosine: near }]) =>
    html(
      "tr",
      { "data-candidate": name },
      html("th", { scope: "row" }, html("code", {}, NAMES[name] ?? name)),
      ...["whole", "forward", "backward"].map((part) => bar(near[part])),
    ),
  );
  return html(
    "table",
    { class: "far" },
    html("caption", { class: "unseen" }, "Cosines to the embedding"),
    html("thead", {}, headings("", "all numbers", "forward half", "backward half")),
    html("tbody", {}, ...rows),
  );
}

export function steps({ tokens, output }) {
  const rows = output.map(({ cosine: near }, step) =>
    html(
      "tr",
      {},
      html("th", { scope: "row", class: tokens[step].unknown ? "unknown" : "" }, foreign(short(tokens[step].text, QUOTED))),
      ...[step + 1, cosine(near.forward), tokens.length - step, cosine(near.backward), cosine(near.whole)].map(
        (value) => html("td", {}, `${value}`),
      ),
    ),
  );
  return html(
    "table",
    { class: "steps" },
    html("caption", { class: "unseen" }, "States at each token"),
    html(
      "thead",
      {},
      headings(
        "token",
        "forward has read",
        "cosine to its end",
        "backward has read",
        "cosine to its end",
        "output[t] to the embedding",
      ),
    ),
    html("tbody", {}, ...rows),
  );
}

function bar(value) {
  const element = html(
    "td",
    { "data-cosine": value.toFixed(6) },
    html("i", { "aria-hidden": "true" }),
    html("span", {}, cosine(value)),
  );
  element.style.setProperty("--share", `${Math.max(0, value) * 100}%`);
  element.classList.toggle("right", value > 0.9999);
  return element;
}

function headings(...texts) {
  return html("tr", {}, ...texts.map((text) => html(text ? "th" : "td", text ? { scope: "col" } : {}, text)));
}

function quoted(token) {
  return html("q", {}, foreign(short(token, QUOTED)));
}
