/* What people judged: shares with their intervals, the published figures beside. */
"use strict";

annotator.study = (() => {
  const { safe, withData, page, section, scroll, table } = annotator.parts;
  const { percent, interval, plain, many, NONE } = annotator.text;
  const DOT = annotator.charts.seriesOf({ own: "here, 95 %", published: "published" }, 0);

  const measured = ({ share, low, high }) => ({ value: share, low, high });
  const options = (label) => ({ domain: [0, 1], label, format: percent });

  /** The words of what shares and answers come to, the same as on the terminal. */
  const words = (kind) => annotator.catalog.data.words[kind];

  /** What was published of the same share. */
  const published = (study, name) => study.published.filter((one) => one.figure === name);

  function shares(study) {
    const rows = Object.entries(words("shares"))
      .filter(([name]) => study.total[name].share !== null)
      .map(([name, { label }]) => {
        const [beside] = published(study, name); // the others are in the table
        return {
          name: label,
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

  const hundredths = (value) => `${(100 * value).toFixed(0)}`;
  /** The columns of a share, of() a row: its answers, what it comes to, its interval. */
  const counted = (of, name = "answers") => [
    { name, number: true, cell: (row) => (of(row) ? `${of(row).count} of ${of(row).of}` : NONE) },
    { name: "share", number: true, cell: (row) => percent(of(row)?.share) },
    {
      ...{ name: "95 %", number: true },
      cell: (row) => interval(of(row)?.low, of(row)?.high, hundredths),
    },
  ];

  function totals(study) {
    const told = ({ about, share, of }) =>
      m("div", `${about ? "about " : ""}${(100 * share).toFixed(1)} %, ${of}`);
    const columns = [
      { name: "Share", cell: ([, { label }]) => label },
      { name: "of", class: "muted wide", cell: ([, { of }]) => of },
      ...counted(([name]) => study.total[name]),
      { name: "published", class: "wide", cell: ([name]) => published(study, name).map(told) },
    ];
    return scroll("Shares", table(columns, Object.entries(words("shares"))));
  }

  function outcomes(study) {
    const columns = [
      { name: "Is there a pattern, and was it described?", cell: ([, label]) => label },
      ...counted(([name]) => study.total.outcomes[name]),
    ];
    return scroll("Outcomes", table(columns, Object.entries(words("outcomes"))));
  }

  function counts(title, given, labels = {}) {
    const columns = [
      { cell: ([name]) => labels[name] || name },
      { class: "number", cell: ([, count]) => plain(count) },
    ];
    return m("div", m("h3", title), table(columns, Object.entries(given)));
  }

  function agreement(study) {
    const columns = [
      { name: "Two raters, the same answer?", cell: ([name]) => words("questions")[name] },
      { name: "items", number: true, cell: ([, one]) => plain(one.items) },
      ...counted(([, one]) => one, "pairs"),
    ];
    return scroll("Agreement", table(columns, Object.entries(study.agreement)));
  }

  /** The same shares of parts of the answers, side by side. */
  function parts(title, rows) {
    const number = (name, cell) => ({ name, number: true, cell: ([, own]) => cell(own) });
    const columns = [
      { name: title, cell: ([name]) => name },
      number("answers", (own) => plain(own.answered)),
      number("skipped", (own) => plain(own.skipped)),
      ...["matched", "invented_of_none", "accepted", "strict"].map((share) =>
        number(words("shares")[share].label, (own) => percent(own[share].share)),
      ),
      number("seconds", (own) => plain(own.seconds)),
    ];
    return scroll(title, table(columns, rows));
  }

  /** Parts of the answers compared: how many accept, drawn; all shares, in a table. */
  const compared = (what, title, rows) =>
    section(
      `By ${what}`,
      m(
        ".pair",
        m(
          "div",
          m(annotator.charts.Intervals, {
            rows: rows.map(([name, own]) => ({ name, own: measured(own.accepted) })),
            series: { own: DOT.own },
            options: options(words("shares").accepted.label),
            label: `Accepted, by ${what}`,
          }),
        ),
        m("div", parts(title, rows)),
      ),
    );

  function one(study) {
    const { by } = annotator.catalog.data.describers[study.describer];
    const quarters = study.quarters.map((own) => [
      own.first === own.last ? `L${own.first}` : `L${own.first} to L${own.last}`,
      own,
    ]);
    const raters = Object.entries(study.raters);
    const others = Object.entries(study.others);
    return [
      section(
        `What ${by} said, judged`,
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
              counts("How well it fits", study.total.precision, words("precisions")),
              counts("Category of the pattern", study.total.category),
            ),
          ),
        ),
        totals(study),
      ),
      section("Agreement", agreement(study)),
      compared("quarter of the layers", "Layers", quarters),
      compared("rater", "Rater", raters),
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
      page(
        "Human study",
        "Whether the descriptions hold, as people judge. Here question 1, whether there is a pattern, is asked before the description is shown, which the published protocol did not.",
        withData("results", "The study", (data) => data.study.map(one)),
        m(
          "p.prose.help",
          "Shares count answers, one for each rater and item. Intervals are Wilson's, which take answers as independent: where several raters answer the same items, they are somewhat too narrow.",
        ),
      ),
  };

  return Object.freeze({ Page: safe(Page) });
})();
