/* What is looked at on the overview, kept in the address alone: a link or a step back restores it. */
"use strict";

annotator.state = (() => {
  const PLACES = ["descriptions", "sources", "targets"];
  const SORTS = ["head", "kv", "value", "best", "category", "description"];
  let last = {}; // the parameters that were last seen on the overview

  const described = (by) => annotator.catalog.data.describers.some((one) => one.id === by);
  const layerNumber = (text) => /^\d{1,5}$/.test(text) && +text < annotator.catalog.layers();
  const sortable = (text) =>
    SORTS.includes(text.replace(/^-/, "")) ||
    Object.hasOwn(annotator.catalog.data.signatures, text.replace(/^-/, ""));
  const listed = (names) => (text) => [...names, "none"].includes(text);

  /** By parameter: its standard value, which values it may have, and what any other is. */
  function fields() {
    const { categories, statuses } = annotator.catalog.data;
    const last = String(annotator.catalog.layers() - 1);
    const nobody = "nobody who described heads of this catalog";
    const nothing = "nothing that the map can be coloured by";
    const placed = (text) => text.split(",").every((place) => PLACES.includes(place));
    const field = (standard, fits, expected) => ({ standard, fits, expected });
    return {
      color: field(annotator.colourings.standard(), annotator.colourings.find, nothing),
      by: field(annotator.catalog.data.describers[0]?.id || "", described, nobody),
      q: field("", () => true),
      in: field(PLACES.join(), placed, `not among ${PLACES.join(", ")}`),
      category: field("", listed(categories), "no category"),
      status: field("", listed(statuses), "no outcome"),
      from: field("0", layerNumber, "no layer of this model"),
      to: field(last, layerNumber, "no layer of this model"),
      sort: field("-value", sortable, "no column"),
      page: field("1", (text) => /^[1-9]\d{0,4}$/.test(text), "no page"),
    };
  }

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
    return `#/${query && `?${query}`}`;
  };

  return Object.freeze({
    ...{ now, change, href, PLACES },
    reset: () => m.route.set("/"),
    back: () => href(last),
    colouredBy: (color) => href({ ...last, color, page: undefined }),
  });
})();
