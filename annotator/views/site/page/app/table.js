/* The heads that pass, in a table: sorted by its headers, fifty at a time. */
"use strict";

annotator.table = (() => {
  const { safe, scroll, table, headLink } = annotator.parts;
  const { line, outcome, texts } = annotator.describers;
  const { plain, score, token } = annotator.text;
  const PAGE = 50;
  const SIGNATURES = ["copy", "stem", "hub", "strength"];

  /** A heading that sorts; numbers largest first at the first press. */
  function sorting(state, { id, name, title, number, heading = "" }) {
    const now = state.sort.replace(/^-/, "") === id;
    const down = state.sort.startsWith("-");
    const first =
      ["value", "best"].includes(id) || id in annotator.catalog.data.signatures ? "-" : "";
    const next = now ? (down ? id : `-${id}`) : first + id;
    const sorted = now ? (down ? "descending" : "ascending") : "none";
    return m(
      "th",
      { scope: "col", "aria-sort": sorted, class: number ? "number" : heading },
      m(
        "button.sort",
        { type: "button", title, onclick: () => annotator.state.change({ sort: next }) },
        name,
        m("span.mark", { "aria-hidden": "true" }, now ? (down ? "▼" : "▲") : ""),
      ),
    );
  }

  /** Category, or what else came of asking. */
  function category(describer, index) {
    const { describers } = annotator.catalog.data;
    return (
      annotator.catalog.data.categories[describers[describer].category[index]] ||
      m("span.muted", outcome(describer, index))
    );
  }

  function matched(found) {
    if (!found) return null;
    const side = (name, tokens) =>
      tokens.length > 0 &&
      m(
        "span",
        `${name} `,
        tokens.map((one) => m("code.token", token(one))),
      );
    return m(".matched", side("source", found.sources), side("target", found.targets));
  }

  /** A head's value, beside its colour on the map. */
  const valued = (index, { colouring, values, listing }) =>
    m(
      "span.value",
      m("i.swatch", { style: { background: listing.colours[index] }, "aria-hidden": "true" }),
      colouring.kind === "class"
        ? annotator.colourings.words(colouring, values, index)
        : colouring.format(values[index]),
    );

  function strongest(index) {
    const { best, relations } = annotator.catalog.data;
    if (best.relation[index] < 0) return m("span.muted", "none");
    const { name } = relations[best.relation[index]];
    return [m("span.number", score(best.phi[index])), " ", m("span.name", name)];
  }

  /** The columns that there are; what the map is coloured by is not told once more. */
  function columns(attrs) {
    const { state, colouring, listing } = attrs;
    const { best, describers, signatures, signature_help } = annotator.catalog.data;
    const described = describers.length > 0;
    return [
      { id: "head", name: "Head", heading: "sticky", class: "sticky", cell: headLink },
      {
        ...{ id: "value", name: colouring.short, heading: "number" },
        title: `What the map is coloured by: ${annotator.colourings.title(colouring)}`,
        class: colouring.kind === "class" ? "" : "number",
        cell: (index) => valued(index, attrs),
      },
      described && {
        ...{ id: "description", name: "Description", class: "said" },
        cell: (index) => [
          m("div.clamp", line(listing.describer, index)),
          matched(listing.found.matched[index]),
        ],
      },
      described &&
        colouring.id !== `category:${state.by}` && {
          ...{ id: "category", name: "Category" },
          cell: (index) => category(listing.describer, index),
        },
      best && {
        ...{ id: "best", name: "Best relation", title: "The relation of its highest phi" },
        ...{ class: "best", cell: strongest },
      },
      {
        ...{ id: "kv", name: "KV", title: "The KV head that it shares" },
        ...{ number: true, cell: annotator.catalog.kv },
      },
      ...SIGNATURES.filter((name) => `signature:${name}` !== colouring.id).map((name) => ({
        ...{ id: name, name, title: signature_help[name] },
        ...{ number: true, cell: (index) => plain(signatures[name][index]) },
      })),
    ];
  }

  function pager(page, pages, total) {
    if (pages < 2) return null;
    const go = (to, label) =>
      m(
        "button",
        {
          type: "button",
          disabled: to < 1 || to > pages,
          onclick: () => annotator.state.change({ page: String(to) }),
        },
        label,
      );
    const first = (page - 1) * PAGE + 1;
    return m(
      "nav.pager",
      { "aria-label": "Pages of the table" },
      go(page - 1, "Previous 50"),
      m(
        "span",
        `${first} to ${Math.min(total, first + PAGE - 1)} of ${total.toLocaleString("en")}`,
      ),
      go(page + 1, "Next 50"),
    );
  }

  const Table = {
    view({ attrs }) {
      const { state, listing, point, at } = attrs;
      const total = listing.heads.length;
      const pages = Math.max(1, Math.ceil(total / PAGE));
      const page = Math.min(pages, +state.page);
      const shown = listing.heads.slice((page - 1) * PAGE, page * PAGE);
      const described = texts(listing.describer);
      if (!total)
        return m(
          ".empty",
          m("p", "No head passes all of this."),
          m("button", { type: "button", onclick: annotator.state.reset }, "Show all heads"),
        );
      return [
        described.problem &&
          annotator.parts.problem(`Descriptions cannot be shown. ${described.problem}`),
        scroll(
          "Table of heads",
          table(columns(attrs), shown, {
            caption: "Heads of the model that pass the filters",
            headed: (column) => sorting(state, column),
            line: (index) => ({
              key: index,
              class: index === at ? "at" : "",
              onpointerenter: () => point(index),
            }),
          }),
          { class: "heads", "data-testid": "table" },
        ),
        pager(page, pages, total),
      ];
    },
  };

  return Object.freeze({ Table: safe(Table) });
})();
