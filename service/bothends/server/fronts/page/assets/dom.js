// Elements from a tag, attributes and children. Text is always text: nothing here reads HTML.

const SVG = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

export function html(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

export function show(element, visible = true) {
  element.hidden = !visible;
}

export function cosine(value) {
  return value.toFixed(2).replace("-0.00", "0.00").replace("-", "−");
}

// Text of a person's, whose direction is its own and not that of the words around it.
export const foreign = (text) => html("bdi", {}, text);

// The same where there can be no element.
export const isolated = (text) => `\u2068${text}\u2069`;

// At most so many characters, none of them cut in the middle.
export function short(text, most) {
  const characters = [...text.slice(0, 2 * most + 2)];
  return characters.length > most ? `${characters.slice(0, most - 1).join("")}…` : text;
}

export function plural(count, what) {
  return `${count.toLocaleString("en")} ${what}${count === 1 ? "" : "s"}`;
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}
