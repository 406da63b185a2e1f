/* The figures of the results, each drawn by Plot from its numbers; and their tables. */
"use strict";

annotator.charts = (() => {
  const { safe, scroll, Chart } = annotator.parts;
  const { plain, score } = annotator.text;
  // Two series differ in colour, in shape, and in being filled or not.
  const SERIES = {
    without: {
      label: "without context",
      color: "var(--class-1)",
      symbol: "circle",
      dy: -4,
      filled: true,
    },
    with_context: {
      label: "with context",
      color: "var(--class-3)",
      symbol: "diamond2",
      dy: 4,
      filled: false,
    },
  };
  const STYLE = { background: "none", fontSize: "12px", overflow: "visible" };
  const ROW = 26;

  const symbol = ({ color, symbol: shape, filled }) =>
    m(Chart, {
      class: "glyph",
      of: `${color} ${shape}`,
      draw: () =>
        Plot.plot({
          width: 16,
          height: 16,
          margin: 3,
          axis: null,
          x: { domain: [0, 1] },
          y: { domain: [0, 1] },
          style: { background: "none" },
          marks: [
            Plot.dot([0], {
              x: 0.5,
              y: 0.5,
              r: 4,
              symbol: shape,
              fill: filled ? color : "var(--page)",
              stroke: color,
              strokeWidth: 1.8,
            }),
          ],
        }),
    });

  const key = (series) =>
    m(
      "p.keyed",
      series.map((one) => m("span", symbol(one), one.label)),
    );

  // Long names need room of their own, but no more than two fifths of a narrow screen.
  const margin = (names, width) =>
    Math.min(width * 0.4, 14 + 6.7 * d3.max(names, (name) => name.length));

  /** A series' dots, and the intervals that are known. */
  function series(rows, key, { color, symbol: shape, dy, filled }, low) {
    const own = rows.filter((row) => Number.isFinite(row[key]?.value));
    const ranged = own.filter((row) => Number.isFinite(row[key].low));
    const paint = { y: "name", stroke: color, strokeWidth: 1.8, dy };
    const span = { x1: (row) => Math.max(low, row[key].low), x2: (row) => row[key].high };
    const dot = { r: 4, symbol: shape, fill: filled ? color : "var(--page)" };
    return [
      Plot.ruleY(ranged, { ...paint, ...span, strokeOpacity: 0.75 }),
      Plot.dot(own, { ...paint, ...dot, x: (row) => row[key].value }),
    ];
  }

  /**
   * Dots with their intervals, a row for each name; series beside each other.
   * rows: {name, and by series {value, low, high}}
   */
  function intervals(rows, shown, { domain, label, format = score }, width) {
    const names = rows.map((row) => row.name);
    const marginLeft = margin(names, width);
    const edges = { marginLeft, marginRight: 14, marginTop: 8, marginBottom: 40 };
    return Plot.plot({
      ...{ width, height: rows.length * ROW + 52, ...edges, style: STYLE },
      x: {
        ...{ domain, grid: true, tickFormat: format, ticks: width < 500 ? 4 : 8, tickSize: 0 },
        ...{ label, labelAnchor: width < 500 ? "right" : "center", labelArrow: "none" },
      },
      y: { domain: names, axis: null },
      marks: [
        Plot.axisY({ label: null, tickSize: 0, lineWidth: (marginLeft - 10) / 12 }),
        Plot.ruleX(domain[0] <= 0 ? [0] : [], { stroke: "var(--edge)" }),
        ...Object.entries(shown).flatMap(([key, one]) => series(rows, key, one, domain[0])),
      ],
    });
  }

  const Intervals = {
    view: ({ attrs: { rows, series, options, label } }) =>
      m(
        "figure",
        Object.keys(series).length > 1 && key(Object.values(series)),
        m(Chart, {
          of: rows.map((row) => row.name).join(),
          label,
          draw: (width) => intervals(rows, series, options, width),
        }),
      ),
  };

  /** A table as the results have it. */
  const Results = {
    view({ attrs: { table, first = Infinity } }) {
      const cell = (value, at) =>
        m(
          at === 0 ? "th" : "td",
          { scope: at === 0 ? "row" : null, class: table.columns[at].number ? "number" : "" },
          value === null || value === ""
            ? "–"
            : table.columns[at].number
              ? plain(value)
              : String(value),
        );
      const shown = (rows, title) =>
        scroll(
          title,
          {},
          m(
            "table",
            m(
              "thead",
              m(
                "tr",
                table.columns.map((one) =>
                  m("th", { scope: "col", class: one.number ? "number" : "" }, one.name),
                ),
              ),
            ),
            m(
              "tbody",
              rows.map((row) => m("tr", row.map(cell))),
            ),
          ),
        );
      const rest = table.rows.slice(first);
      return [
        shown(table.rows.slice(0, first), table.title),
        rest.length > 0 &&
          m(
            "details",
            m("summary", `${rest.length} more rows`),
            shown(rest, `${table.title}: more rows`),
          ),
      ];
    },
  };

  /** One relation's accuracy as its heads are silenced, with random and control heads at the step. */
  function ablation(one, width) {
    const points = one.own.map((accuracy, silenced) => ({ accuracy, silenced }));
    const last = points.length - 1;
    const at = (values) => values.map((accuracy) => ({ accuracy, silenced: one.step }));
    const control = one.controls.length
      ? [{ accuracy: d3.mean(one.controls, (own) => own.accuracy), silenced: one.step }]
      : [];
    return Plot.plot({
      ...{
        width,
        height: 170,
        marginLeft: 30,
        marginRight: 10,
        marginBottom: 34,
        marginTop: 10,
        style: { ...STYLE, fontSize: "11px" },
      },
      x: {
        domain: [0, Math.max(1, last)],
        label: "heads silenced",
        labelAnchor: "center",
        labelArrow: "none",
        ticks: 5,
        tickSize: 0,
      },
      y: { domain: [0, 1], label: null, grid: true, ticks: 3, tickSize: 0, tickFormat: score },
      marks: [
        Plot.ruleX([one.step], { stroke: "var(--edge)", strokeDasharray: "2,3" }),
        Plot.line(points, {
          x: "silenced",
          y: "accuracy",
          stroke: "var(--class-1)",
          strokeWidth: 2,
        }),
        Plot.dot(at(one.random), {
          x: "silenced",
          y: "accuracy",
          symbol: "circle",
          r: 3.5,
          fill: "var(--page)",
          stroke: "var(--class-3)",
          strokeWidth: 1.8,
        }),
        Plot.dot(control, {
          x: "silenced",
          y: "accuracy",
          symbol: "square",
          r: 4,
          fill: "var(--class-2)",
          stroke: "var(--page)",
        }),
      ],
    });
  }

  const ABLATED = [
    {
      label: "the relation's own heads, strongest first",
      color: "var(--class-1)",
      symbol: "circle",
      filled: true,
    },
    {
      label: "as many random heads (five draws)",
      color: "var(--class-3)",
      symbol: "circle",
      filled: false,
    },
    {
      label: "its heads, while other relations are asked for (mean)",
      color: "var(--class-2)",
      symbol: "square",
      filled: true,
    },
  ];

  const Ablations = {
    view: ({ attrs: { ablations } }) => [
      key(ABLATED),
      m(
        ".small",
        ablations
          .filter((one) => one.own.length > 1)
          .map((one) =>
            m(
              "figure",
              m(
                "figcaption",
                m(
                  "a.name",
                  { href: annotator.state.colouredBy(`phi:${one.relation}`) },
                  one.relation,
                ),
                m("span.muted", ` ${one.prompts} prompts`),
              ),
              m(Chart, {
                of: one.relation,
                label: `${one.relation}: accuracy falls from ${score(one.base)} to ${score(one.own[one.step])} with ${one.step} heads silenced`,
                draw: (width) => ablation(one, width),
              }),
            ),
          ),
      ),
    ],
  };

  return { SERIES, Intervals: safe(Intervals), Results: safe(Results), Ablations: safe(Ablations) };
})();
