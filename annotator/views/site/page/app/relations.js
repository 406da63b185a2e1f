/* The relations that were scored, and where in the model their heads are. */
"use strict";

annotator.relations = (() => {
  const { safe, problem, page, section, list, headLink, relationLink, frame, Chart } =
    annotator.parts;
  const { score, many, threshold } = annotator.text;
  const TOP = 5; // heads that are named
  const LEAST = 0.02; // what is drawn from

  /** Where its heads are: a column for each layer, a row for each head, and those that score. */
  function small(phi, width) {
    const { layers, heads, layer } = annotator.catalog;
    const row = Math.min(8, Math.max(1.5, 72 / heads()));
    const scoring = d3.range(phi.length).filter((head) => phi[head] >= LEAST);
    const colours = scoring.map((head) => annotator.colourings.ramp(phi[head]));
    return Plot.plot({
      ...frame(width, row * heads() + 20, [0, 0, 20, 0], { fontSize: "10px", overflow: "visible" }),
      x: {
        type: "band",
        domain: d3.range(layers()),
        ticks: d3.range(0, layers(), Math.ceil(layers() / 10)),
        tickFormat: (at) => `L${at}`,
        tickSize: 0,
        label: null,
        padding: 0,
      },
      y: { type: "band", domain: d3.range(heads()), axis: null, padding: 0 },
      marks: [
        Plot.frame({ fill: "var(--cell-zero)", stroke: "none" }),
        Plot.cell(scoring, {
          x: layer,
          y: (head) => head % heads(),
          fill: { value: colours, scale: null },
          inset: row > 5 ? 0.5 : 0,
        }),
      ],
    });
  }

  function strongest(file) {
    const { phi, q } = file.value;
    const order = d3
      .range(phi.length)
      .filter((head) => phi[head] > 0)
      .sort((a, b) => phi[b] - phi[a])
      .slice(0, TOP);
    if (!order.length) return m("p.muted", "No head scores above 0.");
    return m(
      "p.tops",
      order.map((head) =>
        m(
          "span",
          headLink(head),
          " ",
          m(
            annotator.catalog.implemented(phi[head], q[head])
              ? "strong.number"
              : "span.number.muted",
            score(phi[head]),
          ),
        ),
      ),
    );
  }

  function relation(one, at) {
    const file = annotator.data.want(`relation-${at}`);
    return m("article", [
      m("h3", relationLink(one.name, "Colour the map by it")),
      m("p", one.description),
      m("p.help", [
        `${many(one.sources, "source")}, k = ${one.k}`,
        one.published ? "" : ", not one of the paper's",
        " · ",
        one.implements
          ? `${many(one.implements, "head")} implement${one.implements === 1 ? "s" : ""} it`
          : "no head implements it",
        one.suppresses ? `, ${one.suppresses} suppress${one.suppresses === 1 ? "es" : ""} it` : "",
      ]),
      file.problem && problem(file.problem),
      file.value && [
        m(Chart, {
          of: one.name,
          label: `${one.name}: where its heads are, by layer; the strongest are listed`,
          draw: (width) => small(file.value.phi, width),
        }),
        strongest(file),
      ],
    ]);
  }

  const Page = {
    view() {
      const { relations, not_valid } = annotator.catalog.data;
      const categories = d3.group(
        relations.map((one, at) => ({ one, at })),
        ({ one }) => one.category,
      );
      return page(
        "Relations",
        `How strongly each head implements an operation: a column for each layer, a row for each head, the stronger its colour the larger its phi. Heads in bold implement the relation: phi ${threshold()}.`,
        Array.from(categories, ([category, own]) =>
          section(
            category,
            m(
              ".related",
              own.map(({ one, at }) => relation(one, at)),
            ),
          ),
        ),
        not_valid?.length > 0 &&
          section(
            "Not valid for this model",
            list(
              "plain",
              not_valid.map((one) => [m("span.name", one.name), `: ${one.reason}`]),
            ),
          ),
      );
    },
  };

  return Object.freeze({ Page: safe(Page) });
})();
