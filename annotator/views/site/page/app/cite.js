/* Taking a head along: its data as JSON, a link, and a reference. Copying works from disk too,
   where there may be no clipboard to write to: then the text is shown, selected. */
"use strict";

annotator.cite = (() => {
  const { safe } = annotator.parts;
  const PAPER =
    "Elhelo, A. & Geva, M. (2025). Inferring Functionality of Attention Heads from their Parameters. ACL 2025. arXiv:2412.11965";

  /** Whether a text could be copied without the clipboard's own interface. */
  function copiedByCommand(text) {
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "hidden";
    document.body.append(area);
    area.select();
    let done = false;
    try {
      done = document.execCommand("copy");
    } catch {
      /* then it was not copied */
    }
    area.remove();
    return done;
  }

  async function copied(text) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      return copiedByCommand(text);
    }
  }

  /** @param {any} area */
  const select = (area) => area.select();

  /** A button that copies, and says so for a moment; where that fails, shows the text. */
  const Copy = {
    async copy({ text, dom }) {
      const whole = text();
      const done = await copied(whole);
      this.said = done ? "Copied" : null;
      this.fallback = done ? null : whole;
      dom.focus();
      m.redraw();
      if (done) this.timer = setTimeout(() => this.forget(), 1600);
    },
    forget() {
      this.said = null;
      m.redraw();
    },
    onremove() {
      clearTimeout(this.timer);
    },
    view({ attrs: { label, text, ...attrs } }) {
      return [
        m(
          "button.copy",
          {
            type: "button",
            ...attrs,
            onclick: (event) => this.copy({ text, dom: event.currentTarget }),
          },
          m("span", { "aria-live": "polite" }, this.said || label),
        ),
        this.fallback &&
          m(
            "textarea.fallback",
            { readonly: true, "aria-label": "Copy this text", oncreate: ({ dom }) => select(dom) },
            this.fallback,
          ),
      ];
    },
  };

  const permalink = (name) => `${window.location.href.split("#")[0]}#/${name}`;

  /** The head's name in the world, as every export has it. */
  const id = (name) => {
    const { model } = annotator.catalog.data;
    return `${model.id}@${model.revision || model.weight_digest.slice(0, 12)}/${name}`;
  };

  function reference(name) {
    const { data } = annotator.catalog;
    const revision = data.model.revision ? `, revision ${data.model.revision}` : "";
    return `Attention head ${name} of ${data.model.id}${revision} (weights ${annotator.text.short(data.model.weight_digest)}), mapped from its parameters with annotator ${data.annotator}. ${permalink(name)}\nMethod: ${PAPER}.`;
  }

  /** Everything that is known of a head, as anybody would want to read it: names, not places. */
  function plain(index, head, layer) {
    const { data, name } = annotator.catalog;
    const token = (at) => ({ id: layer.token_ids[at], text: layer.tokens[at] });
    const targets = (flat) =>
      annotator.mappings.paired(flat).map(([at, logit]) => ({ ...token(at), logit }));
    const named = ({ describer: at, ...rest }) => {
      const { llm, describer } = data.describers[at];
      return { llm, describer, ...rest };
    };
    return {
      ...{
        model: data.model.id,
        revision: data.model.revision,
        weight_digest: data.model.weight_digest,
        annotator: data.annotator,
      },
      ...{ id: id(name(index)), head: name(index), kv_head: head.kv_head },
      signatures: Object.fromEntries(
        Object.entries(data.signatures).map(([key, values]) => [key, values[index]]),
      ),
      mappings: head.mappings.map(([source, sigma, top, bottom]) => ({
        source: token(source),
        sigma,
        targets: targets(top),
        ...(bottom && { suppressed: targets(bottom) }),
      })),
      relations: head.relations
        .map(annotator.catalog.scored)
        .map(({ relation, ...scores }) => ({ relation: relation.name, ...scores })),
      descriptions: head.descriptions.map(named),
      judgments: head.judgments.map(named),
      verdicts: head.verdicts.map(named),
      similar: head.similar.map(([other, cosine]) => ({ head: name(other), cosine })),
    };
  }

  const json = (index, head, layer) => JSON.stringify(plain(index, head, layer), null, 2);

  const Cite = {
    view({ attrs: { index } }) {
      const name = annotator.catalog.name(index);
      return m("section.cite", { "data-testid": "cite" }, [
        m("h2", "Cite"),
        m("blockquote", reference(name)),
        m(
          ".buttons",
          m(SafeCopy, { label: "Copy reference", text: () => reference(name) }),
          m(SafeCopy, { label: "Copy link", text: () => permalink(name) }),
        ),
      ]);
    },
  };

  const SafeCopy = safe(Copy);
  return Object.freeze({ Cite: safe(Cite), Copy: SafeCopy, PAPER, json });
})();
