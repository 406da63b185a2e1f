/* What was said of a head: descriptions, with where they came from, and what people judged. */
"use strict";

annotator.said = (() => {
  const { safe, chip, pairs, scroll } = annotator.parts;
  const { many, moment, plain, percent, short, said: words, NONE } = annotator.text;
  const ACCEPTED = ["accurate", "scope"];
  const WORDS = {
    accurate: "correct and accurate",
    scope: "too general or too specific",
    partial: "partially correct",
    poor: "poor",
  };

  const who = (at) => annotator.model.data.describers[at];
  const classOf = (kind, at, label) =>
    annotator.colourings.find(`${kind}:${who(at).llm}`).classes.find((one) => one.label === label);

  function cost(one) {
    if (who(one.describer).baseline) return "none: a baseline asks nobody";
    return `${many(one.tokens_in, "token")} in, ${many(one.tokens_out, "token")} out; prices are not recorded`;
  }

  function origin(one) {
    return m(
      "details",
      m("summary", "Where it came from"),
      pairs([
        ["model", who(one.describer).llm],
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
        status && chip(status),
        one.category &&
          chip(
            classOf("category", one.describer, one.category) || { label: one.category, letter: "" },
          ),
      ]),
      one.status === "described"
        ? pairs([
            ["inputs", words(one.inputs)],
            ["pattern", words(one.pattern)],
          ])
        : m(
            "p.muted",
            one.status === "unclear"
              ? "It saw no pattern in the mappings"
              : "There is no description",
            one.problem ? `: ${words(one.problem)}` : ".",
          ),
      one.reasoning &&
        m("details", m("summary", "Reasoning"), m("p.reasoning", words(one.reasoning))),
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
          : m("p.muted", "Nobody has described this head."),
      );
    },
  };

  /** Of all pairs of answers to the same question of the same item, how many are the same. */
  function agreement(judgments, question) {
    const answers = judgments.filter((one) => !one.skipped && one[question] !== null);
    const pairs = answers.flatMap((one, at) =>
      answers.slice(at + 1).flatMap((other) => (other.item === one.item ? [[one, other]] : [])),
    );
    const same = pairs.filter(([one, other]) => one[question] === other[question]);
    return { of: pairs.length, same: same.length };
  }

  const agreed = ({ of, same }) =>
    of ? `${percent(same / of)} (${same} of ${many(of, "pair")})` : NONE;

  function judged(describer, judgments) {
    const described = judgments.filter((one) => one.status === "described");
    const answered = described.filter((one) => !one.skipped);
    const accepted = answered.filter((one) => one.pattern && ACCEPTED.includes(one.precision));
    const cell = (value) => m("td", value ?? NONE);
    return m(".judged", [
      m("h3", `Of what ${who(describer).by} said`),
      pairs([
        [
          "accepted",
          answered.length
            ? `${percent(accepted.length / answered.length)} (${accepted.length} of ${many(answered.length, "answer")})`
            : NONE,
        ],
        ["agree: a pattern?", agreed(agreement(judgments, "pattern"))],
        ["agree: how well?", agreed(agreement(described, "precision"))],
        ["agree: category", agreed(agreement(judgments, "category"))],
      ]),
      scroll(
        "Judgments",
        {},
        m(
          "table",
          m(
            "thead",
            m(
              "tr",
              ["Rater", "Pattern", "How well it fits", "Category", "Seconds", "Comment"].map(
                (name) => m("th", { scope: "col" }, name),
              ),
            ),
          ),
          m(
            "tbody",
            judgments.map((one) =>
              m("tr", [
                m("th", { scope: "row", title: moment(one.at) }, one.rater),
                one.skipped
                  ? m("td.muted", { colspan: 3 }, "skipped")
                  : [
                      cell(one.pattern === null ? null : one.pattern ? "yes" : "no"),
                      cell(one.precision && (WORDS[one.precision] || one.precision)),
                      cell(one.category),
                    ],
                m("td.number", plain(one.seconds)),
                m("td", words(one.comment) || ""),
              ]),
            ),
          ),
        ),
      ),
    ]);
  }

  const Judgments = {
    view({ attrs: { head } }) {
      if (!head.judgments.length) return null;
      const by = d3.group(head.judgments, (one) => one.describer);
      return m(
        "section.judgments",
        { "data-testid": "judgments" },
        m("h2", "Judgments"),
        Array.from(by, ([describer, own]) => judged(describer, own)),
      );
    },
  };

  return { Descriptions: safe(Descriptions), Judgments: safe(Judgments), WORDS };
})();
