// What is served, for people: its facts, and its card's Markdown, of which what isn't known here stays text.

import { html } from "./dom.js";
import { languages } from "./reading.js";

export function facts(model) {
  const many = (count, what) => `${count.toLocaleString("en")} ${what}`;
  const { tokens, sentence_chars, sentences } = model.limits;
  return {
    Model: `${model.name} ${model.version}`,
    Encoder: `${model.encoder}, ${model.hidden_size} a direction`,
    Embedding: `${[model.dimension, ...[...model.nested_dimensions].reverse()].join(", ")} numbers`,
    Engine: `${model.engine}, on ${model.device}`,
    "Agrees with PyTorch": `within ${model.selftest_difference.toExponential(1)}, on its golden sentences`,
    Server: `bothends ${model.server_version}`,
    "Reads of a sentence": `${many(tokens, "tokens")}, of ${many(sentence_chars, "characters")} at most`,
    "Takes in a request": many(sentences, "sentences"),
    ...(model.languages.length && { "Trained to read": languages(model.languages) }),
  };
}

export function lead(markdown) {
  const paragraph = blocks(markdown).find((block) => !block.startsWith("#")) ?? "";
  return inline(paragraph);
}

export function whole(markdown) {
  return blocks(markdown).map((block) => {
    const heading = /^(#{1,4}) (.+)$/.exec(block);
    if (heading) return html(`h${Math.min(6, heading[1].length + 2)}`, {}, ...inline(heading[2]));
    if (/^\|.*\n\|[ :|-]+\|/.test(block)) return table(block);
    if (/^[-*] /.test(block))
      return html(
        "ul",
        {},
        ...block.split(/\n[-*] /).map((item) => html("li", {}, ...inline(item.replace(/^[-*] /, "")))),
      );
    return html("p", {}, ...inline(block));
  });
}

const blocks = (markdown) =>
  markdown
    .split(/\n\s*\n|\n(?<=^#.*\n)/m)
    .map((block) => block.trim())
    .filter(Boolean);

function table(block) {
  const rows = block.split("\n").map((line) =>
    line
      .replace(/^\||\|$/g, "")
      .split("|")
      .map((text) => text.trim()),
  );
  const row = (cells, tag) => html("tr", {}, ...cells.map((text) => html(tag, {}, ...inline(text))));
  return html(
    "div",
    { class: "scroll" },
    html(
      "table",
      {},
      html("thead", {}, row(rows[0], "th")),
      html("tbody", {}, ...rows.slice(2).map((cells) => row(cells, "td"))),
    ),
  );
}

// No part of a pattern reads past what begins it anew, so that its time follows the text's length; and a link is what the
// same pattern found, so that none leads to anything but the web.
const PARTS = /(`[^`]+`|\[[^[\]]+\]\(https?:\/\/[^\s()[\]]+\))/;
const LINK = /^\[([^[\]]+)\]\(([^\s()[\]]+)\)$/;

function inline(text) {
  return text.split(PARTS).map((part, place) => {
    if (place % 2 === 0) return part.replaceAll("\n", " ");
    if (part.startsWith("`")) return html("code", {}, part.slice(1, -1));
    const [, label, href] = LINK.exec(part);
    return html("a", { href, rel: "noreferrer noopener" }, label);
  });
}
