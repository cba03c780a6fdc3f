// A model card's Markdown, as much of it as cards use, to elements. Whatever it doesn't know stays text.

import { html } from "./dom.js";

export function lead(markdown) {
  const paragraph = blocks(markdown).find((block) => !block.startsWith("#")) ?? "";
  return inline(paragraph);
}

export function whole(markdown) {
  return blocks(markdown).map((block) => {
    const heading = /^(#{1,4}) (.+)$/.exec(block);
    if (heading) return html(`h${Math.min(6, heading[1].length + 2)}`, {}, ...inline(heading[2]));
    if (/^\|.*\n\|[ :|-]+\|/.test(block)) return table(block);
    if (/^[-*] /.test(block)) return html("ul", {}, ...block.split(/\n[-*] /).map((item) => html("li", {}, ...inline(item.replace(/^[-*] /, "")))));
    return html("p", {}, ...inline(block));
  });
}

const blocks = (markdown) => markdown.split(/\n\s*\n|(?<=^#.*)\n/m).map((block) => block.trim()).filter(Boolean);

function table(block) {
  const rows = block.split("\n").map((line) => line.replace(/^\||\|$/g, "").split("|").map((text) => text.trim()));
  const row = (cells, tag) => html("tr", {}, ...cells.map((text) => html(tag, {}, ...inline(text))));
  return html("div", { class: "scroll" }, html("table", {}, html("thead", {}, row(rows[0], "th")),
    html("tbody", {}, ...rows.slice(2).map((cells) => row(cells, "td")))));
}

function inline(text) {
  return text.split(/(`[^`]+`|\[[^\]]+\]\(https?:[^)\s]+\))/).map((part) => {
    if (part.startsWith("`")) return html("code", {}, part.slice(1, -1));
    const link = /^\[(.+)\]\((.+)\)$/.exec(part);
    return link ? html("a", { href: link[2], rel: "noreferrer noopener" }, link[1]) : part.replaceAll("\n", " ");
  });
}
