/* What the map can be coloured by. A colouring has a value for every head, either a number, shown
   on a ramp, or a class, which has a colour and a letter. */
"use strict";

annotator.colourings = (() => {
  const { score, plain, percent } = annotator.text;
  // Lightness differs from class to class in both modes, so that colours are told apart without hue.
  const CLASSES = ["--class-1", "--class-2", "--class-3", "--class-4", "--class-5"];
  /** @type {any[] | undefined} */
  let all;
  /** @type {Map<string, any> | undefined} */
  let byId;

  /** More is farther from the page: towards black in the light, towards white in the dark. */
  function ramp(share) {
    const dark = annotator.theme.now() === "dark";
    return dark ? d3.interpolateMagma(0.2 + 0.8 * share) : d3.interpolateBuPu(0.16 + 0.84 * share);
  }

  function classes(names, none) {
    const found = names.map((label, at) => ({
      label,
      letter: label[0].toUpperCase(),
      color: `var(${CLASSES[at % CLASSES.length]})`,
      ink: `var(${CLASSES[at % CLASSES.length]}-ink)`,
    }));
    return [...found, { label: none, letter: "", color: "var(--cell-none)", ink: "var(--muted)" }];
  }

  const number = (id, group, label, values, more) => ({
    ...{ id, group, label, short: label, kind: "number", values },
    ...{ format: score, from: () => 0, help: "", ...more },
  });

  const classed = (id, group, label, values, classes, more) => ({
    ...{ id, group, label, short: label, kind: "class", values: () => values, classes, ...more },
  });

  function bestColourings() {
    const { relations, best, flag } = annotator.catalog.data;
    if (!relations.length || !best) return [];
    const above = `above ${score(flag)}`;
    const names = [...new Set(relations.map((one) => one.category))];
    const own = best.relation.map((at, head) =>
      at >= 0 && best.phi[head] > flag ? names.indexOf(relations[at].category) : names.length,
    );
    return [
      number("best", "Best relation", "phi", () => best.phi, {
        title: "Best relation: phi",
        option: "best relation: phi",
        help: "The highest phi among the relations that the head scores on.",
        flag: true,
      }),
      classed("best-kind", "Best relation", "category", own, classes(names, `none ${above}`), {
        title: "Best relation: category",
        option: "best relation: category",
        help: `The category of the relation with the head's highest phi, where that is ${above}.`,
      }),
    ];
  }

  const among = (k, end) => (k === 1 ? `of the ${end} logit` : `among the ${k} ${end} logits`);
  const share = ({ sources, k }, end) =>
    `share of its ${sources} sources with a target ${among(k, end)}.`;

  /** One of the scores of all relations, by its column in their files, and that of its q. */
  function scoreColourings(column, q, group, more) {
    const file = (at) => annotator.data.want(`relation-${at}`).value || {};
    return annotator.catalog.data.relations.map((one, at) =>
      number(`${column}:${one.name}`, group, one.name, () => file(at)[column], {
        ...{ relation: at, q: () => file(at)[q], flag: true, ...more(one) },
      }),
    );
  }

  const relationColourings = () => [
    ...bestColourings(),
    ...scoreColourings("phi", "q", "Relation scores: promoted", (one) => ({
      short: "phi",
      title: `${one.name}: phi`,
      help: `phi: the ${share(one, "largest")}`,
    })),
    ...scoreColourings("suppression", "suppression_q", "Relation scores: suppressed", (one) => ({
      short: "suppr.",
      title: `${one.name}: suppression score`,
      option: `${one.name}, suppressed`,
      help: `The ${share(one, "smallest")}`,
    })),
  ];

  function signatureColourings() {
    const { signatures, signature_help } = annotator.catalog.data;
    return Object.keys(signatures).map((name) =>
      number(`signature:${name}`, "Signatures", name, () => signatures[name], {
        title: `Signature: ${name}`,
        help: signature_help[name],
        format: plain,
        from: (low) => low,
      }),
    );
  }

  function describerColourings() {
    const { describers, judged, statuses, categories, accepted, words } = annotator.catalog.data;
    const good = accepted.map((precision) => `“${words.precisions[precision]}”`).join(" or ");
    return describers.flatMap((one, at) => {
      const plausible = judged.find((other) => other.describer === at);
      const group = `Descriptions: ${one.by}`;
      const named = (label, help) => ({
        title: `${label[0].toUpperCase()}${label.slice(1)}: ${one.by}`,
        option: describers.length > 1 ? `${label}: ${one.by}` : label,
        help,
      });
      const placed = (kind, label, names, none, help) => {
        const values = one[kind].map((value) => (value < 0 ? names.length : value));
        const id = `${kind}:${one.id}`;
        return classed(id, group, label, values, classes(names, none), named(label, help));
      };
      return [
        placed(
          "status",
          "outcome",
          statuses,
          "not asked",
          `What came of asking ${one.by} for a description.`,
        ),
        placed(
          "category",
          "category",
          categories,
          "none given",
          `The category that ${one.by} gave.`,
        ),
        ...(plausible
          ? [
              number(`plausibility:${one.id}`, group, "plausibility", () => plausible.accepted, {
                ...named(
                  "plausibility",
                  `Of the people who see a pattern, the share that accepts the description: it is ${good}.`,
                ),
                format: percent,
                to: 1,
              }),
            ]
          : []),
      ];
    });
  }

  /** Every colouring there is, in the order of the menu. */
  function list() {
    all ||= [...relationColourings(), ...describerColourings(), ...signatureColourings()];
    return all;
  }

  function find(id) {
    byId ||= new Map(list().map((one) => [one.id, one]));
    return byId.get(id);
  }

  const standard = () => (find("best") || find("signature:telling") || list()[0]).id;

  /** The range of a number's ramp. */
  function domain(colouring, values) {
    const [low, high] = d3.extent(values);
    const from = colouring.from(low ?? 0);
    const to = colouring.to ?? high ?? 1;
    return to > from ? [from, to] : [from, from + 1];
  }

  let painted = {};

  /** Every head's colour, kept until another is asked for. A zero score is an empty cell. */
  function colours(colouring, values) {
    const theme = annotator.theme.now();
    if (painted.colouring !== colouring || painted.theme !== theme)
      painted = { colouring, theme, colours: mixed(colouring, values) };
    return painted.colours;
  }

  function mixed(colouring, values) {
    if (colouring.kind === "class") return values.map((value) => colouring.classes[value].color);
    const [low, high] = domain(colouring, values);
    const none = "var(--cell-none)";
    const zero = "var(--cell-zero)";
    return values.map((value) =>
      value === null ? none : value === 0 && low === 0 ? zero : ramp((value - low) / (high - low)),
    );
  }

  /** A head's value in words; null while it is not known. */
  function words(colouring, values, index) {
    const value = values[index];
    if (colouring.kind === "class") return colouring.classes[value].label;
    if (colouring.id === "best" && value)
      return `${score(value)} ${annotator.catalog.data.relations[annotator.catalog.data.best.relation[index]].name}`;
    return colouring.format(value);
  }

  const title = (colouring) => colouring.title || colouring.label;

  return Object.freeze({ list, find, standard, domain, colours, ramp, words, title });
})();
