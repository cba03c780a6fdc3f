// One sentence's explanation on the page: shown, drawn anew as its place grows or shrinks, and taken away.

import { byId, foreign, html, short, show } from "./dom.js";
import { picture } from "./ends.js";
import { shown } from "./reading.js";
import { answer, candidates, steps } from "./words.js";

const PARTS = ["legend", "far-title", "steps"];
const NARROWEST = 20; // pixels: a place that is being laid out has none for a moment

export class Shown {
  constructor() {
    this.explanation = null;
    this.width = 0;
    byId("ends-whole").addEventListener("click", () => this.draw({ isWhole: !this.isWhole }));
    new ResizeObserver(() => {
      if (byId("ends").clientWidth !== this.width) this.draw({ isWhole: this.isWhole });
    }).observe(byId("ends"));
  }

  // Fades the sentence before, which is shown until this one's states are here.
  wait() {
    byId("ends").closest("section").ariaBusy = "true";
  }

  show(found, sentence) {
    byId("ends").closest("section").ariaBusy = "false";
    this.explanation = { ...found, tokens: shown(found.tokens, sentence) };
    byId("chosen").replaceChildren(html("q", { title: short(sentence, 500) }, foreign(sentence)));
    byId("answer").replaceChildren(...answer(this.explanation));
    byId("scale-text").textContent =
      `a state's numbers, from minus to plus (${found.numbers.shown} of ${found.numbers.of})`;
    byId("far").replaceChildren(candidates(found.candidates));
    byId("steps").lastElementChild.replaceChildren(steps(this.explanation));
    for (const id of PARTS) show(byId(id));
    show(byId("unknown-key"), found.tokens.some(({ unknown }) => unknown));
    this.draw({ isWhole: false });
  }

  clear() {
    this.explanation = null;
    byId("ends").closest("section").ariaBusy = "false";
    for (const id of ["chosen", "answer", "ends", "far"]) byId(id).replaceChildren();
    for (const id of [...PARTS, "ends-whole"]) show(byId(id), false);
  }

  draw({ isWhole }) {
    this.width = byId("ends").clientWidth;
    this.isWhole = isWhole;
    if (!this.explanation || this.width < NARROWEST) return;
    const { drawn, hidden } = picture(this.explanation, this.width, { isWhole });
    byId("ends").replaceChildren(drawn);
    const count = this.explanation.tokens.length;
    byId("ends-whole").textContent = isWhole ? "Show fewer tokens" : `Show all ${count} tokens`;
    show(byId("ends-whole"), hidden > 0 || isWhole);
  }
}
