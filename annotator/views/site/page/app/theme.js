/* Light or dark: what the system says, until somebody says otherwise here.
   Read before anything is drawn, so that nothing flashes. */
"use strict";

window.annotator = {};

// Files that were left behind when the page was copied must not leave it silent.
window.addEventListener("load", () => {
  if (annotator.opened) return;
  document.querySelector(".opening").textContent =
    "This page is not whole: some of its files, in app/ or vendor/, could not be read.";
});

annotator.theme = (() => {
  const KEY = "annotator-theme";
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;
  let dark = system.matches; // kept: to ask again lays the whole page out
  const redraw = () => window.m && m.redraw();

  // A page opened from disk may be refused its storage; the choice then lasts as long as the page.
  function stored() {
    try {
      return window.localStorage.getItem(KEY);
    } catch {
      return null;
    }
  }

  function store(theme) {
    try {
      window.localStorage.setItem(KEY, theme);
    } catch {
      /* see above */
    }
  }

  /** "light" or "dark", as it is shown now. */
  const now = () => root.dataset.theme || (dark ? "dark" : "light");

  function toggle() {
    root.dataset.theme = now() === "dark" ? "light" : "dark";
    store(root.dataset.theme);
    redraw();
  }

  if (["light", "dark"].includes(stored())) root.dataset.theme = stored();
  system.addEventListener("change", () => ((dark = system.matches), redraw()));
  return { now, toggle };
})();
