/* What is looked at on the overview, kept in the address alone: a link or a step back restores it. */
"use strict";

annotator.state = (() => {
  const PLACES = ["descriptions", "sources", "targets"];
  const SORTS = ["head", "kv", "value", "best", "category", "description"];
  let last = {}; // the parameters that were last seen on the overview

  const described = (by) => annotator.model.data.describers.some((one) => one.id === by);
  const layerNumber = (text) => /^\d{1,5}$/.test(text) && +text < annotator.model.layers();
  const sortable = (text) =>
    SORTS.includes(text.replace(/^-/, "")) ||
    Object.hasOwn(annotator.model.data.signatures, text.replace(/^-/, ""));
  const listed = (names) => (text) => [...names, "none"].includes(text);

  // By parameter: its standard value, which values it may have, and what is expected instead.
  const fields = () => ({
    color: {
      standard: annotator.colourings.standard(),
      fits: (text) => annotator.colourings.find(text),
      expected: "nothing that the map can be coloured by",
    },
    by: {
      standard: annotator.model.data.describers[0]?.id || "",
      fits: described,
      expected: "nobody who described heads of this catalog",
    },
    q: { standard: "", fits: () => true },
    in: {
      standard: PLACES.join(),
      fits: (text) => text.split(",").every((place) => PLACES.includes(place)),
      expected: `not among ${PLACES.join(", ")}`,
    },
    category: {
      standard: "",
      fits: listed(annotator.model.data.categories || []),
      expected: "no category",
    },
    status: {
      standard: "",
      fits: listed(annotator.model.data.statuses || []),
      expected: "no outcome",
    },
    from: { standard: "0", fits: layerNumber, expected: "no layer of this model" },
    to: {
      standard: String(annotator.model.layers() - 1),
      fits: layerNumber,
      expected: "no layer of this model",
    },
    sort: { standard: "-value", fits: sortable, expected: "no column" },
    page: { standard: "1", fits: (text) => /^[1-9]\d{0,4}$/.test(text), expected: "no page" },
  });

  /**
   * What the address says.
   * Returns the value of every field, and notices on what was left out and why.
   */
  function read(params) {
    const found = {};
    const notices = [];
    const known = fields();
    for (const name of Object.keys(params)) {
      if (!known[name])
        notices.push(`The link says ${name}=${params[name]}, which means nothing here.`);
    }
    for (const [name, field] of Object.entries(known)) {
      const text = params[name] === undefined ? field.standard : String(params[name]);
      const fits = text === field.standard || field.fits(text);
      if (!fits) notices.push(`The link says ${name}=${text}, which is ${field.expected}.`);
      found[name] = fits ? text : field.standard;
    }
    last = given(found);
    return { ...found, notices };
  }

  // Mithril's router decodes an address before it takes it apart: = & # of a search would be lost.
  const now = () => read(m.parsePathname(window.location.hash.slice(1)).params);

  /** Only what differs from the standard goes into the address. */
  function given(state) {
    const known = fields();
    return Object.fromEntries(
      Object.keys(known)
        .filter((name) => state[name] !== undefined && state[name] !== known[name].standard)
        .map((name) => [name, state[name]]),
    );
  }

  /** Change some of it; replace: without a step back to what was before, as while typing. */
  function change(changes, replace = false) {
    const page = "page" in changes ? {} : { page: "1" };
    m.route.set("/", given({ ...now(), ...page, ...changes }), { replace });
  }

  const href = (params) => {
    const query = m.buildQueryString(params);
    return `#/${query && "?" + query}`;
  };

  return {
    ...{ read, now, change, href, PLACES },
    reset: () => m.route.set("/"),
    back: () => href(last),
    colouredBy: (color) => href({ ...last, color, page: undefined }),
  };
})();
