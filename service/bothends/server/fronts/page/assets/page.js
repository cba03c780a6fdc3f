// What the page does: reads the model, embeds sentences, explains the chosen one, and asks every second how it goes.

import { Failure, ask, key, send } from "./api.js";
import { facts, lead, whole } from "./card.js";
import { byId, html, show } from "./dom.js";
import { picture } from "./ends.js";
import { heatMap, mark } from "./heat.js";
import { Live } from "./live.js";
import { answer, candidates, steps } from "./words.js";

const EVERY_MS = 1000;
const MOST_SENTENCES = 24; // more would be no picture
const WIDE_SENTENCES = 10; // whose heat map needs all of the page's width

const live = new Live(byId("live"));
const page = { model: "", sentences: [], explanation: null, heat: null, isUp: null, asked: 0, retry: null };

// Shows what went wrong, and remembers `again` for when the server is back.
async function attempt(act, again) {
  try {
    await act();
    tell("");
    page.retry = null;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    if (error.status === 401) show(byId("key-form"));
    if (error.status === 0) say(false);
    page.retry = [0, 401, 503].includes(error.status) ? again : null;
    tell(error.message);
  }
}

function tell(problem) {
  byId("problem").textContent = problem;
  show(byId("problem"), problem !== "");
}

function say(isUp) {
  if (page.isUp === isUp) return;
  page.isUp = isUp;
  byId("state").dataset.up = `${isUp}`;
  byId("state").lastElementChild.textContent = isUp ? "serving" : "not serving";
}

async function readModel() {
  const model = await ask("model");
  page.model = model.name;
  byId("summary").textContent =
    `${model.name} ${model.version} · ${model.dimension} numbers a sentence · on ${model.device}`;
  document.title = `bothends: ${model.name} ${model.version}`;
  const described = Object.entries(facts(model)).map(([name, value]) =>
    html("div", {}, html("dt", {}, name), html("dd", {}, value)),
  );
  byId("facts").replaceChildren(...described);
  byId("card-lead").replaceChildren(...lead(model.card));
  byId("card-text").replaceChildren(...whole(model.card));
  show(byId("card"));
}

async function embed() {
  const sentences = byId("sentences")
    .value.split("\n")
    .map((line) => line.trim())
    .filter(Boolean);
  if (!sentences.length) return tell("There is no sentence. Type one a line.");
  if (sentences.length > MOST_SENTENCES)
    return tell(`This page compares ${MOST_SENTENCES} sentences at most; there are ${sentences.length}.`);
  const asked = ++page.asked;
  return attempt(async () => {
    if (!page.model) await readModel(); // whoever is quick, or had no key at first
    const started = performance.now();
    const vectors = (
      await send("v1/embeddings", { input: sentences, model: page.model, truncation: "start" })
    ).data.map((one) => one.embedding);
    if (asked !== page.asked) return;
    byId("took").textContent = `${sentences.length} in ${(performance.now() - started).toFixed(0)} ms, there and back`;
    page.sentences = sentences;
    page.heat = heatMap(sentences, vectors, {
      choose,
      tell: (pair) => {
        byId("pair").textContent = pair;
      },
    });
    byId("heat").replaceChildren(page.heat);
    byId("heat").parentElement.classList.toggle("wide", sentences.length >= WIDE_SENTENCES);
    byId("pair").textContent = "";
    await explain(0);
  }, embed);
}

const choose = (index) =>
  attempt(
    () => explain(index),
    () => choose(index),
  );

async function explain(index) {
  const sentence = page.sentences[index];
  const found = await send("explain", { sentence });
  if (page.sentences[index] !== sentence) return;
  page.explanation = found;
  mark(page.heat, index);
  byId("chosen").replaceChildren(html("q", {}, sentence));
  byId("answer").replaceChildren(...answer(found));
  byId("scale-text").textContent =
    `a state's numbers, from minus to plus (${found.numbers.shown} of ${found.numbers.of})`;
  byId("far").replaceChildren(candidates(found.candidates));
  byId("steps").lastElementChild.replaceChildren(steps(found));
  for (const id of ["legend", "far-title", "steps"]) show(byId(id));
  draw();
}

function draw() {
  if (page.explanation) byId("ends").replaceChildren(picture(page.explanation, byId("ends").clientWidth));
}

async function watch() {
  try {
    if (!document.hidden) await look();
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    say(false);
    if (error.status === 0) tell(error.message);
  }
  setTimeout(watch, EVERY_MS);
}

async function look() {
  const wasDown = page.isUp === false;
  say(await isServing());
  if (wasDown && page.isUp) await begin();
}

// As the numbers tell; where they aren't to be had, as /readyz does.
async function isServing() {
  try {
    const reading = await ask("live");
    live.add(reading);
    byId("live-note").textContent = "Of the last five seconds; latency is estimated from its histogram's buckets.";
    return reading.is_serving;
  } catch (error) {
    if (!(error instanceof Failure) || ![401, 404].includes(error.status)) throw error;
    byId("live-note").textContent =
      error.status === 404 ? "This server's numbers are switched off (--metrics off)." : error.message;
    return (await ask("readyz")).status === "serving";
  }
}

// Anew where the server came back or a key was given: what failed is tried again.
async function begin() {
  const again = page.retry;
  await attempt(readModel, begin);
  if (again && again !== begin) await again();
}

byId("try").addEventListener("submit", (event) => {
  event.preventDefault();
  embed();
});
byId("key-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  key.set(byId("key").value.trim());
  await attempt(readModel, begin);
  if (!byId("problem").hidden) return;
  show(byId("key-form"), false);
  await embed();
});
new ResizeObserver(draw).observe(byId("ends"));

await attempt(readModel, begin);
if (byId("problem").hidden) await embed();
watch();
