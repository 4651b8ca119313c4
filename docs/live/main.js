// The Flow Bench: what listens to what. Open session.js for what goes on, tasks.js for what is asked.

import { showBars } from "./bars.js";
import { showCell } from "./cell.js";
import { showControls } from "./controls.js";
import { DensityPicture } from "./density.js";
import { at } from "./dom.js";
import { showGauge } from "./gauge.js";
import { showGrids } from "./grids.js";
import { Ink } from "./ink.js";
import { showJacobian } from "./jacobian.js";
import { showLink } from "./link.js";
import { showMasks } from "./masks.js";
import { showMessages } from "./messages.js";
import { FEWEST, Painting } from "./paint.js";
import { followPage } from "./part.js";
import { bars, followTasks, isDrawn, isOpen } from "./prediction.js";
import { Session } from "./session.js";
import { showTable } from "./table.js";
import { showTasks } from "./tasks.js";
import { isDark, setTheme } from "./theme.js";

const session = new Session();
const ink = new Ink(session, () => picture.sheet.redraw());
const painting = new Painting(session, { changed: () => chooseTool() });
const picture = new DensityPicture(session, ink);

followTasks(session);
showTasks(session, ink);
showMessages(session);
showControls(session, trainOrPause);
showGrids(session);
showGauge(session);
showBars(session);
showJacobian(session);
showMasks(session);
showTable(session);
showCell(session);
showLink(session);
followPage(session);

// ------------------------------------------------------------ training, as the task wants it

async function trainOrPause() {
  if (session.run) return session.pause();
  if (painting.open) await painting.use();
  if (bars(session) || !session.built) return;
  // A task pauses by itself where its answer can be seen; after that nothing holds it.
  const { steps } = session.prediction;
  session.train(session.state.task && session.step < steps ? steps : Infinity);
}

// ------------------------------------------------------------ what the data picture is for now

function chooseTool() {
  if (!session.state) return;
  const drawing = isDrawn(session.prediction) && isOpen(session.prediction) && session.built;
  if (painting.open) picture.use(painting.tool);
  else picture.use(drawing ? ink.tool : null);
  if (painting.open && painting.count >= FEWEST) at("train").disabled = bars(session);
  at("tools-draw").hidden = painting.open || !drawing;
  at("tools-paint").hidden = session.state.data !== "painted" || !at("tools-draw").hidden;
  at("tools-table").hidden = session.state.data !== "table" || !at("tools-draw").hidden;
  at("tools-show").hidden = !session.built?.known || !at("tools-draw").hidden;
}

session.on("prediction built state", chooseTool);
session.on("state", ({ before, opened }) => {
  if (opened && before?.task !== session.state.task) ink.show(session.prediction.ink);
});

// ------------------------------------------------------------ the theme

session.on("state", ({ before }) => {
  if (!before || before.theme !== session.state.theme) setTheme(session.state.theme);
});
at("theme").addEventListener("click", () => {
  const theme = isDark() ? "light" : "dark";
  if (session.state) session.change({ theme });
  else setTheme(theme);
});

// ------------------------------------------------------------ the beginning

window.addEventListener("hashchange", () => session.about && session.openLink());
let readyAfter = null;
session.on("paused", () => (readyAfter ??= performance.now()));
window.flowBench = Object.freeze({
  get state() { return session.state; },
  get engine() { return session.engine; },
  get lastLook() { return session.look; },
  get prediction() { return session.prediction; },
  get readyAfter() { return readyAfter; }, // milliseconds from navigation
  placeOnScreen(x, y) { // of a point of the data, for tests that draw by hand
    const rect = at("density").getBoundingClientRect();
    return [rect.x + picture.sheet.x(x), rect.y + picture.sheet.y(y)];
  },
});

session.resume();
