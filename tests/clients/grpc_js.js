// Calls of a server with grpc-js, as its users write it: `node grpc_js.js HOST:PORT METRICS_URL FOLDER_OF_PROTOS...`
//
// Sentences, and some whose embedding takes seconds, come as JSON. Prints what it saw as JSON, rows as hexadecimal.
"use strict";
const fs = require("node:fs");
const grpc = require("@grpc/grpc-js");
const health = require("grpc-health-check");
const { loadSync } = require("@grpc/proto-loader");

const [target, metrics, ...includeDirs] = process.argv.slice(2);
const { sentences, endless } = JSON.parse(fs.readFileSync(0));
const contract = loadSync("bothends/v1/embedding.proto", { includeDirs, keepCase: true, defaults: true });
const { EmbeddingService } = grpc.loadPackageDefinition(contract).bothends.v1;
const Health = grpc.makeGenericClientConstructor(health.service, "Health");
const insecure = grpc.credentials.createInsecure();

const hex = (embedding) => Buffer.from(Float32Array.from(embedding.values).buffer).toString("hex");
const rows = ({ embeddings }) => embeddings.map(hex);
const inSeconds = (seconds) => ({ deadline: Date.now() + 1000 * seconds });

function refusal(error) {
  const [details] = error.metadata.get("grpc-status-details-bin");
  return { code: grpc.status[error.code], text: error.details, details: details?.toString("base64") };
}

/** Makes a call of Embed; its answer is a list of rows, or a refusal. */
function embed(client, asked, options = inSeconds(60)) {
  return new Promise((resolve) => {
    client.Embed({ sentences: asked }, options, (error, response) => resolve(error ? refusal(error) : rows(response)));
  });
}

function stream(client) {
  return new Promise((resolve, reject) => {
    const found = [];
    const call = client.EmbedStream(inSeconds(60));
    call.on("data", ({ items }) => found.push(...items.map((item) => hex(item.embedding))));
    call.on("error", reject);
    call.on("end", () => resolve(found));
    for (const sentence of sentences) call.write({ sentences: [sentence] });
    call.end();
  });
}

async function isWaiting() {
  const page = await (await fetch(metrics)).text();
  return !/^bothends_queue_sentences 0(\.0)?$/m.test(page);
}

/** Cancels a call once it waits in the server's queue, alone. */
async function cancelled(client) {
  while (await isWaiting());
  return new Promise((resolve) => {
    const call = client.Embed({ sentences: endless }, inSeconds(60), (error) => resolve(error && refusal(error)));
    const look = async () => ((await isWaiting()) ? call.cancel() : setTimeout(look, 5));
    look();
  });
}

function healthOf(service) {
  return new Promise((resolve, reject) => {
    const client = new Health(target, insecure);
    client.check({ service }, inSeconds(60), (error, checked) => {
      const watch = client.watch({ service }, inSeconds(60));
      watch.on("data", (watched) => (watch.cancel(), resolve([checked?.status, watched.status])));
      watch.on("error", () => reject(error));
    });
  });
}

async function main() {
  const client = new EmbeddingService(target, insecure);
  const gzip = { "grpc.default_compression_algorithm": grpc.compressionAlgorithms.gzip };
  const found = {
    unary: await embed(client, sentences),
    gzip: await embed(new EmbeddingService(target, insecure, gzip), sentences),
    stream: await stream(client),
    concurrent: (await Promise.all(sentences.slice(0, 200).map((one) => embed(client, [one])))).flat(),
    wrong: await embed(client, ["a", " "]),
    late: await embed(client, endless, inSeconds(0.05)),
    cancelled: await cancelled(client),
    health: await healthOf("bothends.v1.EmbeddingService"),
  };
  process.stdout.write(JSON.stringify(found), () => process.exit());
}

main();
