/* What the page's scripts find beside them: the vendored libraries, and what its data calls. */
declare var m: typeof import("mithril");
declare var d3: typeof import("d3");
declare var Plot: typeof import("@observablehq/plot");

interface Window {
  annotatorData: (name: string, value: unknown) => void;
}
