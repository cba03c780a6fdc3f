// What the page does: reads the model, embeds sentences, explains the chosen one, and asks every second how it goes.

import { keep, kept } from "./address.js";
import { Failure, ask, key, latestMs, send } from "./api.js";
import { facts, lead, whole } from "./card.js";
import { Code } from "./code.js";
import { copyButton } from "./copying.js";
import { byId, html, plural, show } from "./dom.js";
import { Shown } from "./explanation.js";
import { heatMap, mark, remark } from "./heat.js";
import { Live } from "./live.js";
import { languages, reading, remarks, worth } from "./reading.js";

const EVERY_MS = 1000;
const MAX_SENTENCES = 24; // of those in the box, from the first: more would be no picture
const WIDE_SENTENCES = 10; // whose heat map needs all of the page's width
const TO_TRY_AGAIN = [0, 401, 503];

const live = new Live(byId("live"));
const code = new Code(byId("ways"));
const shown = new Shown();
const page = { model: null, sentences: [], vectors: [], chosen: 0, heat: null, isUp: null, asked: 0, retry: null };

// Acts; where it fails says so at `place`, and remembers `again` for when the server is back. Returns what failed.
async function attempt(act, again, place = "problem") {
  try {
    await act();
    tell("", place);
    page.retry = null;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    if (error.status === 401) show(byId("key-form"));
    if (error.status === 0) say(false);
    page.retry = TO_TRY_AGAIN.includes(error.status) ? again : null;
    tell(error.message, place);
    return error;
  }
}

function tell(problem, place = "problem") {
  byId(place).textContent = problem;
  show(byId(place), problem !== "");
}

function say(isUp) {
  if (page.isUp === isUp) return;
  page.isUp = isUp;
  byId("state").dataset.up = `${isUp}`;
  byId("state").lastElementChild.textContent = isUp ? "serving" : "not serving";
}

async function readModel() {
  const model = await ask("model");
  page.model = model;
  byId("summary").textContent =
    `${model.name} ${model.version} · ${model.dimension} numbers a sentence · on ${model.device}`;
  byId("reads").textContent = model.languages.length ? ` The model reads ${languages(model.languages)}.` : "";
  document.title = `bothends: ${model.name} ${model.version}`;
  const described = Object.entries(facts(model)).map(([name, value]) =>
    html("div", {}, html("dt", {}, name), html("dd", {}, value)),
  );
  byId("facts").replaceChildren(...described);
  byId("card-lead").replaceChildren(...lead(model.card));
  byId("card-text").replaceChildren(...whole(model.card));
  show(byId("card"));
  const documents = model.documentation && html("a", { href: model.documentation, rel: "noreferrer" }, "Documentation");
  if (documents) byId("documents").replaceChildren(documents);
}

function typed() {
  return byId("sentences")
    .value.split("\n")
    .map((line) => line.trim())
    .filter(Boolean);
}

// Embeds the first of the sentences in the box. Returns what failed.
async function embed() {
  const all = typed();
  const sentences = all.slice(0, MAX_SENTENCES);
  const asked = ++page.asked;
  const failure = await attempt(async () => {
    if (!sentences.length) throw new Failure(400, "There is no sentence. Type one a line.");
    if (!page.model) await readModel(); // whoever is quick, or had no key at first
    const answer = await send("v1/embeddings", { input: sentences, model: page.model.name, truncation: "start" });
    if (asked !== page.asked) return;
    Object.assign(page, { sentences, vectors: answer.data.map((one) => one.embedding) });
    compare();
    tell(leftOut(all.length), "left-out");
    byId("took").textContent = `${sentences.length} in ${latestMs("v1/embeddings")?.toFixed(0)} ms, there and back`;
    const counts = (await send("tokens", { sentences })).sentences;
    if (asked === page.asked) tellOf(counts);
  }, embed);
  if (asked !== page.asked) return;
  const isNew = page.sentences === sentences;
  stale(!isNew && page.heat !== null);
  if (!failure) return choose(0);
  byId("took").textContent = "";
  if (isNew) shown.clear();
  return failure;
}

// Says that only the first of so many sentences are shown; nothing where all are.
function leftOut(count) {
  if (count <= MAX_SENTENCES) return "";
  return `The first ${MAX_SENTENCES} of ${plural(count, "sentence")} are shown. For more: bothends embed --input FILE.`;
}

// Fades what isn't of the sentences in the box, and says so.
function stale(isStale) {
  show(byId("stale"), isStale);
  document.querySelector("main").classList.toggle("stale", isStale);
}

function compare() {
  const { table, key: legend } = heatMap(page.sentences, page.vectors, {
    choose,
    tell: (pair) => byId("pair").replaceChildren(...pair),
  });
  page.heat = table;
  byId("heat").replaceChildren(table);
  byId("heat-key").replaceChildren(legend);
  byId("heat").parentElement.classList.toggle("wide", page.sentences.length >= WIDE_SENTENCES);
  byId("pair").textContent = "";
  show(byId("links"));
}

function tellOf(counts) {
  const read = reading(page.sentences, counts, page.model.languages);
  remark(page.heat, read.map(remarks));
  tell(worth(read, page.model.languages), "worth");
  const isCut = counts.some(({ truncated }) => truncated);
  code.show(page.sentences, page.model, { withKey: key.get() !== "", isCut });
  show(byId("code"));
}

async function choose(index) {
  page.chosen = index;
  const sentence = page.sentences[index];
  const isWanted = () => page.chosen === index && page.sentences[index] === sentence;
  mark(page.heat, index);
  byId("links").firstElementChild.textContent = `Copy vector ${index + 1}`;
  shown.wait();
  const failure = await attempt(
    async () => {
      const found = await send("explain", { sentence });
      if (isWanted()) shown.show(found, sentence);
    },
    () => choose(index),
    "ends-problem",
  );
  if (failure && isWanted()) shown.clear();
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
    show(byId("metrics"), error.status !== 404);
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

// Fills the box with what the address holds, if anything, and embeds what is in it.
async function open() {
  const sentences = kept();
  if (sentences.length) byId("sentences").value = sentences.join("\n");
  await embed();
}

byId("try").addEventListener("submit", async (event) => {
  event.preventDefault();
  const fits = keep(typed());
  const failure = await embed();
  if (!fits && !failure) byId("took").textContent += "; too long for a link";
});
byId("sentences").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) byId("try").requestSubmit();
});
byId("sentences").addEventListener("input", () => {
  if (typed().slice(0, MAX_SENTENCES).join("\n") !== page.sentences.join("\n"))
    byId("took").textContent = "not embedded yet";
});
if (navigator.userAgent.includes("Mac")) document.querySelector(".keys kbd").textContent = "⌘";
byId("key-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  key.set(byId("key").value.trim());
  if (await attempt(readModel, begin)) return;
  show(byId("key-form"), false);
  await embed();
});
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // its address would take the place of the sentences'
  byId("sentences").focus();
});
window.addEventListener("hashchange", open);
byId("links").append(
  ...copyButton("Copy vector", () => [
    JSON.stringify(page.vectors[page.chosen]),
    `${plural(page.vectors[page.chosen].length, "number")} of sentence ${page.chosen + 1}, of unit length`,
  ]),
  ...copyButton("Copy link", () => {
    keep(page.sentences);
    return [location.href, "the page with these sentences"];
  }),
);

if (!(await attempt(readModel, begin))) await open();
watch();
