// Sentences to the code that embeds them: for a shell, for the client, and for OpenAI's package.

import { copyButton } from "./copying.js";
import { html } from "./dom.js";

const KEY = "BOTHENDS_API_KEY"; // the environment's: the key itself is shown nowhere

// Of each way its name, and the text that makes the code: JSON's strings are Python's, too.
const WAYS = {
  curl: ({ sentences, model, base, withKey, isCut }) => {
    const body = JSON.stringify({ model, input: sentences, ...(isCut && { truncation: "start" }) }, null, 2);
    const authorization = withKey ? ` \\\n  -H "Authorization: Bearer $${KEY}"` : "";
    return (
      `curl ${base}v1/embeddings -H 'Content-Type: application/json'${authorization} ` +
      `-d '${body.replaceAll("'", String.raw`'\''`)}'\n`
    );
  },
  Python: ({ sentences, target, isSecure, withKey }) =>
    `${withKey ? "import os\n\n" : ""}from bothends import Client\n\nsentences = ${list(sentences)}\n` +
    `with Client(${[JSON.stringify(target), isSecure && "tls=True", withKey && `api_key=${fromEnvironment}`]
      .filter(Boolean)
      .join(", ")}) as client:\n` +
    "    vectors = client.encode(sentences, normalize=True)\nprint(vectors @ vectors.T)\n",
  openai: ({ sentences, model, base, withKey, isCut }) =>
    `${withKey ? "import os\n\n" : ""}from openai import OpenAI\n\nsentences = ${list(sentences)}\n` +
    `client = OpenAI(base_url=${JSON.stringify(`${base}v1`)}, api_key=${withKey ? fromEnvironment : '"any"'})\n` +
    `answer = client.embeddings.create(model=${JSON.stringify(model)}, input=sentences` +
    `${isCut ? ', extra_body={"truncation": "start"}' : ""})\n` +
    "vectors = [one.embedding for one in answer.data]\n",
};
const fromEnvironment = `os.environ["${KEY}"]`;
const list = (sentences) => `[\n${sentences.map((sentence) => `    ${JSON.stringify(sentence)},\n`).join("")}]`;

export class Code {
  constructor(place) {
    this.text = html("code");
    this.way = "curl";
    this.buttons = Object.keys(WAYS).map((way) => {
      const button = html("button", { type: "button", class: "small", "aria-pressed": "false" }, way);
      button.addEventListener("click", () => this.choose(way));
      return button;
    });
    this.port = html("p", { class: "hint" });
    place.replaceChildren(
      html(
        "div",
        { class: "row" },
        html("span", { class: "ways", role: "group", "aria-label": "Language" }, ...this.buttons),
        ...copyButton("Copy code", () => [this.text.textContent, `for ${this.way}`]),
      ),
      html("pre", { tabindex: "0" }, this.text),
      this.port,
    );
  }

  // Shows code for `sentences`; `model` is what the server says of what it serves.
  show(sentences, model, { withKey, isCut }) {
    const base = new URL("./", location.href);
    const target = `${base.hostname}:${model.grpc_port}`;
    this.facts = { sentences, model: model.name, base: base.origin + base.pathname, target, withKey, isCut };
    this.facts.isSecure = base.protocol === "https:";
    this.port.textContent =
      `Python speaks gRPC, to port ${model.grpc_port} of the server itself; ` +
      "where a gateway stands before it, ask for the gateway's.";
    this.choose(this.way);
  }

  choose(way) {
    this.way = way;
    this.text.textContent = WAYS[way](this.facts);
    this.buttons.forEach((button) => button.setAttribute("aria-pressed", `${button.textContent === way}`));
    this.port.hidden = way !== "Python";
  }
}
