/* Whether static scores hold in inference: what experiments on this model gave, each as it comes. */
"use strict";

annotator.validation = (() => {
  const { safe, withData, page, section, folded } = annotator.parts;
  const { Intervals, Results, Panels, seriesOf } = annotator.charts;
  const FIRST = 12;

  /** A table's rows as dots with their intervals, the largest first. */
  function chart(one, rows) {
    if (!rows.length) return m("p.muted", "No relation has a number.");
    const keys = Object.keys(one.series);
    const numbers = rows.flatMap((row) => keys.flatMap((key) => [row[key].low, row[key].value]));
    return m(Intervals, {
      rows: [...rows].sort((a, b) => b[keys[0]].value - a[keys[0]].value),
      series: seriesOf(one.series),
      options: {
        domain: [Math.floor(Math.min(0, ...numbers) * 10) / 10, 1],
        label: one.axis,
      },
      label: one.title,
    });
  }

  const charted = ({ chart: one }) =>
    one.groups.map((group) =>
      m("div", group.title && m("h3", group.title), chart(one, group.rows)),
    );
  const open = (table, title) =>
    m("div", title && m("h3", table.title), m(Results, { table, first: table.first || FIRST }));

  function experiment(one) {
    const [main] = one.tables;
    const charts = one.tables.filter((table) => table.chart);
    const hidden = one.figures.length ? [...charts, main] : charts;
    const rest = one.tables.filter((table) => !hidden.includes(table));
    const shown = [...charts.flatMap(charted), ...rest.map((table) => open(table, table !== main))];
    return section(
      one.title,
      m("p.prose.help", main.about),
      m(shown.length > 1 ? ".pair" : "div", shown),
      one.figures.map((figure) => m(Panels, { figure })),
      hidden.map((table) => folded("All numbers", m(Results, { table }))),
    );
  }

  const Page = {
    view: () =>
      page(
        "Validation",
        "Do scores from the weights hold when the model runs?",
        withData("results", "The results", (data) => data.validation.map(experiment)),
      ),
  };

  return Object.freeze({ Page: safe(Page) });
})();
