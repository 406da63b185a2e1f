/* The controls above the map: its colour, the search, the filters. What they say goes into the
   address, and comes from there alone. */
"use strict";

annotator.filters = (() => {
  const { safe, tick } = annotator.parts;
  const PAUSE = 150; // ms after the last key

  const option = (value, label) => m("option", { value }, label);
  /** A menu whose choice goes into the address under a name. */
  const select = (state, name, label, testid, options) =>
    m(
      "label.field",
      m("span", label),
      m(
        "select",
        {
          "data-testid": testid,
          value: state[name],
          onchange: (event) => annotator.state.change({ [name]: event.target.value }),
        },
        options,
      ),
    );

  function colours(state) {
    const groups = d3.group(annotator.colourings.list(), (one) => one.group);
    const options = Array.from(groups, ([label, own]) =>
      m(
        "optgroup",
        { label },
        own.map((one) => option(one.id, one.option || one.label)),
      ),
    );
    return select(state, "color", "Colour by", "color-select", options);
  }

  function described(state) {
    const { describers, categories, statuses } = annotator.catalog.data;
    if (!describers.length) return null;
    const by = describers.map((one) => option(one.id, one.by));
    const any = (names, none) => [
      option("", "any"),
      ...names.map((name) => option(name, name)),
      option("none", none),
    ];
    const [outcomes, kinds] = [any(statuses, "not asked"), any(categories, "none given")];
    return [
      by.length > 1 && select(state, "by", "Descriptions by", "describer-select", by),
      select(state, "status", "Outcome", "filter-status", outcomes),
      select(state, "category", "Category", "filter-category", kinds),
    ];
  }

  const typed = {}; // into the layers, until it is in the address: a redraw must not take it back

  /** The layer that was typed, or the nearest there is; the standard where nothing was. */
  function inside(text, standard, last) {
    const layer = text.trim() === "" ? standard : Math.trunc(Number(text) || 0);
    return String(Math.min(last, Math.max(0, layer)));
  }

  function layers(state) {
    const last = annotator.catalog.layers() - 1;
    const input = (name, label, standard) =>
      m("input", {
        ...{
          type: "number",
          min: 0,
          max: last,
          step: 1,
          value: typed[name] ?? state[name],
          "data-testid": `layer-${name}`,
          "aria-label": label,
        },
        oninput: (event) => {
          event.redraw = false;
          typed[name] = event.target.value;
        },
        onchange: (event) => {
          delete typed[name];
          annotator.state.change({ [name]: inside(event.target.value, standard, last) });
        },
      });
    return m(
      "fieldset.field.layers",
      m("legend", "Layers"),
      m(
        "span.range",
        input("from", "first layer", 0),
        m("span", "to"),
        input("to", "last layer", last),
      ),
    );
  }

  let wanted = false; // whether the search is to be focused as soon as it is there

  function focusSearch() {
    /** @type {HTMLInputElement | null} */
    const input = document.querySelector('[data-testid="search"]');
    wanted = !input;
    input?.focus();
    input?.select();
  }

  const Search = {
    oncreate() {
      if (wanted) focusSearch();
    },
    oninit() {
      this.draft = null; // what is being typed, until it is in the address
    },
    onremove() {
      clearTimeout(this.timer);
    },
    typed(event) {
      event.redraw = false;
      this.draft = event.target.value;
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.settle(), PAUSE);
    },
    settle() {
      clearTimeout(this.timer);
      if (this.draft !== null) annotator.state.change({ q: this.draft }, true);
      this.draft = null;
    },
    view({ attrs: { state } }) {
      const places = state.in.split(",");
      const toggle = (place) => {
        const left = annotator.state.PLACES.filter(
          (one) => places.includes(one) !== (one === place),
        );
        if (left.length) annotator.state.change({ in: left.join() });
      };
      return m(
        "fieldset.field.search",
        m("legend", "Search"),
        m(".line", [
          m("input[type=search]", {
            ...{
              "data-testid": "search",
              "aria-label": "Search the heads",
              placeholder: "country, ␣Paris, L23H4 …",
              autocomplete: "off",
              spellcheck: false,
              "aria-keyshortcuts": annotator.shortcuts.on() ? "/" : null,
            },
            value: this.draft ?? state.q,
            oninput: (event) => this.typed(event),
            // Nothing is given back: a false from here would keep the key from typing.
            onkeydown: (event) => void (event.key === "Enter" && this.settle()),
          }),
          m(
            "span.places",
            annotator.state.PLACES.map((place) =>
              tick(place, {
                checked: places.includes(place),
                "data-testid": `search-${place}`,
                onchange: () => toggle(place),
              }),
            ),
          ),
        ]),
      );
    },
  };

  const SafeSearch = safe(Search);

  const Filters = {
    view: ({ attrs: { state } }) =>
      m(
        "form.filters",
        { role: "search", "aria-label": "Heads", onsubmit: (event) => event.preventDefault() },
        [colours(state), m(SafeSearch, { state }), described(state), layers(state)],
      ),
  };

  return Object.freeze({ Filters: safe(Filters), focusSearch });
})();
