/* The frame of every page, and which address is which page. */
"use strict";

(() => {
  const { page, problem, waiting, skip } = annotator.parts;
  // By address, which is also what a page's own file is called.
  const NAMES = {
    relations: "Relations",
    validation: "Validation",
    study: "Study",
    about: "About",
  };
  const root = /** @type {HTMLElement} */ (document.getElementById("app"));
  let place = null; // which page is shown
  let scrolled = 0; // how far down the overview was left
  let heading = false; // whether its heading is still to be focused
  /** @type {string | null} */
  let taken = null; // why the overview could not be taken; "" where it could

  const pages = () =>
    Object.keys(NAMES).filter(
      (page) => page === "about" || annotator.catalog.data.pages.includes(page),
    );

  /** The overview, once. */
  function open() {
    const file = annotator.data.want("overview");
    if (file.problem) return problem(`The catalog cannot be shown. ${file.problem}`);
    if (!file.value) return waiting("the catalog");
    if (taken === null) {
      try {
        annotator.catalog.take(file.value);
        taken = "";
      } catch (error) {
        console.error(error);
        taken = `The catalog cannot be shown: data/overview.js is not as expected (${error.message}).`;
      }
    }
    return taken ? problem(taken) : null;
  }

  function bar(here) {
    const link = (page, href, label) =>
      m("a", { href, "aria-current": here === page ? "page" : null }, label);
    const icon = (sign, title, label, attrs) =>
      m("button.icon[type=button]", { title, "aria-label": label, ...attrs }, sign);
    const dark = annotator.theme.now() === "dark";
    const toggle = { "data-testid": "theme-toggle", onclick: annotator.theme.toggle };
    return m("header.bar", [
      skip("Skip to the content", "main"),
      m(
        "a.mark",
        { href: annotator.state.href({}) },
        m("img", { src: "app/icon.svg", alt: "", width: 18, height: 18 }),
        "annotator",
      ),
      m(
        "nav",
        { "aria-label": "Pages" },
        link("", annotator.state.back(), "Map"),
        pages().map((page) => link(page, `#/${page}`, NAMES[page])),
      ),
      icon("?", "Keys", "Show the keys", { onclick: annotator.keys.show }),
      dark
        ? icon("☀", "Light", "Switch to light", toggle)
        : icon("☾", "Dark", "Switch to dark", toggle),
    ]);
  }

  function unknown(path) {
    const { name, count } = annotator.catalog;
    return page(
      "There is no such page",
      null,
      problem(
        `The link names ${path}, which is neither a page nor a head of this model; its heads are ${name(0)} to ${name(count() - 1)}.`,
      ),
      m("p", m("a", { href: "#/" }, "To the map")),
    );
  }

  function content(path) {
    if (path === "") return m(annotator.overview.Overview);
    if (pages().includes(path)) return m(annotator[path].Page);
    const index = annotator.catalog.index(path);
    return index < 0 ? unknown(path) : m(annotator.head.Head, { key: index, index });
  }

  /** A new page starts at its top, with its heading; the overview where it was left. */
  function arrive(path) {
    if (place === path) return;
    const first = place === null;
    if (place === "") scrolled = lastScroll;
    place = path;
    const index = annotator.catalog.index(path);
    if (index >= 0) annotator.overview.point(index);
    const what =
      index >= 0 ? annotator.catalog.name(index) : NAMES[path] || (path ? "No such page" : "Heads");
    document.title = `${what} · ${annotator.catalog.title()} · annotator`;
    if (first) return;
    window.scrollTo(0, path === "" ? scrolled : 0);
    heading = true;
  }

  /** Whoever came by a link hears the heading, as soon as it is there. */
  function focusHeading() {
    /** @type {HTMLElement | null} */
    const found = document.querySelector("h1[tabindex]");
    if (!heading || !found) return;
    heading = false;
    if (document.activeElement?.matches("input")) return; // it was asked for by its key
    found.focus({ preventScroll: true });
  }

  function arrived(path) {
    arrive(path);
    focusHeading();
  }

  let lastScroll = 0;
  const remember = () => {
    if (place === "") lastScroll = window.scrollY;
  };
  window.addEventListener("scroll", remember, { passive: true });

  const Frame = {
    view({ attrs: { path } }) {
      const closed = open();
      if (closed) return m("main", closed);
      const one = m(
        "main",
        { id: "main", tabindex: -1, oncreate: () => arrived(path), onupdate: () => arrived(path) },
        [content(path)],
      );
      return [
        bar(path),
        one,
        m(
          "footer",
          m("p", [
            `${annotator.catalog.data.model.id} · mapped by annotator ${annotator.catalog.data.annotator} · `,
            m("a", { href: "#/about" }, "what this is"),
          ]),
        ),
        m(annotator.keys.Dialog),
      ];
    },
  };

  const shown = (path) => ({ render: () => m(Frame, { path: path() }) });
  const asked = () => m.route.get().replace(/^\//, "").split("?")[0];

  annotator.opened = true;
  m.route.prefix = "#";
  m.route(root, "/", { "/": shown(() => ""), "/:rest...": shown(asked) });
})();
