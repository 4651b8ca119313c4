// What the theme leaves out: names for the arrows of the sidebar, and the keyboard for tables that scroll.

for (const arrow of document.querySelectorAll("nav details > summary:not([aria-label])")) {
  const link = arrow.closest("li")?.querySelector("a");
  arrow.setAttribute("aria-label", `Pages of ${link?.textContent.trim() ?? "this part"}`);
}

function reachTables() {
  for (const table of document.querySelectorAll(".bd-article table")) {
    if (table.scrollWidth > table.clientWidth) table.tabIndex = 0;
    else table.removeAttribute("tabindex");
  }
}
addEventListener("resize", reachTables);
reachTables();
