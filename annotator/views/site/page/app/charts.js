/* The figures of the results, each drawn by Plot from its numbers; and their tables. */
"use strict";

annotator.charts = (() => {
  const { safe, folded, scroll, table, relationLink, frame, Chart } = annotator.parts;
  const { plain, score, NONE } = annotator.text;
  // Two series differ in colour, in shape, and in being filled or not.
  const LOOKS = [
    { color: "var(--class-1)", symbol: "circle", filled: true },
    { color: "var(--class-3)", symbol: "diamond2", filled: false },
  ];
  /** Series by their keys, each with a look of its own, and so many pixels off a row's middle. */
  const seriesOf = (labels, off = 4) =>
    Object.fromEntries(
      Object.entries(labels).map(([name, label], at) => [
        name,
        { label, dy: at % 2 ? off : -off, ...LOOKS[at % LOOKS.length] },
      ]),
    );
  const STYLE = { fontSize: "12px", overflow: "visible" };
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
    Math.min(width * 0.4, 14 + 6.7 * Math.max(...names.map((name) => name.length)));

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
    return Plot.plot({
      ...frame(width, rows.length * ROW + 52, [8, 14, 40, marginLeft], STYLE),
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

  const written = (value, number) =>
    value === null || value === "" ? NONE : number ? plain(value) : String(value);

  /** A table as the results have it; the rows after the first so many are folded away. */
  const Results = {
    view({ attrs: { table: one, first = Infinity } }) {
      const columns = one.columns.map(({ name, number }, at) => ({
        name,
        number,
        cell: (row) => written(row[at], number),
      }));
      const rest = one.rows.slice(first);
      return [
        scroll(one.title, table(columns, one.rows.slice(0, first))),
        rest.length > 0 &&
          folded(
            `${rest.length} more rows`,
            scroll(`${one.title}: more rows`, table(columns, rest)),
          ),
      ];
    },
  };

  // How the marks of a figure's series look; the first line is the one that matters.
  const MARKS = {
    line: { color: "var(--class-1)", symbol: "circle", filled: true, width: 2 },
    dots: { color: "var(--class-3)", symbol: "circle", filled: false },
    crosses: { color: "var(--class-3)", symbol: "times", filled: false },
    diamonds: { color: "var(--class-2)", symbol: "square", filled: true },
    thin: { color: "var(--class-2)", symbol: "square", filled: true, width: 0.6 },
  };

  const pointsOf = (one) => Array.from(one.x, (x, at) => ({ x, y: one.y[at] }));

  function mark(one) {
    const { color, symbol: shape, filled, width } = MARKS[one.mark];
    const at = { x: "x", y: "y", stroke: color };
    if (width) return Plot.line(pointsOf(one), { ...at, strokeWidth: width });
    const paint = filled ? { fill: color, stroke: "var(--page)" } : { fill: "var(--page)" };
    return Plot.dot(pointsOf(one), {
      ...{ ...at, symbol: shape, r: 3.5, strokeWidth: filled ? 1 : 1.8, ...paint },
    });
  }

  /** One of a figure's small multiples: upwards from 0 to 1. */
  function panel(one, figure, width) {
    const last = d3.max(one.series, (own) => d3.max(own.x)) || 1;
    return Plot.plot({
      ...frame(width, 170, [10, 10, 34, 30], { ...STYLE, fontSize: "11px" }),
      x: {
        domain: [0, last],
        label: figure.x,
        labelAnchor: "center",
        labelArrow: "none",
        ticks: 5,
        tickSize: 0,
      },
      y: { domain: [0, 1], label: null, grid: true, ticks: 3, tickSize: 0, tickFormat: score },
      marks: [
        Plot.ruleX(one.at === null ? [] : [one.at], {
          stroke: "var(--edge)",
          strokeDasharray: "2,3",
        }),
        ...one.series.map(mark),
      ],
    });
  }

  /** A line's first height, and that where the table reads, in words. */
  function told(one, figure) {
    const line = one.series.find((own) => own.mark === "line");
    const from = line ? `: from ${score(line.y[0])}` : "";
    const to = line && one.at !== null ? ` to ${score(line.y[one.at])} at ${one.at}` : "";
    return `${one.relation}, ${figure.y}${from}${to}`;
  }

  const Panels = {
    view: ({ attrs: { figure } }) => {
      const labels = new Map(
        figure.panels.flatMap((one) => one.series.map((own) => [own.label, MARKS[own.mark]])),
      );
      return [
        key(Array.from(labels, ([label, look]) => ({ label, ...look }))),
        m(
          ".small",
          figure.panels.map((one) =>
            m(
              "figure",
              m("figcaption", relationLink(one.relation), m("span.muted", ` ${one.title}`)),
              m(Chart, {
                of: `${figure.name} ${one.relation}`,
                label: told(one, figure),
                draw: (width) => panel(one, figure, width),
              }),
            ),
          ),
        ),
      ];
    },
  };

  return Object.freeze({
    seriesOf,
    Intervals: safe(Intervals),
    Results: safe(Results),
    Panels: safe(Panels),
  });
})();
