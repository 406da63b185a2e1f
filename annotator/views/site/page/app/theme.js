/* Light or dark: what the system says, until somebody says otherwise here.
   Read before anything is drawn, so that nothing flashes. */
"use strict";

annotator.theme = (() => {
  const NAME = "theme";
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;
  let dark = system.matches; // kept: to ask again lays the whole page out
  const redraw = () => window.m && m.redraw();

  /** "light" or "dark", as it is shown now. */
  const now = () => root.dataset.theme || (dark ? "dark" : "light");

  function toggle() {
    root.dataset.theme = now() === "dark" ? "light" : "dark";
    annotator.storage.write(NAME, root.dataset.theme);
    redraw();
  }

  const chosen = annotator.storage.read(NAME);
  if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;
  system.addEventListener("change", () => {
    dark = system.matches;
    redraw();
  });
  return Object.freeze({ now, toggle });
})();
