/* Who described heads, and what each of them says of a head. */
"use strict";

annotator.describers = (() => {
  const { written, NONE } = annotator.text;

  /** The file of a describer's texts; nobody's is empty. */
  const texts = (at) =>
    at < 0 ? { value: { inputs: [], pattern: [] } } : annotator.data.want(`describer-${at}`);

  /** What came of asking for a description: a status; null where there is no such describer. */
  function outcome(at, head) {
    const { describers, statuses } = annotator.catalog.data;
    return describers[at] ? (statuses[describers[at].status[head]] ?? "not asked") : null;
  }

  /** What a describer says of a head, in a line: inputs → pattern; null where it described nothing. */
  function line(at, head) {
    const file = texts(at);
    if (!file.value || outcome(at, head) !== "described") return null;
    return [
      m("span", written(file.value.inputs[head]) || NONE),
      m("span.arrow", " → "),
      m("span", written(file.value.pattern[head]) || NONE),
    ];
  }

  return Object.freeze({ texts, outcome, line });
})();
