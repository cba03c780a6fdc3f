// Embeddings by Node's fetch and by OpenAI's package for it: `node http_fetch.js URL`; sentences as JSON on stdin. Prints JSON.
"use strict";
const fs = require("node:fs");
const zlib = require("node:zlib");
const OpenAI = require("openai");

const [url] = process.argv.slice(2);
const { sentences } = JSON.parse(fs.readFileSync(0));
const body = JSON.stringify({ model: "english", input: sentences });
const json = { "content-type": "application/json" };

async function post(content, headers = json, options = {}) {
  const answer = await fetch(`${url}/embeddings`, { method: "POST", body: content, headers, ...options });
  return rows(await answer.json());
}

const rows = ({ data }) => data.map(({ embedding }) => embedding);

/** A body of unknown length, which is sent in chunks. */
function streamed() {
  return new ReadableStream({
    start(controller) {
      for (let at = 0; at < body.length; at += 50) controller.enqueue(new TextEncoder().encode(body.slice(at, at + 50)));
      controller.close();
    },
  });
}

async function refusal(client) {
  try {
    await client.embeddings.create({ model: "english", input: ["a", ""] });
  } catch (error) {
    return { status: error.status, param: error.param, class: error.constructor.name };
  }
}

async function main() {
  const client = new OpenAI({ baseURL: url, apiKey: "any", maxRetries: 0 });
  const one = (input) => client.embeddings.create({ model: "english", input });
  const found = {
    fetch: {
      plain: await post(body),
      compressed: await post(zlib.gzipSync(body), { ...json, "content-encoding": "gzip" }),
      "in chunks": await post(streamed(), json, { duplex: "half" }),
      "at once": (await Promise.all(sentences.map((input) => post(JSON.stringify({ model: "english", input }))))).flat(),
    },
    "openai for Node": {
      plain: rows(await client.embeddings.create({ model: "english", input: sentences })),
      float: rows(await client.embeddings.create({ model: "english", input: sentences, encoding_format: "float" })),
      "at once": (await Promise.all(sentences.map(one))).flatMap(rows),
    },
    refusal: await refusal(client),
  };
  process.stdout.write(JSON.stringify(found), () => process.exit());
}

main();
