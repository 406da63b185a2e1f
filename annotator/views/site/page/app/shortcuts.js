/* Whether a single letter or sign does something. Who speaks to a browser, or hits keys by mistake,
   can switch that off (WCAG 2.1.4). */
"use strict";

annotator.shortcuts = (() => {
  const NAME = "shortcuts";
  const on = () => annotator.storage.read(NAME) !== "off";
  const set = (wanted) => annotator.storage.write(NAME, wanted ? "on" : "off");
  return Object.freeze({ on, set });
})();
