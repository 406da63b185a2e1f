/* What was measured of a head: relation scores, signatures, and which heads are like it. */
"use strict";

annotator.measured = (() => {
  const { safe, folded, list, scroll, table, headLink, relationLink } = annotator.parts;
  const { line, outcome } = annotator.describers;
  const { score, q, plain, percent, many, NONE } = annotator.text;

  const STRONG = 0.05; // what is not folded away

  function named({ relation, phi, q, suppression, suppression_q }) {
    const { implemented } = annotator.catalog;
    return [
      relationLink(relation.name, `${relation.description} Colour the map by it.`),
      implemented(phi, q) && m("span.badge.good", "implements"),
      implemented(suppression, suppression_q) && m("span.badge.bad", "suppresses"),
    ];
  }

  const SCORES = [
    { name: "Relation", cell: named },
    { name: "phi", number: true, cell: ({ phi }) => score(phi) },
    { name: "q", number: true, cell: (row) => (row.phi > 0 ? q(row.q) : NONE) },
    {
      ...{ name: "suppr.", title: "suppression score", number: true },
      cell: ({ suppression }) => score(suppression),
    },
    { name: "q", number: true, cell: (row) => (row.suppression > 0 ? q(row.suppression_q) : NONE) },
  ];

  const scores = (rows, label) => scroll(label, table(SCORES, rows));

  const Relations = {
    view({ attrs: { head } }) {
      const { relations } = annotator.catalog.data;
      if (!relations.length) return null;
      const rows = head.relations
        .map(annotator.catalog.scored)
        .sort((a, b) => b.phi - a.phi || b.suppression - a.suppression);
      const there = new Set(rows.map((one) => one.relation));
      const zero = relations.filter((one) => !there.has(one));
      const strong = rows.filter((one) => one.phi >= STRONG || one.suppression >= STRONG);
      const weak = rows.filter((one) => !strong.includes(one));
      return m("section.relations", { "data-testid": "relations" }, [
        m("h2", "Relation scores"),
        strong.length
          ? scores(strong, "Relation scores")
          : m("p.muted", `None of ${score(STRONG)} or more.`),
        weak.length > 0 &&
          folded(`${weak.length} below ${score(STRONG)}`, scores(weak, "Weak relation scores")),
        zero.length > 0 &&
          folded(
            `${zero.length} at 0`,
            m(
              "p.names",
              zero.map((one) => m("span.name", one.name)),
            ),
          ),
      ]);
    },
  };

  function columns(index) {
    const { signatures, signature_help } = annotator.catalog.data;
    const above = (name) => annotator.catalog.percentile(name, index);
    return [
      {
        name: "Signature",
        attrs: (name) => ({ title: signature_help[name] }),
        cell: (name) => name,
      },
      { name: "Value", class: "number", cell: (name) => plain(signatures[name][index]) },
      {
        ...{ name: "As a bar", class: "above" },
        attrs: () => ({ "aria-hidden": "true" }),
        cell: (name) => m("span", { style: { width: `${100 * (above(name) ?? 0)}%` } }),
      },
      {
        ...{ name: "Share of heads it is above", class: "number" },
        cell: (name) => percent(above(name)),
      },
    ];
  }

  const Signatures = {
    view({ attrs: { index } }) {
      const names = Object.keys(annotator.catalog.data.signatures);
      return m(
        "section.signatures",
        m("h2", "Signatures"),
        m(
          "p.help",
          `The share of the model's ${many(annotator.catalog.count() - 1, "other head")} that it is above.`,
        ),
        table(columns(index), names, { head: "thead.hidden" }),
      );
    },
  };

  /** A head in a list, with what the first describer says of it. */
  function listed(index, note) {
    const words = line(0, index);
    return [
      m(".line", headLink(index), note, !words && m("span.muted", outcome(0, index))),
      words && m("p.said", words),
    ];
  }

  const alike = (title, help, heads) =>
    heads.length > 0 && [m("h2", title), m("p.help", help), list("heads", heads)];

  const Similar = {
    view({ attrs: { index, head } }) {
      return m(
        "section.similar",
        alike(
          "Its KV group",
          `They share KV head ${annotator.catalog.kv(index)}: they read the same values, and write them out each in its own way.`,
          annotator.catalog.group(index).map((other) => listed(other)),
        ),
        alike(
          "Most similar heads",
          "The mean of two cosines, of their sources and of their targets; the fewer heads have a token, the more it counts. Heads of its own KV group aside.",
          head.similar.map(([other, cosine]) =>
            listed(other, m("span.muted.number", score(cosine))),
          ),
        ),
      );
    },
  };

  return Object.freeze({
    Relations: safe(Relations),
    Signatures: safe(Signatures),
    Similar: safe(Similar),
  });
})();
