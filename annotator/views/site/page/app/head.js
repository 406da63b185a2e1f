/* The page of a head. */
"use strict";

annotator.head = (() => {
  const { safe, withData } = annotator.parts;

  const step = (index, by) =>
    index + by >= 0 && index + by < annotator.catalog.count()
      ? `/${annotator.catalog.name(index + by)}`
      : null;

  function turn(index, by, label, testid) {
    const to = step(index, by);
    const arrow = m("span", { "aria-hidden": "true" }, by < 0 ? "←" : "→");
    if (!to) return m("span.turn.off", { "data-testid": testid, "aria-hidden": "true" }, arrow);
    const name = to.slice(1);
    const attrs = { "data-testid": testid, rel: testid, "aria-label": `${label} head, ${name}` };
    return m(
      "a.turn",
      { href: `#${to}`, ...attrs },
      by < 0 ? [arrow, ` ${name}`] : [`${name} `, arrow],
    );
  }

  function title(index, head, layer) {
    const { name, scored, implemented } = annotator.catalog;
    const strong = head.relations
      .map(scored)
      .filter(({ phi, q }) => implemented(phi, q))
      .sort((a, b) => b.phi - a.phi);
    return m("header.intro.headed", [
      m(".title", [
        m("h1", { tabindex: -1 }, name(index), m("span.of", ` of ${annotator.catalog.title()}`)),
        m(
          "nav.turns",
          { "aria-label": "Heads" },
          turn(index, -1, "Previous", "prev"),
          turn(index, 1, "Next", "next"),
        ),
        m(annotator.cite.Copy, {
          label: "Copy as JSON",
          "data-testid": "copy-json",
          text: () => annotator.cite.json(index, head, layer),
        }),
      ]),
      m("p.facts", [
        `Layer ${annotator.catalog.layer(index)}, head ${index % annotator.catalog.heads()}, KV head ${head.kv_head}`,
        strong.length > 0 && [
          " · implements ",
          strong
            .slice(0, 4)
            .map(({ relation, phi }, place) => [
              place > 0 && ", ",
              m("span.name", relation.name),
              ` ${annotator.text.score(phi)}`,
            ]),
          strong.length > 4 && ` and ${strong.length - 4} more`,
        ],
      ]),
    ]);
  }

  function page(index, layer) {
    const head = layer.heads[index % annotator.catalog.heads()];
    const attrs = { index, head, tokens: layer.tokens };
    return m(".one", [
      title(index, head, layer),
      m(".sides", [
        m(
          ".main",
          m(annotator.descriptions.Descriptions, attrs),
          m(annotator.mappings.Mappings, attrs),
          m(annotator.descriptions.Judgments, attrs),
        ),
        m(
          "aside.more",
          { "aria-label": "Measured" },
          m(annotator.measured.Relations, attrs),
          m(annotator.measured.Signatures, attrs),
          m(annotator.measured.Similar, attrs),
          m(annotator.cite.Cite, attrs),
        ),
      ]),
    ]);
  }

  const Head = {
    view({ attrs: { index } }) {
      const layer = annotator.catalog.layer(index);
      return withData(`layer-${layer}`, `Layer ${layer}`, (value) => page(index, value));
    },
  };

  return Object.freeze({ Head: safe(Head), step });
})();
