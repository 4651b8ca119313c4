// Elements in one line each.

/** el("p", { class: "small" }, "text", child): properties that start with "on" are listeners. */
export function el(tag, given = {}, ...children) {
  return filled(document.createElement(tag), given, children);
}

export function svg(tag, given = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", tag), given, children);
}

function filled(element, given, children) {
  for (const [name, value] of Object.entries(given)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export const at = (id) => document.getElementById(id);

/** Set the options of a select; what is chosen is one of them, or becomes one. */
export function setOptions(select, options, chosen) {
  const known = options.map(([value]) => String(value));
  if (chosen !== undefined && !known.includes(String(chosen))) options = [...options, [chosen, String(chosen)]];
  select.replaceChildren(...options.map(([value, text]) => el("option", { value }, text)));
  if (chosen !== undefined) select.value = String(chosen);
}

/** A cover over what would give a prediction away. */
export function cover(panel, on) {
  panel.classList.toggle("covered", on);
  panel.querySelector(":scope > .cover")?.remove();
  if (on) panel.append(el("p", { class: "cover" }, "Covered until you have predicted."));
}
