// Inside of a lesson the Flow Bench shows a part of itself: `index.html?part=masks#task=5`. What belongs
// to a part stands in part.css.

const PARTS = ["pictures", "masks"];
const asked = new URLSearchParams(location.search).get("part");

if (PARTS.includes(asked)) document.documentElement.dataset.part = asked;

/** What a part shows depends on the task; its theme is that of the page around. */
export function followPage(session) {
  session.on("state", () => {
    document.documentElement.toggleAttribute("data-task", session.state.task > 0);
  });
  addEventListener("message", ({ origin, data }) => {
    if (origin !== location.origin || data?.theme === undefined || !session.state) return;
    session.change({ theme: data.theme === "dark" || data.theme === "light" ? data.theme : null });
  });
}
