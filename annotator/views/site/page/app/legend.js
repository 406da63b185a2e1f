/* What the colours of the map mean: a ramp with its numbers, or the classes with their letters. */
"use strict";

annotator.legend = (() => {
  const { safe, list, chip, frame, Chart } = annotator.parts;
  const { plain } = annotator.text;

  const Legend = {
    view({ attrs: { colouring, values, at } }) {
      if (colouring.kind === "class") {
        const counts = d3.rollup(
          values,
          (own) => own.length,
          (value) => value,
        );
        const used = colouring.classes.filter((_, at) => counts.get(at));
        const count = (one) => plain(counts.get(colouring.classes.indexOf(one)));
        return list(
          "legend.classes",
          used.map((one) => [chip(one), m("span.count", ` ${count(one)}`)]),
        );
      }
      const value = at === null ? null : values[at];
      const label = `Colours from ${annotator.colourings.domain(colouring, values).map(colouring.format).join(" to ")}`;
      return m(".legend", [
        m(Chart, {
          of: `${colouring.id} ${value}`,
          label,
          draw: (width) => ramp(colouring, values, value, Math.min(width, 420)),
        }),
        colouring.q &&
          m("p.note", [
            m("i.dot"),
            colouring.id.startsWith("phi") ? "implements it" : "suppresses it",
            `: ${annotator.text.threshold()}`,
          ]),
      ]);
    },
  };

  function ramp(colouring, values, value, width) {
    const [low, high] = annotator.colourings.domain(colouring, values);
    const steps = d3.range(64);
    const at = (step) => low + ((high - low) * step) / steps.length;
    const zero = low === 0;
    return Plot.plot({
      ...frame(width, 40, [10, 20, 20, 20], { fontSize: "11px" }),
      x: { domain: [low, high], ticks: 5, tickSize: 3, tickFormat: colouring.format, label: null },
      y: { axis: null, domain: [0, 1] },
      marks: [
        Plot.rect(steps, {
          x1: at,
          x2: (step) => at(step + 1),
          y1: 0,
          y2: 1,
          fill: {
            value: steps.map((step) => annotator.colourings.ramp((step + 0.5) / steps.length)),
            scale: null,
          },
          insetRight: -0.5,
        }),
        colouring.flag && annotator.catalog.data.flag < high && zero
          ? Plot.ruleX([annotator.catalog.data.flag], {
              y1: 0,
              y2: 1,
              stroke: "var(--text)",
              strokeDasharray: "2,2",
            })
          : null,
        value === null
          ? null
          : Plot.dot([value], {
              x: (one) => one,
              y: 1,
              dy: -5,
              symbol: "triangle",
              rotate: 180,
              r: 4,
              fill: "var(--text)",
            }),
      ],
    });
  }

  return Object.freeze({ Legend: safe(Legend) });
})();
