/* Whether static scores hold in inference: the paper's experiments on this model. */
"use strict";

annotator.validation = (() => {
  const { safe, withData } = annotator.parts;
  const { Intervals, Results, Ablations, SERIES } = annotator.charts;
  const RANGE = { domain: [-0.2, 1], label: "Pearson's r over heads, and its 95 % interval" };

  const measured = (row, key) => ({
    value: row[key],
    low: row[`${key}_low`],
    high: row[`${key}_high`],
  });
  const rows = (own) =>
    own
      .filter((row) => row.without !== null || row.with_context !== null)
      .map((row) => ({
        name: row.relation,
        without: measured(row, "without"),
        with_context: measured(row, "with_context"),
      }))
      .sort((a, b) => b.without.value - a.without.value);

  function chart(own, label) {
    const shown = rows(own);
    if (!shown.length) return m("p.muted", "No relation could be correlated.");
    const low = d3.min(
      shown.flatMap((row) => [
        row.without.low,
        row.with_context.low,
        row.without.value,
        row.with_context.value,
      ]),
    );
    return m(Intervals, {
      rows: shown,
      series: SERIES,
      options: { ...RANGE, domain: [Math.min(0, Math.floor(low * 10) / 10), 1] },
      label,
    });
  }

  const table = (data, id) => data.tables.find((one) => one.id === id);
  const folded = (found, summary) =>
    found && m("details", m("summary", summary), m(Results, { table: found }));
  const open = (found, first) =>
    found && [m("h3", found.title), m(Results, { table: found, first })];

  function correlation(data) {
    if (!data.correlate) return null;
    return m("section", [
      m("h2", "Static against dynamic scores"),
      m(
        "p.prose.help",
        "Static: from the weights alone. Dynamic: what heads really write in prompts, with their attention as it is, or forced onto the source (without context). Each dot is Pearson's r over all heads and four templates; intervals resample heads within their layers.",
      ),
      m(
        ".pair",
        m(
          "div",
          chart(
            data.correlate,
            "Correlation of static with dynamic scores, by relation; the table below has the numbers",
          ),
        ),
        m("div", open(table(data, "correlate-medians"))),
      ),
      folded(table(data, "correlate"), "All numbers"),
    ]);
  }

  function ablations(data) {
    if (!data.ablations?.length) return null;
    return m("section", [
      m("h2", "Accuracy as a relation's heads are silenced"),
      m(
        "p.prose.help",
        "The model answers prompts that ask for the relation, while the heads of highest phi are silenced at the last position, one after the other. Dashed: the step that the table reads.",
      ),
      m(Ablations, { ablations: data.ablations }),
      folded(table(data, "ablate"), "All numbers"),
    ]);
  }

  function multiToken(data) {
    if (!data.multi_token?.length) return null;
    const forms = d3.group(data.multi_token, (row) => row.form);
    return m("section", [
      m("h2", "Sources of several tokens"),
      m(
        "p.prose.help",
        "Static scores from pairs of single tokens, dynamic ones from sources of several, read at the last of them. Natural: as they are written in the sentence. Paper: without their space, after a space token, as published.",
      ),
      m(
        ".pair",
        Array.from(forms, ([form, own]) =>
          m(
            "div",
            m("h3", `${form} form`),
            chart(own, `Correlation for sources of several tokens, ${form} form`),
          ),
        ),
      ),
      open(table(data, "multi-token-medians")),
      folded(table(data, "multi-token"), "All numbers"),
    ]);
  }

  const variants = (data) =>
    table(data, "variants") &&
    m(
      "section",
      m("h2", table(data, "variants").title),
      m(
        "p.prose.help",
        "Would the static score be better with what it leaves out? On the same pairs, heads and prompts; first the medians, then each relation.",
      ),
      m(Results, {
        table: medianFirst(table(data, "variants")),
        first: data.tables.find((one) => one.id === "variants").rows.filter(isMedian).length || 12,
      }),
    );

  const isMedian = (row) => /^median of/.test(row[1] || "median of");
  const medianFirst = (found) => ({
    ...found,
    rows: [...found.rows.filter(isMedian), ...found.rows.filter((row) => !isMedian(row))],
  });

  const others = (data) =>
    data.tables
      .filter((one) => !/^(correlate|multi-token|variants|ablate)/.test(one.id))
      .map((one) => m("section", m("h2", one.title), m(Results, { table: one, first: 20 })));

  const Page = {
    view: () =>
      m(".page", [
        m(
          "header.intro",
          m("h1", { tabindex: -1 }, "Validation"),
          m("p.facts", "Do scores from the weights hold when the model runs?"),
        ),
        withData("results", "The results", (data) => [
          correlation(data),
          multiToken(data),
          ablations(data),
          variants(data),
          others(data),
        ]),
      ]),
  };

  return { Page: safe(Page) };
})();
