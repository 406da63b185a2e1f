/* What this is: the model, how it was mapped, what was measured, and what that cannot say. */
"use strict";

annotator.about = (() => {
  const { safe, page, section, list, pairs } = annotator.parts;
  const { many, score, threshold } = annotator.text;
  const PAPER = "https://arxiv.org/abs/2412.11965";

  const digest = (text) => text && m("code.digest", text);

  /** Names as they stand in the files, with their values. */
  const coded = (given, write) =>
    Object.entries(given).map(([name, value]) => [m("code", name), write(value)]);

  function model() {
    const { data } = annotator.catalog;
    return pairs([
      ["model", data.model.id],
      ["revision", data.model.revision || "a local file"],
      ["family", `${data.model.family}, ${data.model.format}`],
      ["weights", digest(data.model.weight_digest)],
      ["tokenizer", digest(data.model.tokenizer_digest)],
      ...coded(data.dims, (size) => size.toLocaleString("en")),
    ]);
  }

  const settings = () =>
    pairs([
      ["annotator", annotator.catalog.data.annotator],
      ...coded(annotator.catalog.data.settings, String),
    ]);

  function measured() {
    const { data } = annotator.catalog;
    return m(".prose", [
      m(
        "p",
        "A head's map says, for every token it may attend to, which tokens it then promotes. It is read from the model's weights alone, without a prompt: M = X · W_V · W_O · W_U, where X is what the first MLP writes for each token. Shown are the sources of highest saliency, ‖x W_V W_O‖ / ‖x‖, with their targets of largest logit.",
      ),
      data.relations.length > 0 &&
        m(
          "p",
          `A relation score, phi, is the share of a relation's sources that have one of their targets among the k largest logits of their row; the suppression score is the same on −M. Targets are then dealt out anew among the sources, ${many(data.draws, "time")}: p is the share of these draws that score as high, and q is p after Benjamini and Hochberg over all heads, relations and both signs. A head implements a relation where phi is ${threshold()}; ${score(data.flag)} is the paper's flag.`,
        ),
      m(
        "p",
        `Signatures, of the ${data.evidence.sources} most salient sources with ${data.evidence.targets} targets each:`,
      ),
      pairs(coded(data.signature_help, String)),
    ]);
  }

  function limits() {
    const { data } = annotator.catalog;
    const to = (name, label) => m("a", { href: `#/${name}` }, label);
    const validated = data.pages.includes("validation")
      ? [": see ", to("validation", "validation"), "."]
      : "; it was not measured for this model.";
    const judged = data.pages.includes("study")
      ? [" that people judged: see ", to("study", "the study"), "."]
      : data.without_ledger
        ? "; this page was written without descriptions and judgments: the ledger could not be read."
        : ", which nobody has judged here yet.";
    const limits = [
      "A map shows what a head can do when it attends to a token. It does not show when it attends, nor what the head does together with others.",
      "No bias and no later norm enters the map, and every layer is taken to read what the first MLP writes, layer 0 the embedding itself, unless the settings say otherwise.",
      [
        "Scores from the weights correlate with what heads write in prompts, more without than with context",
        validated,
      ],
      [
        `Describers see ${data.evidence.sources} mappings and nothing else. What they say is an opinion`,
        judged,
      ],
      data.describers.some((one) => one.baseline) &&
        "The baseline makes sentences from the signatures by rules; no language model is asked.",
      "Prices are not recorded, only tokens.",
    ];
    return list("plain.prose", limits.filter(Boolean));
  }

  const method = () =>
    m("p", [
      `${annotator.cite.PAPER}. `,
      m("a", { href: PAPER, rel: "noreferrer" }, PAPER.replace("https://", "")),
    ]);

  const licences = () => [
    m("p", "annotator is Apache-2.0. This page uses, unchanged:"),
    list(
      "plain",
      annotator.catalog.data.libraries.map(({ name, version, licence, file }) => [
        `${name} ${version}, `,
        m("a", { href: `vendor/${file}` }, licence),
      ]),
    ),
  ];

  const Page = {
    view() {
      const { count, data } = annotator.catalog;
      const facts = `${many(count(), "attention head")} of ${data.model.id}, mapped from the weights alone`;
      return page(
        "About",
        facts,
        m(".pair", section("Model", model()), section("How it was mapped", settings())),
        m(".pair", section("What was measured", measured()), section("Limits", limits())),
        m(
          ".pair",
          section("Keys", annotator.keys.list()),
          m("div.prose", section("The method", method()), section("Licences", licences())),
        ),
      );
    },
  };

  return Object.freeze({ Page: safe(Page) });
})();
