/* The catalog as the page has it: which heads there are, and what is known of all of them at once.
   A head is an index, by layer and then head. */
"use strict";

annotator.catalog = (() => {
  const NEEDED = [
    ...["model", "signatures", "signature_help", "relations", "describers", "judged", "pages"],
    ...["scores", "statuses", "categories", "evidence", "words", "libraries"],
  ];
  /** @type {any} what data/overview.js holds */
  let data = null;
  let sorted = {};

  /** Take the overview. Throws where it is not one. */
  function take(overview) {
    const { n_layers, n_heads } = overview.dims || {};
    if (!(n_layers > 0 && n_heads > 0)) throw new Error("it has no layers or heads");
    for (const name of NEEDED) if (!overview[name]) throw new Error(`it lacks ${name}`);
    data = overview;
    sorted = {};
  }

  const layers = () => data.dims.n_layers;
  const heads = () => data.dims.n_heads;
  const count = () => layers() * heads();
  const layer = (index) => Math.floor(index / heads());
  const name = (index) => `L${layer(index)}H${index % heads()}`;
  const groupSize = () => heads() / (data.dims.n_kv_heads || heads());
  const kv = (index) => Math.floor((index % heads()) / groupSize());

  /** The head of a name, or -1. */
  function index(text) {
    const found = /^L(\d{1,5})H(\d{1,5})$/i.exec(text);
    if (!found || +found[1] >= layers() || +found[2] >= heads()) return -1;
    return +found[1] * heads() + +found[2];
  }

  /** The other heads that share its keys and values. */
  function group(index) {
    const first = index - ((index % heads()) % groupSize());
    return d3.range(first, first + groupSize()).filter((other) => other !== index);
  }

  /** The share of the other heads that a head's signature lies above; null where it has none. */
  function percentile(signature, index) {
    const values = data.signatures[signature];
    if (values[index] === null) return null;
    sorted[signature] ||= Float64Array.from(values, (value) => value ?? -Infinity).sort();
    const below = d3.bisectLeft(sorted[signature], values[index]);
    return count() > 1 ? below / (count() - 1) : 0;
  }

  /** Short: the last part of a hub id, without a file's ending. */
  const title = () =>
    data.model.id
      .split("/")
      .pop()
      .replace(/\.gguf$/, "");
  const describer = (id) => data.describers.findIndex((one) => one.id === id);
  /** A head's scores on a relation by their names, out of a row of a layer's file. */
  const scored = ([relation, ...values]) => ({
    relation: data.relations[relation],
    ...Object.fromEntries(data.scores.map((name, at) => [name, values[at]])),
  });
  const implemented = (phi, q) => phi > data.flag && q !== null && q <= data.level;

  return Object.freeze({
    ...{ take, layers, heads, count, layer, name, index, kv, group, percentile },
    ...{ title, describer, scored, implemented },
    get data() {
      return data;
    },
  });
})();
