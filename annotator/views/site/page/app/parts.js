/* Small parts that every page is made of. */
"use strict";

annotator.parts = (() => {
  /** A component whose error is a message in its place, never a blank page. */
  function safe(component) {
    const view = component.view;
    return {
      ...component,
      view(vnode) {
        try {
          return view.call(this, vnode);
        } catch (error) {
          console.error(error);
          return problem(
            `This part could not be drawn: its data is not as expected (${error.message}).`,
          );
        }
      },
    };
  }

  const problem = (...text) => m(".problem", { role: "alert" }, text);
  const waiting = (what) => m("p.waiting", `Reading ${what} …`);

  /**
   * What a file of data is shown as, or why it is not.
   * @param name of the file
   * @param what it holds, in words
   * @param show draws its value
   */
  function withData(name, what, show) {
    const file = annotator.data.want(name);
    if (file.problem) return problem(`${what} cannot be shown. ${file.problem}`);
    return file.value ? show(file.value) : waiting(what.toLowerCase());
  }

  /** What a page is called, where whoever comes by a link starts; and what that is. */
  const intro = (title, facts) =>
    m("header.intro", m("h1", { tabindex: -1 }, title), facts && m("p.facts", facts));
  const page = (title, facts, ...content) => m(".page", intro(title, facts), content);
  const section = (title, ...content) => m("section", m("h2", title), content);
  const folded = (summary, ...content) => m("details", m("summary", summary), content);
  const list = (kind, items) =>
    m(
      `ul.${kind}`,
      items.map((one) => m("li", one)),
    );

  /** A link that shows as soon as the keyboard is on it: to what a selector finds. */
  const skip = (label, selector) =>
    m(
      "a.skip",
      {
        href: "#main",
        onclick: (event) => {
          event.preventDefault();
          document.querySelector(selector).focus();
        },
      },
      label,
    );

  const tick = (label, attrs) => m("label.tick", m("input[type=checkbox]", attrs), label);

  /** A wide table scrolls in its own region, which the keyboard reaches too. */
  const scroll = (label, content, attrs = {}) =>
    m(".scroll", { tabindex: 0, role: "region", "aria-label": label, ...attrs }, content);

  const heading = ({ name, number, title }) =>
    m("th", { scope: "col", class: number ? "number" : "", title }, name);

  /**
   * A table; without headings where no column has a name.
   * columns: cell(row, place) gives what stands in it, undefined where another cell spans it; name
   *   and title its heading; number: whether both are aligned as numbers, class: of its cells
   *   alone, attrs(row): what else a cell has; what is no column is left out
   * options: kind of table, caption, head: the selector of the headings, headed(column): one of
   *   them, naming: which column's cells are the names of the rows, line(row): what a row has
   */
  function table(given, rows, options = {}) {
    const { kind = "", caption, head = "thead", headed = heading, naming = 0, line } = options;
    const columns = given.filter(Boolean);
    const cell = (one, at, row, place) => {
      const kinds = [one.number && "number", one.class].filter(Boolean).join(" ");
      const attrs = { scope: at === naming ? "row" : null, class: kinds, ...one.attrs?.(row) };
      const content = one.cell(row, place);
      return content === undefined ? null : m(at === naming ? "th" : "td", attrs, content);
    };
    const drawn = (row, place) => {
      const cells = columns.map((one, at) => cell(one, at, row, place));
      return m("tr", line ? line(row) : null, cells);
    };
    return m("table", { class: kind }, [
      caption && m("caption.hidden", caption),
      columns.some((one) => one.name) && m(head, m("tr", columns.map(headed))),
      m("tbody", rows.map(drawn)),
    ]);
  }

  function headLink(index) {
    const name = annotator.catalog.name(index);
    return m("a.head", { href: `#/${name}` }, name);
  }

  const relationLink = (name, title) =>
    m("a.name", { href: annotator.state.colouredBy(`phi:${name}`), title }, name);

  /** A class of a colouring: its letter on its colour. */
  const chip = ({ color, ink, letter, label }) =>
    m("span.chip", [
      m("i.swatch", { style: { background: color, color: ink }, "aria-hidden": "true" }, letter),
      label,
    ]);

  /** A plain table of names and values. */
  const pairs = (rows) =>
    m(
      "dl.pairs",
      rows
        .filter((row) => row && row[1] !== null && row[1] !== undefined)
        .map(([name, value]) => m("div", [m("dt", name), m("dd", value)])),
    );

  /** A figure is one image with one name, or none at all; Plot's names of its parts are not heard. */
  function named(svg, label) {
    if (!label) return svg.setAttribute("aria-hidden", "true");
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", label);
    for (const part of svg.querySelectorAll("[aria-label]")) part.removeAttribute("aria-label");
  }

  /** What a figure is drawn in: its size, its margins in the order of CSS, how its texts look. */
  const frame = (width, height, [marginTop, marginRight, marginBottom, marginLeft], style) => ({
    ...{ width, height, marginTop, marginRight, marginBottom, marginLeft },
    style: { background: "none", ...style },
  });

  /**
   * A figure that Plot draws, again whenever its width, its theme or `of` changes.
   * attrs: draw(width) gives an SVG, of: what it is drawn from, label: for who cannot see it
   */
  const Chart = {
    oncreate(vnode) {
      this.watch = new ResizeObserver(() => this.measure(vnode.dom));
      this.watch.observe(vnode.dom);
      this.attrs = vnode.attrs;
      this.measure(vnode.dom);
    },
    onupdate(vnode) {
      this.attrs = vnode.attrs;
      this.draw(vnode.dom);
    },
    onremove() {
      this.watch.disconnect();
    },
    /** Only here: to ask for a width lays the whole page out. */
    measure(dom) {
      this.width = dom.clientWidth;
      this.draw(dom);
    },
    draw(dom) {
      const { of, draw, label, drawn } = this.attrs;
      const { width } = this;
      const key = [width, annotator.theme.now(), of].join(" ");
      if (!width || key === this.key) return;
      this.key = key;
      try {
        const svg = draw(width);
        named(svg, label);
        dom.replaceChildren(svg);
        if (drawn) drawn(svg, width);
      } catch (error) {
        console.error(error);
        dom.textContent = `This figure could not be drawn (${error.message}).`;
      }
    },
    view: (vnode) => m(".chart", { class: vnode.attrs.class }),
  };

  return Object.freeze({
    ...{ safe, problem, waiting, withData, intro, page, section, folded, list, skip, tick },
    ...{ scroll, table, headLink, relationLink, chip, pairs, frame, Chart },
  });
})();
