/* The keyboard: never while something is typed, and letters alone only while they are wanted. */
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
  const ALONE = ["/", "k", "j", "m", "?"]; // what can be switched off
  /** @type {HTMLDialogElement} */
  let dialog;

  function spelled(key) {
    if (key === "or") return " or ";
    if (annotator.shortcuts.on() || !ALONE.includes(key)) return [m("kbd", key), " "];
    return [m("kbd.off", key, m("span.hidden", " (off)")), " "];
  }

  const COLUMNS = [
    { cell: ([keys]) => keys.split(" ").map(spelled) },
    { cell: ([, what]) => what },
  ];
  const list = () => [
    annotator.parts.table(COLUMNS, LIST, { kind: "keys" }),
    annotator.parts.tick(`single letters and signs are keys: ${ALONE.join(" ")}`, {
      checked: annotator.shortcuts.on(),
      "data-testid": "shortcuts",
      onchange: (event) => annotator.shortcuts.set(event.target.checked),
    }),
  ];

  const Dialog = {
    oncreate(vnode) {
      dialog = vnode.dom;
    },
    view: () =>
      m(
        "dialog.keys",
        { "aria-labelledby": "keys-title" },
        m("h2", { id: "keys-title" }, "Keys"),
        list(),
        m(
          "form",
          { method: "dialog" },
          m(
            "button",
            {
              autofocus: true,
              onclick: (event) => {
                event.preventDefault();
                dialog.close();
              },
            },
            "Close",
          ),
        ),
      ),
  };

  function show() {
    if (!dialog.open) dialog.showModal();
  }

  function toMap() {
    window.location.hash = annotator.state.back();
  }

  /** To the search, which may be on another page. */
  function search() {
    annotator.filters.focusSearch();
    if (m.route.get().split("?")[0] !== "/") toMap();
  }

  /** To a head's neighbour; false where there is none. */
  function turn(by) {
    const index = annotator.catalog.index(m.route.get().slice(1).split("?")[0]);
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
      "/": search,
      "?": show,
      m: toMap,
      j: () => turn(1),
      k: () => turn(-1),
      ArrowRight: () => !sideways && turn(1),
      ArrowLeft: () => !sideways && turn(-1),
    };
    if (!Object.hasOwn(actions, event.key)) return;
    if (ALONE.includes(event.key) && !annotator.shortcuts.on()) return;
    if (actions[event.key]() !== false) event.preventDefault();
  }

  document.addEventListener("keydown", pressed);
  return Object.freeze({ Dialog, show, list });
})();
