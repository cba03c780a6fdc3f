// A button that copies what a function returns, and the line beside it that says so.

import { html } from "./dom.js";

// `of` returns the text and what it is, for people: ["[0.1, 0.2]", "2 numbers"].
export function copyButton(name, of) {
  const button = html("button", { type: "button", class: "small" }, name);
  const said = html("span", { role: "status" });
  button.addEventListener("click", async () => {
    const [text, what] = of();
    said.textContent = (await copied(text)) ? `Copied: ${what}.` : "The browser doesn't let this page copy.";
    button.focus();
  });
  return [button, said];
}

async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copiedTheOldWay(text); // a page that came without TLS from another machine has no clipboard
  }
}

function copiedTheOldWay(text) {
  const area = html("textarea", { class: "unseen", readonly: "", "aria-hidden": "true" });
  area.value = text;
  document.body.append(area);
  area.select();
  const isCopied = document.execCommand("copy");
  area.remove();
  return isCopied;
}
