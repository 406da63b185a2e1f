/* The heads that pass, in a table: sorted by its headers, fifty at a time. */
"use strict";

annotator.table = (() => {
  const { safe, scroll, headLink } = annotator.parts;
  const { score, saying, silence, token } = annotator.text;
  const PAGE = 50;
  const SIGNATURES = ["copy", "stem", "hub", "strength"];

  const numeric = (name) =>
    ["kv", "value", ...Object.keys(annotator.model.data.signatures)].includes(name);

  /** Whether the coloured value says the category already. */
  const categorised = (state, colouring) => colouring.id === `category:${state.by}`;

  /** A header that sorts; numbers largest first at the first press. */
  function header(state, name, label, attrs = {}) {
    const now = state.sort.replace(/^-/, "") === name;
    const down = state.sort.startsWith("-");
    const first =
      ["value", "best"].includes(name) || name in annotator.model.data.signatures ? "-" : "";
    const next = now ? (down ? name : `-${name}`) : first + name;
    const sorted = now ? (down ? "descending" : "ascending") : "none";
    const { title, ...rest } = attrs;
    return m(
      "th",
      { scope: "col", "aria-sort": sorted, class: numeric(name) ? "number" : "", ...rest },
      m(
        "button.sort",
        { type: "button", title, onclick: () => annotator.state.change({ sort: next }) },
        label,
        m("span.mark", { "aria-hidden": "true" }, now ? (down ? "▼" : "▲") : ""),
      ),
    );
  }

  function head(state, colouring) {
    const { best, signature_help, describers } = annotator.model.data;
    const more = SIGNATURES.filter((name) => `signature:${name}` !== colouring.id);
    return m("tr", [
      header(state, "head", "Head", { class: "sticky" }),
      header(state, "value", colouring.short, {
        title: `What the map is coloured by: ${annotator.colourings.title(colouring)}`,
      }),
      describers.length > 0 && [
        header(state, "description", "Description"),
        !categorised(state, colouring) && header(state, "category", "Category"),
      ],
      best && header(state, "best", "Best relation", { title: "The relation of its highest phi" }),
      header(state, "kv", "KV", { title: "The KV head that it shares" }),
      more.map((name) => header(state, name, name, { title: (signature_help || {})[name] })),
    ]);
  }

  /** Category, or what else came of asking. */
  function category(describer, index) {
    const { describers } = annotator.model.data;
    return (
      annotator.model.data.categories[describers[describer].category[index]] ||
      m("span.muted", silence(describer, index))
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

  function row(index, { state, colouring, values, listing, point, at }) {
    const { best, relations, describers, signatures } = annotator.model.data;
    const value =
      colouring.kind === "class"
        ? annotator.colourings.words(colouring, values, index)
        : colouring.format(values[index]);
    return m(
      "tr",
      { key: index, class: index === at ? "at" : "", onpointerenter: () => point(index) },
      [
        m("th.sticky", { scope: "row" }, headLink(index)),
        m(
          "td",
          { class: colouring.kind === "class" ? "" : "number" },
          m(
            "span.value",
            m("i.swatch", { style: { background: listing.colours[index] }, "aria-hidden": "true" }),
            value,
          ),
        ),
        describers.length > 0 && [
          m(
            "td.said",
            m("div.clamp", saying(listing.describer, index)),
            matched(listing.found.matched[index]),
          ),
          !categorised(state, colouring) && m("td", category(listing.describer, index)),
        ],
        best &&
          m(
            "td.best",
            best.relation[index] < 0
              ? m("span.muted", "none")
              : [
                  m("span.number", score(best.phi[index])),
                  " ",
                  m("span.name", relations[best.relation[index]].name),
                ],
          ),
        m("td.number", annotator.model.kv(index)),
        SIGNATURES.filter((name) => `signature:${name}` !== colouring.id).map((name) =>
          m("td.number", annotator.text.plain(signatures[name][index])),
        ),
      ],
    );
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
      const { state, colouring, listing } = attrs;
      const total = listing.heads.length;
      const pages = Math.max(1, Math.ceil(total / PAGE));
      const page = Math.min(pages, +state.page);
      const shown = listing.heads.slice((page - 1) * PAGE, page * PAGE);
      const texts = annotator.search.describerTexts(listing.describer);
      if (!total)
        return m(
          ".empty",
          m("p", "No head passes all of this."),
          m("button", { type: "button", onclick: annotator.state.reset }, "Show all heads"),
        );
      return [
        texts.problem && annotator.parts.problem(`Descriptions cannot be shown. ${texts.problem}`),
        scroll(
          "Table of heads",
          m(
            "table",
            m("caption.hidden", "Heads of the model that pass the filters"),
            m("thead", head(state, colouring)),
            m(
              "tbody",
              shown.map((index) => row(index, attrs)),
            ),
          ),
          { class: "heads", "data-testid": "table" },
        ),
        pager(page, pages, total),
      ];
    },
  };

  return { Table: safe(Table) };
})();
