/* A head's salient mappings: each source with its targets, shaded by their logits. */
"use strict";

annotator.mappings = (() => {
  const { safe, tick, scroll, table } = annotator.parts;
  const { token, plain } = annotator.text;
  let numbers = false; // whether logits are written out; kept from head to head

  /**
   * A flat list of target, logit, target, logit … as pairs.
   * @returns {[number, number | null][]}
   */
  const paired = (flat) =>
    d3.range(0, (flat || []).length, 2).map((at) => [flat[at], flat[at + 1]]);

  function shaded([place, logit], tokens, largest) {
    const share = largest > 0 ? Math.min(1, Math.abs(logit || 0) / largest) : 0;
    return m(
      "span.target",
      { title: `logit ${plain(logit)}`, style: { "--share": `${Math.round(100 * share)}%` } },
      m("code.token", token(tokens[place])),
      numbers && m("span.logit", plain(logit)),
    );
  }

  const columns = ({ tokens, largest, lowest, suppressed, first }) => [
    { name: "#", number: true, class: "muted", cell: (_, at) => first + at + 1 },
    { name: "Source", cell: ([source]) => m("code.token", token(tokens[source])) },
    {
      name: m("abbr", { title: "Saliency: how strongly the head responds to the source" }, "σ"),
      number: true,
      cell: ([, sigma]) => plain(sigma),
    },
    {
      name: "Targets it promotes",
      class: "targets",
      cell: ([, , top]) => paired(top).map((one) => shaded(one, tokens, largest)),
    },
    suppressed && {
      name: "Targets it suppresses",
      class: "targets down",
      cell: ([, , , bottom]) => paired(bottom).map((one) => shaded(one, tokens, lowest)),
    },
  ];

  const extreme = (rows, column) =>
    d3.max(rows.flatMap((one) => paired(one[column]).map(([, logit]) => Math.abs(logit || 0)))) ||
    0;

  const Mappings = {
    oninit() {
      this.all = false;
    },
    view({ attrs: { head, tokens } }) {
      const rows = head.mappings;
      const { sources } = annotator.catalog.data.evidence;
      const context = {
        tokens,
        largest: extreme(rows, 2),
        lowest: extreme(rows, 3),
        suppressed: rows.some((one) => one[3]),
      };
      const rest = rows.length - sources;
      const evidence = (label, caption, first, end) =>
        scroll(
          label,
          table(columns({ ...context, first }), rows.slice(first, end), {
            ...{ kind: "maps", caption, naming: 1 },
          }),
        );
      return m("section.mappings", { "data-testid": "mappings" }, [
        m(".title", [
          m("h2", "Salient mappings"),
          tick("show logits", {
            checked: numbers,
            "data-testid": "logits",
            onchange: (event) => (numbers = event.target.checked),
          }),
        ]),
        m(
          "p.help",
          "The sources that the head responds to most, and what it promotes when it attends to them; the stronger the colour, the nearer to its largest logit.",
        ),
        evidence("Salient mappings", "The published evidence", 0, sources),
        rest > 0 &&
          m(
            "details.rest",
            { open: this.all, ontoggle: (event) => (this.all = event.target.open) },
            m("summary", `${rest} more, which are not shown to those who describe it`),
            evidence("Further mappings", "Further mappings", sources),
          ),
      ]);
    },
  };

  return Object.freeze({ Mappings: safe(Mappings), paired });
})();
