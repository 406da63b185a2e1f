/* The model as a map: a row for each layer, a column for each head. Plot draws the cells once for a
   width; colours, letters, dots, and who is pointed at or does not pass, are set upon them, so that
   thousands of heads follow at once. A cell that does not pass lets a speck beneath it show. */
"use strict";

annotator.map = (() => {
  const { safe, Chart } = annotator.parts;
  const MARGIN = { marginTop: 22, marginLeft: 34, marginRight: 2, marginBottom: 2 };
  const LETTERS_FROM = 10; // px of the smaller side of a cell
  const SIDES = ["x", "y", "width", "height"];
  const SPECK = 0.24; // of a cell's sides

  // What many layers share: a screen, less what stands above the map.
  const room = () => Math.min(720, Math.max(440, window.innerHeight - 330));

  const ticks = (count, room, least) => {
    const steps = [1, 2, 4, 5, 8, 10, 16, 20, 40];
    const every = steps.find((step) => (room / count) * step >= least) || 80;
    return d3.range(0, count, every);
  };

  /** How large everything is, as both of Plot's drawings have it. */
  function sized(width) {
    const { layers, heads, layer } = annotator.catalog;
    const tall = Math.round(Math.min(22, Math.max(6, room() / layers()))) * layers();
    const wide = width - MARGIN.marginLeft - MARGIN.marginRight;
    return {
      cell: Math.min(tall / layers(), wide / heads()),
      place: { x: (head) => head % heads(), y: layer },
      plot: {
        ...MARGIN,
        ...{ width, height: tall + MARGIN.marginTop + MARGIN.marginBottom, padding: 0 },
        style: { background: "none", fontSize: "11px" },
        x: {
          type: "band",
          domain: d3.range(heads()),
          axis: "top",
          ticks: ticks(heads(), wide, 20),
        },
        y: {
          type: "band",
          domain: d3.range(layers()),
          ticks: ticks(layers(), tall, 13),
          tickFormat: (at) => `L${at}`,
        },
      },
    };
  }

  /** The cells, still without their colours. */
  function drawCells({ cell, place, plot }) {
    const indices = d3.range(annotator.catalog.count());
    const bare = { tickSize: 0, label: null };
    const fill = "var(--cell-zero)";
    const shape = { fill, inset: cell > 7 ? 0.75 : 0.4, rx: cell > 10 ? 2 : 0 };
    return Plot.plot({
      ...plot,
      x: { ...plot.x, ...bare },
      y: { ...plot.y, ...bare },
      marks: [Plot.cell(indices, { ...place, ...shape })],
    });
  }

  /** What stands on cells: letters of classes, or a dot where a head implements the relation. */
  function overlay(colouring, values, { cell, place, plot }) {
    const indices = d3.range(values.length);
    if (colouring.kind === "class" && cell >= LETTERS_FROM) {
      const classOf = (head) => colouring.classes[values[head]];
      const heads = indices.filter((head) => classOf(head).letter);
      const fill = { value: heads.map((head) => classOf(head).ink), scale: null };
      const font = { fontSize: Math.min(11, cell * 0.8), fontWeight: 600 };
      const text = (head) => classOf(head).letter;
      return { heads, mark: Plot.text(heads, { ...place, text, fill, ...font }), plot };
    }
    if (colouring.q) {
      const q = colouring.q();
      const heads = indices.filter((head) => annotator.catalog.implemented(values[head], q[head]));
      const fill = { value: heads.map((head) => inkOn(colouring, values, head)), scale: null };
      const r = Math.max(1.2, Math.min(3, cell * 0.16));
      return { heads, mark: Plot.dot(heads, { ...place, r, fill, stroke: "none" }), plot };
    }
    return null;
  }

  function inkOn(colouring, values, head) {
    const [low, high] = annotator.colourings.domain(colouring, values);
    const color = annotator.colourings.ramp((values[head] - low) / (high - low));
    return d3.lab(color).l > 55 ? "#111" : "#fff";
  }

  /** The overlay's marks, out of a drawing of the same size. */
  function drawOverlay({ heads, mark, plot }) {
    const axis = { axis: null };
    const svg = Plot.plot({
      ...plot,
      x: { ...plot.x, ...axis },
      y: { ...plot.y, ...axis },
      marks: [mark],
    });
    const group = svg.querySelector('g[aria-label="text"], g[aria-label="dot"]');
    return group && { group, heads, marks: [...group.children] };
  }

  function shape(name, attributes) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  }

  /** A small rectangle in the middle of a cell, as a path. */
  function speck(cell) {
    const [x, y, width, height] = SIDES.map((side) => +cell.getAttribute(side));
    const [w, h] = [width * SPECK, height * SPECK];
    return `M${x + (width - w) / 2},${y + (height - h) / 2}h${w}v${h}h${-w}z`;
  }

  const HeadMap = {
    /** Plot has drawn the cells: say of each which head it is, and set the rest upon them. */
    drawn(svg, width, attrs) {
      this.cells = [...svg.querySelectorAll('g[aria-label="cell"] rect')];
      for (const [head, cell] of this.cells.entries())
        cell.dataset.head = annotator.catalog.name(head);
      this.ring = svg.appendChild(shape("rect", { class: "ring" }));
      const beneath = this.cells[0].parentNode;
      beneath.before(shape("path", { class: "specks", d: this.cells.map(speck).join("") }));
      Object.assign(this, { svg, size: sized(width), painted: null, dimmed: null, over: null });
      this.mark(attrs);
    },

    mark({ colouring, values, passing, at }) {
      if (!this.cells) return;
      const key = [colouring.id, annotator.theme.now()].join(" ");
      if (this.painted !== key) this.paint(colouring, values);
      if (this.dimmed !== passing || this.painted !== key) this.dim(passing);
      Object.assign(this, { painted: key, dimmed: passing });
      const cell = at === null ? null : this.cells[at];
      this.ring.style.display = cell ? "" : "none";
      for (const side of cell ? SIDES : []) this.ring.setAttribute(side, cell.getAttribute(side));
    },

    paint(colouring, values) {
      const colours = annotator.colourings.colours(colouring, values);
      for (const [head, cell] of this.cells.entries()) cell.setAttribute("fill", colours[head]);
      this.over?.group.remove();
      const over = overlay(colouring, values, this.size);
      this.over = over && drawOverlay(over);
      if (this.over) this.svg.insertBefore(this.over.group, this.ring);
    },

    dim(passing) {
      const toggle = (one, head) => one.classList.toggle("dim", !passing[head]);
      for (const [head, cell] of this.cells.entries()) toggle(cell, head);
      for (const [at, one] of (this.over?.marks ?? []).entries()) toggle(one, this.over.heads[at]);
    },

    onupdate({ attrs }) {
      this.mark(attrs);
    },

    /** Arrows walk, Home and End go to a row's ends, with Ctrl to the model's; Enter opens. */
    pressed(event, { pointed, point }) {
      const at = pointed(); // keys may come faster than the page is drawn
      const { count, heads, name } = annotator.catalog;
      const here = at ?? 0;
      const row = here - (here % heads());
      const home = event.ctrlKey ? 0 : row;
      const end = event.ctrlKey ? count() - 1 : row + heads() - 1;
      const moves = {
        ArrowLeft: here - 1,
        ArrowRight: here + 1,
        ArrowUp: here - heads(),
        ArrowDown: here + heads(),
        Home: home,
        End: end,
        PageUp: here % heads(),
        PageDown: count() - heads() + (here % heads()),
      };
      if (event.altKey || event.metaKey) return;
      if (event.key === "Enter") m.route.set(`/${name(here)}`);
      else if (!Object.hasOwn(moves, event.key)) return;
      else this.walk(at === null ? 0 : moves[event.key], point);
      event.preventDefault();
    },

    walk(to, point) {
      if (!this.cells[to]) return;
      point(to);
      this.cells[to].scrollIntoView({ block: "nearest" });
    },

    view({ attrs }) {
      const { colouring, point, at } = attrs;
      const head = (event) => event.target.closest("[data-head]")?.dataset.head;
      return m(
        ".map",
        {
          ...{
            "data-testid": "map",
            tabindex: 0,
            role: "application",
            "aria-roledescription": "map of heads",
          },
          "aria-label": `Heads by layer, coloured by ${annotator.colourings.title(colouring)}`,
          "aria-describedby": "map-keys map-table",
          onkeydown: (event) => this.pressed(event, attrs),
          onfocus: (event) => at === null && event.target.matches(":focus-visible") && point(0),
          onpointermove: (event) => {
            const found = head(event);
            event.redraw = Boolean(found) && annotator.catalog.index(found) !== at;
            if (event.redraw) point(annotator.catalog.index(found));
          },
          onclick: (event) => {
            const found = head(event);
            // A finger cannot hover: it points first, and opens what it has pointed at.
            if (found && (event.pointerType !== "touch" || this.touched === found))
              m.route.set(`/${found}`);
            this.touched = found;
            if (found) point(annotator.catalog.index(found));
          },
        },
        m(Chart, {
          of: "cells",
          draw: (width) => drawCells(sized(width)),
          drawn: (svg, width) => this.drawn(svg, width, attrs),
        }),
      );
    },
  };

  return Object.freeze({ Map: safe(HeadMap) });
})();
