// Requests to the server that the page came from, with the caller's key, and failures in plain words.

const KEY = "bothends-key";
const PATIENCE_MS = 30000;

export const key = {
  get: () => sessionStorage.getItem(KEY) ?? "",
  set: (value) => (value ? sessionStorage.setItem(KEY, value) : sessionStorage.removeItem(KEY)),
};

export class Failure extends Error {
  constructor(status, message) {
    super(message);
    this.status = status; // 0 where no server answered
  }
}

export const ask = (path) => call(path, {});

export function send(path, body) {
  return call(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
}

// Milliseconds that the latest request to `path` took on its way and at the server, without what kept this page busy.
export function latestMs(path) {
  const url = new URL(path, document.baseURI).href;
  const requests = performance.getEntriesByType("resource").filter(({ name }) => name === url);
  performance.clearResourceTimings(); // a browser keeps the first 250 and no later ones
  return requests.at(-1)?.duration;
}

async function call(path, options) {
  const headers = { ...options.headers };
  if (key.get()) headers.Authorization = `Bearer ${key.get()}`;
  let response, content;
  try {
    response = await fetch(path, { ...options, headers, cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
    content = await response.json().catch(() => null); // a proxy's page is no JSON
  } catch {
    throw new Failure(0, "The server can't be reached. This page asks again every second and goes on by itself.");
  }
  if (response.ok && content !== null) return content;
  throw new Failure(response.status, words(response, content));
}

function words(response, content) {
  const said = content?.error?.message ?? (typeof content?.error === "string" ? content.error : "");
  const wait = Math.ceil(Number(response.headers.get("Retry-After")));
  const soon = wait > 0 ? `Try again in ${wait} s.` : "Try again soon.";
  switch (response.status) {
    case 401:
      return key.get() ? "The server doesn't know this API key." : "This server asks for an API key. Enter one above.";
    case 429:
      return `The server has as much to do as it takes, or this key has had its share. ${soon}`;
    case 503:
      return `The server isn't serving just now: it is stopping, or loads its model anew. ${soon}`;
    case 504:
      return "The answer took too long. Try again, or with less.";
    default:
      return said ? `${said[0].toUpperCase()}${said.slice(1)}.` : `The server answered with ${response.status}.`;
  }
}
