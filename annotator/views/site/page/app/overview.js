/* The first page: the map of the heads, and the table of those that pass. */
"use strict";

annotator.overview = (() => {
  const { safe, problem, intro, skip, headLink, chip } = annotator.parts;
  const { line, outcome } = annotator.describers;
  const { many } = annotator.text;
  /** @type {number | null} */
  let at = null; // the head that is pointed at; kept while other pages are looked at
  /** @type {any} */
  let shown = null; // the colouring that could last be shown: the next may be on its way

  /** The colouring that is asked for, or while its file is read the one before. */
  function colouringOf(state) {
    const wanted = annotator.colourings.find(state.color);
    const values = wanted.values();
    const file =
      wanted.relation === undefined ? null : annotator.data.want(`relation-${wanted.relation}`);
    if (values) shown = { colouring: wanted, values };
    if (!shown) {
      const standard = annotator.colourings.list().find((one) => one.relation === undefined);
      shown = { colouring: standard, values: standard.values() };
    }
    return { ...shown, problem: file?.problem };
  }

  const point = (index) => (at = index);
  const pointed = () => at;

  function introduction() {
    const { data, layers, heads, count } = annotator.catalog;
    const facts = [
      `${many(count(), "head")}: ${many(layers(), "layer")} of ${heads()}`,
      data.dims.n_kv_heads < heads() && `${many(data.dims.n_kv_heads, "KV head")} a layer`,
      data.relations.length > 0 && `${many(data.relations.length, "relation")} scored`,
      data.describers.length > 0 &&
        `described by ${data.describers.map((one) => one.by).join(", ")}`,
      data.without_ledger && "without descriptions and judgments: the ledger could not be read",
    ];
    return intro(annotator.catalog.title(), facts.filter(Boolean).join(" · "));
  }

  /** Who is pointed at, in a panel that keeps its size. */
  function panel(colouring, values, describer) {
    const { describers, best, relations } = annotator.catalog.data;
    const walked = document.activeElement?.matches(".map"); // a pointer is not read out
    const live = { "aria-live": walked ? "polite" : "off", "aria-atomic": "true" };
    if (at === null)
      return m(
        ".panel.hint",
        live,
        m(
          "p",
          { id: "map-keys" },
          "Point at a head to see what it does; click to open it. With the keyboard: arrows walk, Enter opens.",
        ),
      );
    const said = describers[describer];
    const category =
      said && said.category[at] >= 0
        ? annotator.colourings.find(`category:${said.id}`).classes[said.category[at]]
        : null;
    return m(".panel", live, [
      m("p.line", [
        headLink(at),
        m(
          "span.value",
          colouring.short,
          " ",
          m("strong", annotator.colourings.words(colouring, values, at)),
        ),
        category
          ? colouring.id !== `category:${said.id}` && chip(category)
          : m("span.muted", outcome(describer, at)),
      ]),
      m("p.said", line(describer, at) || m("span.muted", said && "No description.")),
      best &&
        best.relation[at] >= 0 &&
        !colouring.id.startsWith("best") &&
        m(
          "p.muted",
          `best relation: ${relations[best.relation[at]].name} ${annotator.text.score(best.phi[at])}`,
        ),
      m("p.hidden", { id: "map-keys" }, "Arrows walk, Enter opens."),
    ]);
  }

  function counted(listing) {
    const total = annotator.catalog.count();
    const changed = Object.keys(m.route.param()).length > 0;
    return m(".counted", [
      m(
        "p",
        { "data-testid": "count", role: "status", "aria-live": "polite" },
        `${listing.heads.length.toLocaleString("en")} of ${many(total, "head")}`,
      ),
      listing.found.waiting && m("span.muted", "reading the tokens …"),
      m(
        "button.reset",
        {
          type: "button",
          "data-testid": "reset",
          disabled: !changed,
          onclick: annotator.state.reset,
        },
        "Reset",
      ),
    ]);
  }

  const Overview = {
    view() {
      const state = annotator.state.now();
      const { colouring, values, problem: missing } = colouringOf(state);
      const found = annotator.search.list(state, colouring, values);
      const listing = { ...found, colours: annotator.colourings.colours(colouring, values) };
      const notices = [...state.notices, missing, found.found.problem].filter(Boolean);
      return m(".overview", [
        introduction(),
        notices.length > 0 && problem(notices.map((text) => m("p", text))),
        m(annotator.filters.Filters, { state }),
        m(
          ".sides",
          {
            style: {
              "--map": `${Math.min(40, Math.max(24, 2.5 + 0.58 * annotator.catalog.heads()))}rem`,
            },
          },
          [
            m("section.mapped", { "aria-label": "Map" }, [
              m("h2", annotator.colourings.title(colouring)),
              m("p.help", colouring.help),
              m(annotator.legend.Legend, { colouring, values, at }),
              panel(colouring, values, found.describer),
              skip("Skip the map, to the table of its heads", ".listed"),
              m(
                "p.hidden",
                { id: "map-table" },
                "The table has the same heads, in words and numbers.",
              ),
              m(annotator.map.Map, {
                colouring,
                values,
                passing: found.passing,
                at,
                point,
                pointed,
              }),
            ]),
            m("section.listed", { "aria-label": "Table", tabindex: -1 }, [
              counted(listing),
              m(annotator.table.Table, { state, colouring, values, listing, point, at }),
            ]),
          ],
        ),
      ]);
    },
  };

  return Object.freeze({ Overview: safe(Overview), point });
})();
