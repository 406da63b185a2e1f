/* The keyboard: one letter each, never while something is typed. */
"use strict";

annotator.keys = (() => {
  const LIST = [
    ["/", "search"],
    ["← → ↑ ↓", "on the map: walk from head to head"],
    ["Home End", "on the map: to the ends of a layer; with Ctrl, of the model"],
    ["Enter", "on the map: open the head"],
    ["← → or k j", "on a head's page: the previous head, the next"],
    ["m", "to the map"],
    ["?", "these keys"],
    ["Esc", "close"],
  ];
  let dialog = null;

  const spelled = (key) => (key === "or" ? " or " : [m("kbd", key), " "]);
  const COLUMNS = [
    { cell: ([keys]) => keys.split(" ").map(spelled) },
    { cell: ([, what]) => what },
  ];
  const table = () => annotator.parts.table(COLUMNS, LIST, { kind: "keys" });

  const Dialog = {
    oncreate: ({ dom }) => (dialog = dom),
    view: () =>
      m(
        "dialog.keys",
        { "aria-labelledby": "keys-title" },
        m("h2", { id: "keys-title" }, "Keys"),
        table(),
        m(
          "form",
          { method: "dialog" },
          m(
            "button",
            { autofocus: true, onclick: (event) => (event.preventDefault(), dialog.close()) },
            "Close",
          ),
        ),
      ),
  };

  const show = () => dialog && !dialog.open && dialog.showModal();

  /** To the search, which may be on another page. */
  function search() {
    annotator.filters.focusSearch();
    if (m.route.get().split("?")[0] !== "/") window.location.hash = annotator.state.back();
  }

  function turn(by) {
    const index = annotator.model.index(m.route.get().slice(1).split("?")[0]);
    const to = index >= 0 && annotator.head.step(index, by);
    if (to) m.route.set(to);
    return Boolean(to);
  }

  function pressed(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented || dialog?.open)
      return;
    if (event.target.closest("input, select, textarea, [role=application]") && event.key !== "?")
      return;
    if (event.target.closest("input, textarea")) return;
    const scrolls = event.target.closest(".scroll");
    const sideways = scrolls && scrolls.scrollWidth > scrolls.clientWidth;
    const actions = {
      "/": () => (search(), true),
      "?": () => (show(), true),
      m: () => ((window.location.hash = annotator.state.back()), true),
      j: () => turn(1),
      k: () => turn(-1),
      ArrowRight: () => !sideways && turn(1),
      ArrowLeft: () => !sideways && turn(-1),
    };
    if (Object.hasOwn(actions, event.key) && actions[event.key]()) event.preventDefault();
  }

  document.addEventListener("keydown", pressed);
  return { Dialog, show, table };
})();
