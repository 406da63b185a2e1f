/* What people judged: shares with their intervals, the published figures beside. */
"use strict";

annotator.study = (() => {
  const { safe, withData, scroll } = annotator.parts;
  const { percent, interval, plain, many, NONE } = annotator.text;
  const OUTCOMES = {
    described: "pattern, and described",
    missed: "pattern, not described",
    abstained: "no pattern, none described",
    invented: "no pattern, one described",
  };
  const SHARES = {
    matched: ["described rightly, or rightly not", "all answers"],
    invented_of_none: ["a pattern invented", "answers that see none"],
    accepted: ["accepted: accurate, or of the wrong scope", "described, with a pattern"],
    strict: ["accurate", "described, with a pattern"],
    accepted_of_all: ["accepted", "all answers on descriptions"],
    strict_of_all: ["accurate", "all answers on descriptions"],
    same_category: ["same category as the description's", "described, with a pattern, its category known"],
  };
  const PUBLISHED = { matched: "matched", invented_of_none: "invented", strict: "strict" };
  const AGREEMENT = {
    pattern: "is there a pattern?",
    precision: "how well does it fit?",
    category: "which category?",
  };
  const DOT = {
    own: { label: "here, 95 %", color: "var(--class-1)", symbol: "circle", dy: 0, filled: true },
    published: {
      label: "published",
      color: "var(--class-3)",
      symbol: "diamond2",
      dy: 0,
      filled: false,
    },
  };

  const measured = ({ share, low, high }) => ({ value: share, low, high });
  const options = (label) => ({ domain: [0, 1], label, format: percent });

  /** The first figure that was published of the same share; the others are in the table. */
  const published = (study, name) => study.published.find((one) => one.figure === PUBLISHED[name]);

  function shares(study) {
    const rows = Object.entries(SHARES)
      .filter(([name]) => study.total[name]?.share !== null && study.total[name])
      .map(([name, [label]]) => {
        const beside = published(study, name);
        return {
          name: name.endsWith("_of_all") ? `${label}, of all` : label.split(":")[0],
          own: measured(study.total[name]),
          ...(beside && { published: { value: beside.share, low: null } }),
        };
      });
    return m(annotator.charts.Intervals, {
      rows,
      series: DOT,
      options: options("share of answers"),
      label: "Shares of answers with their intervals; the table has the numbers",
    });
  }

  const cells = (share) => [
    m("td.number", share ? `${share.count} of ${share.of}` : NONE),
    m("td.number", percent(share?.share)),
    m(
      "td.number",
      interval(share?.low, share?.high, (value) => `${(100 * value).toFixed(0)}`),
    ),
  ];
  const heading = (names, numbers = []) =>
    m(
      "thead",
      m(
        "tr",
        names.map((name) =>
          m("th", { scope: "col", class: numbers.includes(name) ? "number" : "" }, name),
        ),
      ),
    );
  const COUNTED = ["answers", "share", "95 %"];

  function totals(study) {
    const beside = (name) => study.published.filter((one) => one.figure === PUBLISHED[name]);
    return scroll(
      "Shares",
      {},
      m(
        "table",
        heading(["Share", "of", ...COUNTED, "published"], COUNTED),
        m(
          "tbody",
          Object.entries(SHARES).map(([name, [label, of]]) =>
            m("tr", [
              m("th", { scope: "row" }, label),
              m("td.muted", of),
              cells(study.total[name]),
              m(
                "td.wide",
                beside(name).map((one) =>
                  m(
                    "div",
                    `${one.about ? "about " : ""}${(100 * one.share).toFixed(1)} %, ${one.of}`,
                  ),
                ),
              ),
            ]),
          ),
        ),
      ),
    );
  }

  function outcomes(study) {
    return scroll(
      "Outcomes",
      {},
      m(
        "table",
        heading(["Is there a pattern, and was it described?", ...COUNTED], COUNTED),
        m(
          "tbody",
          Object.entries(OUTCOMES).map(([name, label]) =>
            m("tr", m("th", { scope: "row" }, label), cells(study.total.outcomes[name])),
          ),
        ),
      ),
    );
  }

  const counts = (title, given, words = {}) =>
    m(
      "div",
      m("h3", title),
      m(
        "table",
        m(
          "tbody",
          Object.entries(given).map(([name, count]) =>
            m("tr", m("th", { scope: "row" }, words[name] || name), m("td.number", plain(count))),
          ),
        ),
      ),
    );

  function agreement(study) {
    return scroll(
      "Agreement",
      {},
      m(
        "table",
        heading(
          ["Two raters, the same answer?", "items", "pairs", "share", "95 %"],
          ["items", "pairs", "share", "95 %"],
        ),
        m(
          "tbody",
          Object.entries(study.agreement).map(([name, one]) =>
            m(
              "tr",
              m("th", { scope: "row" }, AGREEMENT[name] || name),
              m("td.number", plain(one.items)),
              cells(one),
            ),
          ),
        ),
      ),
    );
  }

  /** The same shares of parts of the answers, side by side. */
  function parts(title, rows) {
    const names = ["answers", "skipped", "matched", "accepted", "accurate", "seconds"];
    return scroll(
      title,
      {},
      m(
        "table",
        heading([title, ...names], names),
        m(
          "tbody",
          rows.map(([name, own]) =>
            m(
              "tr",
              m("th", { scope: "row" }, name),
              m("td.number", plain(own.answered)),
              m("td.number", plain(own.skipped)),
              ["matched", "accepted", "strict"].map((share) =>
                m("td.number", percent(own[share]?.share)),
              ),
              m("td.number", plain(own.seconds)),
            ),
          ),
        ),
      ),
    );
  }

  const byPart = (rows, label) =>
    m(annotator.charts.Intervals, {
      rows: rows.map(([name, own]) => ({ name, own: measured(own.accepted) })),
      series: { own: DOT.own },
      options: options("accepted, of described with a pattern"),
      label,
    });

  function one(study) {
    const { by } = annotator.model.data.describers[study.describer];
    const quarters = study.quarters.map((own) => [
      own.first === own.last ? `L${own.first}` : `L${own.first} to L${own.last}`,
      own,
    ]);
    const raters = Object.entries(study.raters);
    const others = Object.entries(study.others);
    return [
      m(
        "section",
        m("h2", `What ${by} said, judged`),
        m(
          "p.facts",
          `${many(study.total.answered, "answer")} on ${study.total.items} of ${many(study.items, "item")} by ${many(raters.length, "rater")}, ${study.total.skipped} skipped, ${plain(study.total.seconds)} s the median answer.`,
        ),
        m(
          ".pair",
          m("div", shares(study)),
          m(
            "div",
            outcomes(study),
            m(
              ".two",
              counts("How well it fits", study.total.precision, annotator.said.WORDS),
              counts("Category of the pattern", study.total.category),
            ),
          ),
        ),
        totals(study),
      ),
      m("section", m("h2", "Agreement"), agreement(study)),
      m(
        "section",
        m("h2", "By quarter of the layers"),
        m(
          ".pair",
          m("div", byPart(quarters, "Accepted, by quarter of the layers")),
          m("div", parts("Layers", quarters)),
        ),
      ),
      m(
        "section",
        m("h2", "By rater"),
        m(
          ".pair",
          m("div", byPart(raters, "Accepted, by rater")),
          m("div", parts("Rater", raters)),
        ),
      ),
      others.length > 0 &&
        m(
          "section",
          { "data-testid": "others" },
          m("h2", "Not among these"),
          m("p.help", "Items that are made otherwise than a head's own map with its description."),
          parts("Kind", others),
        ),
    ];
  }

  const Page = {
    view: () =>
      m(".page", [
        m(
          "header.intro",
          m("h1", { tabindex: -1 }, "Human study"),
          m(
            "p.facts",
            "Whether the descriptions hold, as people judge. Here question 1, whether there is a pattern, is asked before the description is shown, which the published protocol did not.",
          ),
        ),
        withData("results", "The study", (data) => data.study.map(one)),
        m(
          "p.prose.help",
          "Shares count answers, one for each rater and item. Intervals are Wilson's, which take answers as independent: where several raters answer the same items, they are somewhat too narrow.",
        ),
      ]),
  };

  return { Page: safe(Page) };
})();
