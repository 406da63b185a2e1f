/* A head's salient mappings: each source with its targets, shaded by their logits. */
"use strict";

annotator.mappings = (() => {
  const { safe, scroll } = annotator.parts;
  const { token, plain } = annotator.text;
  const EVIDENCE = 30; // sources that are published evidence
  let numbers = false; // whether logits are written out; kept from head to head

  /** A flat list of target, logit, target, logit … as pairs. */
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

  function row([source, sigma, top, bottom], at, { tokens, largest, lowest, suppressed }) {
    return m("tr", [
      m("td.number.muted", at + 1),
      m("th", { scope: "row" }, m("code.token", token(tokens[source]))),
      m("td.number", plain(sigma)),
      m(
        "td.targets",
        paired(top).map((one) => shaded(one, tokens, largest)),
      ),
      suppressed &&
        m(
          "td.targets.down",
          paired(bottom).map((one) => shaded(one, tokens, lowest)),
        ),
    ]);
  }

  const columns = (suppressed) =>
    m(
      "thead",
      m("tr", [
        m("th.number", { scope: "col" }, "#"),
        m("th", { scope: "col" }, "Source"),
        m(
          "th.number",
          { scope: "col" },
          m("abbr", { title: "Saliency: how strongly the head responds to the source" }, "σ"),
        ),
        m("th", { scope: "col" }, "Targets it promotes"),
        suppressed && m("th", { scope: "col" }, "Targets it suppresses"),
      ]),
    );

  const extreme = (rows, column) =>
    d3.max(rows.flatMap((one) => paired(one[column]).map(([, logit]) => Math.abs(logit || 0)))) ||
    0;

  const Mappings = {
    oninit() {
      this.all = false;
    },
    view({ attrs: { head, tokens } }) {
      const rows = head.mappings;
      const context = {
        tokens,
        largest: extreme(rows, 2),
        lowest: extreme(rows, 3),
        suppressed: rows.some((one) => one[3]),
      };
      const rest = rows.length - EVIDENCE;
      const table = (label, own, first) =>
        m(
          "table.maps",
          m("caption.hidden", label),
          columns(context.suppressed),
          m(
            "tbody",
            own.map((one, at) => row(one, first + at, context)),
          ),
        );
      return m("section.mappings", { "data-testid": "mappings" }, [
        m(".title", [
          m("h2", "Salient mappings"),
          m(
            "label.tick",
            m("input[type=checkbox]", {
              checked: numbers,
              "data-testid": "logits",
              onchange: (event) => (numbers = event.target.checked),
            }),
            "show logits",
          ),
        ]),
        m(
          "p.help",
          "The sources that the head responds to most, and what it promotes when it attends to them; the stronger the colour, the nearer to its largest logit.",
        ),
        scroll("Salient mappings", {}, table("The published evidence", rows.slice(0, EVIDENCE), 0)),
        rest > 0 &&
          m(
            "details.rest",
            { open: this.all, ontoggle: (event) => (this.all = event.target.open) },
            m("summary", `${rest} more, which are not shown to those who describe it`),
            scroll(
              "Further mappings",
              {},
              table("Further mappings", rows.slice(EVIDENCE), EVIDENCE),
            ),
          ),
      ]);
    },
  };

  return { Mappings: safe(Mappings), paired, EVIDENCE };
})();
