// What the theme leaves out: names for the arrows of the sidebar, and the keyboard for what scrolls: tables, code, formulas.

for (const arrow of document.querySelectorAll("nav details > summary:not([aria-label])")) {
  const link = arrow.closest("li")?.querySelector("a");
  arrow.setAttribute("aria-label", `Pages of ${link?.textContent.trim() ?? "this part"}`);
}

function reach() {
  for (const one of document.querySelectorAll(".bd-article :is(table, pre, .math, mjx-container)")) {
    if (one.scrollWidth > one.clientWidth) one.tabIndex = 0;
    else one.removeAttribute("tabindex");
  }
}
addEventListener("resize", reach); // a lesson that unfolds a part sends one, too
addEventListener("load", () => globalThis.MathJax?.startup?.promise?.then(reach));
reach();
