// Sentences to the part of the page's address after #, which browsers send to no server, and back.

const MOST = 8000; // characters: longer links are cut by much that passes them on

// Those that the address holds.
export const kept = () =>
  new URLSearchParams(location.hash.slice(1))
    .getAll("s")
    .flatMap((sentence) => sentence.split("\n"))
    .filter(Boolean);

// Writes `sentences` into the address; where they don't fit, it holds none, and not those before.
export function keep(sentences) {
  const words = new URLSearchParams(sentences.map((sentence) => ["s", sentence])).toString();
  const fits = words.length <= MOST;
  history.replaceState(null, "", `${location.pathname}${location.search}${fits ? `#${words}` : ""}`);
  return fits;
}
