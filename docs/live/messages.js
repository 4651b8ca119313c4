// What is being loaded, what has gone wrong, and what to do about it.

import { at } from "./dom.js";

const NEEDS = "This page is a program that needs WebAssembly, which this browser does not have or has " +
  "switched off. A recent Firefox, Chrome, Edge or Safari has it.";

export function showMessages(session) {
  const show = (text, retry = "") => {
    at("message").hidden = false;
    at("message-text").textContent = text;
    at("message-again").hidden = !retry;
    at("message-again").textContent = retry;
    at("message-close").hidden = Boolean(retry);
  };
  const hush = () => (at("message").hidden = true);

  session.on("loading", ({ loading, done, of }) => {
    at("loading").hidden = false;
    at("progress").value = (done + 0.5) / of;
    at("loading-what").textContent = `Loading ${loading} (${done + 1} of ${of})`;
  });
  session.on("about", () => {
    at("loading").hidden = true;
    at("version").textContent = session.about.version;
  });
  session.on("failed", ({ what, why, loading }) => {
    at("loading").hidden = true;
    if (why.includes("WebAssembly is missing")) return show(NEEDS);
    if (loading) show(why.includes("could not be loaded") ? plain(why) : `Loading stopped at ${what}: ${plain(why)}`, "Try again");
    else show(`The engine has stopped (${what}: ${plain(why)}). What was trained can be repeated.`, "Restart");
  });
  session.on("note", (text) => show(text));
  session.on("state", hush);
  at("message-close").addEventListener("click", hush);
  at("message-again").addEventListener("click", () => {
    hush();
    at("loading").hidden = false;
    session.resume();
  });
}

const plain = (why) => (/[.!?]$/.test(why) ? why : `${why}.`);
