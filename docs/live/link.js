// Copy link: the page as it is now, for somebody else.

import { at } from "./dom.js";
import { tidy } from "./numbers.js";
import { format } from "./state.js";

export function showLink(session) {
  const button = at("copy-link");
  button.addEventListener("click", async () => {
    if (!session.state) return;
    const link = location.href.split("#")[0] + format(session.state, session.about);
    try {
      await navigator.clipboard.writeText(link);
      at("link-field").hidden = true;
      if (session.state.data === "table") {
        session.emit("note", "The link is copied. Your table is not in it: who opens it has to drop the same file.");
      }
      button.textContent = "Copied";
      setTimeout(() => (button.textContent = "Copy link"), 1500);
    } catch {
      // Without the right to the clipboard, the link is shown, ready to be copied.
      at("link-field").hidden = false;
      at("link").value = link;
      at("link").select();
    }
  });
  // What is heard: where it stands, at pauses only.
  session.on("paused", () => {
    if (!session.step || session.prediction.phase === "asking") return;
    const { look } = session;
    const what = !Number.isFinite(look.kl) ? `held-out NLL ${tidy(look.nll)}` : `KL ${tidy(look.kl)}`;
    at("said").textContent = `Step ${session.step}. ${what} nats.`;
  });
}
