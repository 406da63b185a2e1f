/* Searching, filtering and sorting the heads. A typed space finds ␣; the index of the tokens is
   read at the first search. What was found is kept until something of the question changes. */
"use strict";

annotator.search = (() => {
  const SHOWN = 3; // tokens told of a head, each side
  /** @type {any} the tokens of data/search.js, for comparing */
  let lowered = null;
  /** @type {any} */
  let found = {};
  /** @type {any} */
  let listed = {};

  function inDescriptions(query, at, hits) {
    const file = annotator.describers.texts(at);
    if (!file.value) return file;
    const words = query.toLowerCase().split(/\s+/).filter(Boolean);
    file.value.inputs.forEach((inputs, head) => {
      if (annotator.describers.outcome(at, head) !== "described") return;
      const text = `${inputs || ""} ${file.value.pattern[head] || ""}`.toLowerCase();
      if (words.every((word) => text.includes(word))) hits[head] = 1;
    });
    return file;
  }

  function inTokens(query, sides, hits, matched) {
    const file = annotator.data.want("search");
    if (!file.value) return file;
    lowered ||= file.value.tokens.map((token) => token.toLowerCase());
    const wanted = query.trimEnd().toLowerCase().replaceAll(" ", "␣");
    lowered.forEach((token, at) => {
      if (!token.includes(wanted)) return;
      for (const side of sides) {
        for (const head of file.value[side][at]) {
          hits[head] = 1;
          matched[head] ||= { sources: [], targets: [] };
          const own = matched[head][side];
          if (own.length < SHOWN) own.push(file.value.tokens[at]);
        }
      }
    });
    return file;
  }

  /** Which heads a search finds: {hits, matched, problem, waiting}; hits is null where all do. */
  function find(query, places, describer) {
    const key = [query, places, describer].join("\u0000");
    if (found.key === key && !found.waiting) return found;
    if (!query.trim()) {
      found = { key, hits: null, matched: [] };
      return found;
    }
    const hits = new Uint8Array(annotator.catalog.count());
    const matched = new Array(annotator.catalog.count());
    const sides = ["sources", "targets"].filter((side) => places.includes(side));
    const files = [
      ...(places.includes("descriptions") ? [inDescriptions(query, describer, hits)] : []),
      ...(sides.length ? [inTokens(query, sides, hits, matched)] : []),
    ];
    const named = annotator.catalog.index(query.trim());
    if (named >= 0) hits[named] = 1;
    const waiting = files.some((file) => !file.value && !file.problem);
    const problem = files.map((file) => file.problem).find(Boolean);
    found = { key, hits, matched, problem, waiting };
    return found;
  }

  /** Whether a head passes what is picked besides the search. */
  function passes(state, describer) {
    const { statuses, categories, describers } = annotator.catalog.data;
    const place = (names, name) => (name === "" ? null : names.indexOf(name)); // "none" is -1
    const [category, status] = [place(categories, state.category), place(statuses, state.status)];
    const [from, to] = [+state.from, +state.to];
    const said = describers[describer];
    return (head) => {
      const layer = annotator.catalog.layer(head);
      if (layer < from || layer > to) return false;
      if (category !== null && (!said || said.category[head] !== category)) return false;
      return status === null || (said && said.status[head] === status);
    };
  }

  /** What a colouring sorts by: of a class its place, the first class the largest. */
  function order(colouring, values) {
    if (!values) return () => null;
    if (colouring.kind === "number") return (head) => values[head];
    const none = colouring.classes.length - 1;
    return (head) => (values[head] === none ? null : -values[head]);
  }

  function sortValues(state, colouring, values, describer) {
    const { best, describers, signatures } = annotator.catalog.data;
    const said = describers[describer];
    const texts = annotator.describers.texts(describer).value;
    const name = state.sort.replace(/^-/, "");
    const columns = {
      head: (head) => head,
      kv: (head) => annotator.catalog.kv(head),
      value: order(colouring, values),
      best: (head) => (best ? best.phi[head] : null),
      category: (head) =>
        said && said.status[head] >= 0 ? said.status[head] * 100 + said.category[head] : null,
      description: (head) =>
        texts?.pattern[head] ? `${texts.inputs[head]} ${texts.pattern[head]}`.toLowerCase() : null,
    };
    return columns[name] || ((head) => signatures[name][head]);
  }

  /**
   * The heads that pass, in order.
   * Returns {heads, passing: a flag for every head, found: of the search}.
   */
  function list(state, colouring, values) {
    const describer = annotator.catalog.describer(state.by);
    const found = find(state.q, state.in, describer);
    const loaded = Boolean(annotator.describers.texts(describer).value);
    const key = JSON.stringify([
      { ...state, page: 0, notices: 0 },
      loaded,
      colouring.id, // the one before, while the one that is asked for is read
      found.waiting,
    ]);
    if (listed.key === key) return listed;
    const passed = passes(state, describer);
    const passing = Uint8Array.from(
      { length: annotator.catalog.count() },
      (_, head) => (!found.hits || found.hits[head]) && passed(head),
    );
    const heads = d3.range(passing.length).filter((head) => passing[head]);
    const value = sortValues(state, colouring, values, describer);
    const sign = state.sort.startsWith("-") ? -1 : 1;
    heads.sort((a, b) => {
      const [x, y] = [value(a), value(b)];
      const unknown = Number(x === null) - Number(y === null); // they come last
      if (x === null || y === null) return unknown || a - b;
      return (x < y ? -sign : x > y ? sign : 0) || a - b;
    });
    listed = { key, heads, passing, found, describer };
    return listed;
  }

  return Object.freeze({ list });
})();
