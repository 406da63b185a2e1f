/* What was said of a head: descriptions, with where they came from, and what people judged. */
"use strict";

annotator.descriptions = (() => {
  const { safe, folded, chip, pairs, scroll, table } = annotator.parts;
  const { many, moment, plain, percent, short, written, NONE } = annotator.text;
  // The three answers of an item that was skipped are one cell.
  const answered = (one, answer) => (one.skipped ? undefined : (answer ?? NONE));
  const JUDGED = [
    { name: "Rater", attrs: (one) => ({ title: moment(one.at) }), cell: (one) => one.rater },
    {
      name: "Pattern",
      attrs: (one) => one.skipped && { colspan: 3, class: "muted" },
      cell: (one) =>
        one.skipped ? "skipped" : one.pattern === null ? NONE : one.pattern ? "yes" : "no",
    },
    {
      name: "How well it fits",
      cell: (one) => answered(one, annotator.catalog.data.words.precisions[one.precision]),
    },
    { name: "Category", cell: (one) => answered(one, one.category) },
    { name: "Seconds", class: "number", cell: (one) => plain(one.seconds) },
    { name: "Comment", cell: (one) => written(one.comment) || "" },
  ];

  const who = (at) => annotator.catalog.data.describers[at];
  const classOf = (kind, at, label) =>
    annotator.colourings.find(`${kind}:${who(at).id}`).classes.find((one) => one.label === label);

  function cost(one) {
    if (who(one.describer).baseline) return "none: a baseline asks nobody";
    return `${many(one.tokens_in, "token")} in, ${many(one.tokens_out, "token")} out; prices are not recorded`;
  }

  function origin(one) {
    return folded(
      "Where it came from",
      pairs([
        !who(one.describer).baseline && ["language model", who(one.describer).llm],
        ["describer", who(one.describer).describer],
        ["template", one.template ? m("code", { title: one.template }, short(one.template)) : null],
        ["answered", moment(one.at)],
        ["cost", cost(one)],
        ["took", `${plain(one.seconds)} s`],
        ["request", m("code.digest", one.key)],
      ]),
    );
  }

  function description(one) {
    const { by, baseline } = who(one.describer);
    const status = classOf("status", one.describer, one.status);
    return m("article.description", [
      m(".byline", [
        m("h3", by),
        baseline && !/baseline/.test(by) && m("span.badge", "baseline: no language model"),
        one.superseded && m("span.badge", "superseded: it has said something else since"),
        status && chip(status),
        one.category &&
          chip(
            classOf("category", one.describer, one.category) || { label: one.category, letter: "" },
          ),
      ]),
      one.status === "described"
        ? pairs([
            ["inputs", written(one.inputs)],
            ["pattern", written(one.pattern)],
          ])
        : m(
            "p.muted",
            one.status === "unclear"
              ? "It saw no pattern in the mappings"
              : "There is no description",
            one.problem ? `: ${written(one.problem)}` : ".",
          ),
      one.reasoning && folded("Reasoning", m("p.reasoning", written(one.reasoning))),
      origin(one),
    ]);
  }

  const Descriptions = {
    view({ attrs: { head } }) {
      return m(
        "section.descriptions",
        { "data-testid": "descriptions" },
        m("h2", "Descriptions"),
        head.descriptions.length
          ? head.descriptions.map(description)
          : m(
              "p.muted",
              annotator.catalog.data.without_ledger
                ? "Descriptions were left out when this page was written: the ledger could not be read."
                : "Nobody has described this head.",
            ),
      );
    },
  };

  const counted = (count, of, share, what) =>
    of ? `${percent(share)} (${count} of ${plain(of)} ${what})` : NONE;
  const agreed = (verdict, question) =>
    counted(
      ...["agree_", "pairs_"].map((part) => verdict[part + question]),
      verdict[`agree_${question}_share`],
      "pairs",
    );

  /** Which description was judged: a head may have several by one describer. */
  function which(verdict, descriptions) {
    const { by } = who(verdict.describer);
    const said = descriptions.find((one) => one.key === verdict.key);
    const apart = verdict.real ? "" : `, as ${verdict.kind}`;
    return `Of what ${by} said${said?.superseded ? " before" : ""}${apart}`;
  }

  function judged(verdict, { judgments, descriptions }) {
    const own = judgments.filter(
      (one) => one.item === verdict.item && one.describer === verdict.describer,
    );
    const { accepted, described, accepted_share } = verdict;
    return m(".judged", [
      m("h3", which(verdict, descriptions)),
      pairs([
        ["accepted", counted(accepted, described, accepted_share, "who see a pattern")],
        ...Object.entries(annotator.catalog.data.words.questions).map(([name, question]) => [
          `agree: ${question}`,
          agreed(verdict, name),
        ]),
      ]),
      scroll("Judgments", table(JUDGED, own)),
    ]);
  }

  const Judgments = {
    view({ attrs: { head } }) {
      if (!head.verdicts.length) return null;
      return m(
        "section.judgments",
        { "data-testid": "judgments" },
        m("h2", "Judgments"),
        head.verdicts.map((one) => judged(one, head)),
      );
    },
  };

  return Object.freeze({ Descriptions: safe(Descriptions), Judgments: safe(Judgments) });
})();
