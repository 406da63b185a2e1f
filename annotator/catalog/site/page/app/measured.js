/* What was measured of a head: relation scores, signatures, and which heads are like it. */
"use strict";

annotator.measured = (() => {
  const { safe, headLink } = annotator.parts;
  const { score, q, plain, percent, saying, silence, many, NONE } = annotator.text;

  /** Places in a row of scores: [relation, phi, p, q, suppression, suppression_p, suppression_q]. */
  const [RELATION, PHI, , Q, DOWN, , DOWN_Q] = d3.range(7);

  function scored(row) {
    const one = annotator.model.data.relations[row[RELATION]];
    const { implemented } = annotator.model;
    return m("tr", [
      m(
        "th",
        { scope: "row" },
        m(
          "a.name",
          {
            href: annotator.state.colouredBy(`phi:${one.name}`),
            title: `${one.description} Colour the map by it.`,
          },
          one.name,
        ),
        implemented(row[PHI], row[Q]) && m("span.badge.good", "implements"),
        implemented(row[DOWN], row[DOWN_Q]) && m("span.badge.bad", "suppresses"),
      ),
      m("td.number", score(row[PHI])),
      m("td.number", row[PHI] > 0 ? q(row[Q]) : NONE),
      m("td.number", score(row[DOWN])),
      m("td.number", row[DOWN] > 0 ? q(row[DOWN_Q]) : NONE),
    ]);
  }

  const scores = (rows, label) =>
    annotator.parts.scroll(
      label,
      {},
      m(
        "table",
        m(
          "thead",
          m("tr", [
            m("th", { scope: "col" }, "Relation"),
            ...["phi", "q", "suppr.", "q"].map((name) =>
              m(
                "th.number",
                { scope: "col", title: name === "suppr." ? "suppression score" : null },
                name,
              ),
            ),
          ]),
        ),
        m("tbody", rows.map(scored)),
      ),
    );

  const Relations = {
    view({ attrs: { head } }) {
      const { relations } = annotator.model.data;
      if (!relations.length) return null;
      const rows = [...head.relations].sort((a, b) => b[PHI] - a[PHI] || b[DOWN] - a[DOWN]);
      const there = new Set(rows.map((one) => one[RELATION]));
      const zero = relations.filter((_, at) => !there.has(at));
      const strong = rows.filter((one) => one[PHI] >= 0.05 || one[DOWN] >= 0.05);
      const weak = rows.filter((one) => !strong.includes(one));
      return m("section.relations", { "data-testid": "relations" }, [
        m("h2", "Relation scores"),
        strong.length ? scores(strong, "Relation scores") : m("p.muted", "None of .05 or more."),
        weak.length > 0 &&
          m(
            "details",
            m("summary", `${weak.length} below .05`),
            scores(weak, "Relation scores below .05"),
          ),
        zero.length > 0 &&
          m(
            "details",
            m("summary", `${zero.length} at 0`),
            m(
              "p.names",
              zero.map((one) => m("span.name", one.name)),
            ),
          ),
      ]);
    },
  };

  function bar(name, index) {
    const { signatures, signature_help } = annotator.model.data;
    const above = annotator.model.percentile(name, index);
    return m("tr", [
      m("th", { scope: "row", title: (signature_help || {})[name] }, name),
      m("td.number", plain(signatures[name][index])),
      m("td.above", { "aria-hidden": "true" }, m("span", { style: { width: `${100 * above}%` } })),
      m("td.number", percent(above)),
    ]);
  }

  const Signatures = {
    view({ attrs: { index } }) {
      const names = Object.keys(annotator.model.data.signatures);
      return m(
        "section.signatures",
        m("h2", "Signatures"),
        m(
          "p.help",
          `The share of the model's ${many(annotator.model.count() - 1, "other head")} that it is above.`,
        ),
        m(
          "table",
          m(
            "thead.hidden",
            m(
              "tr",
              ["Signature", "Value", "As a bar", "Share of heads it is above"].map((one) =>
                m("th", { scope: "col" }, one),
              ),
            ),
          ),
          m(
            "tbody",
            names.map((name) => bar(name, index)),
          ),
        ),
      );
    },
  };

  /** A head in a list, with what the first describer says of it. */
  function listed(index, note) {
    const words = saying(0, index);
    return m(
      "li",
      m(".line", headLink(index), note, !words && m("span.muted", silence(0, index))),
      words && m("p.said", words),
    );
  }

  const Similar = {
    view({ attrs: { index, head } }) {
      const group = annotator.model.group(index);
      return m("section.similar", [
        group.length > 0 && [
          m("h2", "Its KV group"),
          m(
            "p.help",
            `They share KV head ${annotator.model.kv(index)}: they read the same values, and write them out each in its own way.`,
          ),
          m(
            "ul.heads",
            group.map((other) => listed(other)),
          ),
        ],
        head.similar.length > 0 && [
          m("h2", "Most similar heads"),
          m(
            "p.help",
            "The mean of two cosines, of their sources and of their targets; the fewer heads have a token, the more it counts. Heads of its own KV group aside.",
          ),
          m(
            "ul.heads",
            head.similar.map(([other, cosine]) =>
              listed(other, m("span.muted.number", score(cosine))),
            ),
          ),
        ],
      ]);
    },
  };

  return { Relations: safe(Relations), Signatures: safe(Signatures), Similar: safe(Similar) };
})();
