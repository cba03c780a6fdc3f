// What the model reads of sentences, in words: its languages, what it doesn't know, letters it never saw, and cuts.

import { html, plural } from "./dom.js";

const MOSTLY = 0.5; // a sentence of which so much is unknown says little
const SEVERAL = { Jpan: ["Hira", "Kana", "Hani"], Kore: ["Hang", "Hani"], Hans: ["Hani"], Hant: ["Hani"] };

export function languages(tags) {
  const names = new Intl.DisplayNames(["en"], { type: "language" });
  return new Intl.ListFormat("en").format(tags.map((tag) => names.of(tag)));
}

// What the server counted in each sentence, and the share of its letters that no language of the model's is written in.
export function reading(sentences, counts, tags) {
  const isForeign = foreignLetter(tags);
  return counts.map((count, index) => {
    const letters = sentences[index].match(/\p{L}/gu) ?? [];
    return { ...count, foreign: letters.filter(isForeign).length / Math.max(1, letters.length) };
  });
}

// For the label of one sentence; empty where the model reads all of it.
export function remarks({ tokens, unknown, truncated, foreign }) {
  return [
    unknown && html("small", { class: "unknown" }, `${unknown} of ${tokens} unknown`),
    foreign >= MOSTLY && html("small", { class: "unknown" }, "unknown script"),
    truncated && html("small", {}, `cut to ${plural(tokens, "token")}`),
  ].filter(Boolean);
}

// For all of them together: what their cosines are worth.
export function worth(read, tags) {
  const blind = read.flatMap(({ tokens, unknown, foreign }, index) =>
    unknown / tokens >= MOSTLY || foreign >= MOSTLY ? [`${index + 1}`] : [],
  );
  if (!blind.length) return "";
  const reads = tags.length ? `The model reads ${languages(tags)}. ` : "";
  const these = `sentence${blind.length > 1 ? "s" : ""} ${new Intl.ListFormat("en").format(blind)}`;
  return `${reads}Most of ${these} is unknown to it, so cosines of ${blind.length > 1 ? "those" : "that"} tell nothing.`;
}

// Tokens with the text to show: of an unknown one, what stands in the sentence.
export function shown(tokens, sentence) {
  const characters = [...sentence]; // the server counts code points
  return tokens.map((token) => ({
    ...token,
    text: (token.unknown && characters.slice(token.start, token.end).join("")) || token.text,
  }));
}

// A function that tells whether a letter is of none of the scripts that these languages are written in.
function foreignLetter(tags) {
  const scripts = tags.map((tag) => new Intl.Locale(tag).maximize().script).flatMap((name) => SEVERAL[name] ?? [name]);
  if (!scripts.length) return () => false; // nobody said what it reads
  const own = new RegExp(`[${scripts.map((name) => `\\p{scx=${name}}`).join("")}]`, "u");
  return (letter) => !own.test(letter);
}
