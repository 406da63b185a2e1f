/* How tokens, numbers and heads are written. Tokens are untrusted: they become text nodes only. */
"use strict";

annotator.text = (() => {
  // What stands for something invisible: a space, an escape, a special token as a whole.
  const STANDS_FOR = /(␣|\\(?:x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}|[ntr\\])|⟦[^⟧]*⟧)/g;
  const NAMES = { "␣": "space", "\\n": "newline", "\\t": "tab", "\\r": "carriage return" };
  const NONE = "–";

  /** A token as the catalog shows it; what stands for something invisible is set apart. */
  function token(shown) {
    const parts = String(shown).split(STANDS_FOR);
    return parts.map((part, at) => {
      if (at % 2 === 0) return part;
      const kind = part.startsWith("⟦") ? "special" : "escape";
      return m(
        `span.${kind}`,
        { title: NAMES[part] || (kind === "special" ? "special token" : "") },
        part,
      );
    });
  }

  const score = (value) => trimmed(value, 2);

  /** Fixed decimals as in the README: .62, 1.00, -.05. */
  function trimmed(value, digits) {
    if (value === null || value === undefined || !Number.isFinite(value)) return NONE;
    if (value !== 0 && Math.abs(value) < 0.5 * 10 ** -digits)
      return value < 0 ? "-.0" : `<.${"0".repeat(digits - 1)}1`;
    return value.toFixed(digits).replace(/^(-?)0\./, "$1.");
  }

  /** A number of any size, short. */
  function plain(value) {
    if (value === null || value === undefined || !Number.isFinite(value)) return NONE;
    if (Number.isInteger(value)) return value.toLocaleString("en");
    const size = Math.abs(value);
    if (size >= 100) return value.toFixed(0);
    if (size >= 10) return value.toFixed(1);
    if (size >= 0.01) return score(value);
    return value.toFixed(-Math.floor(Math.log10(size)) + 1).replace(/^(-?)0\./, "$1.");
  }

  /** A p- or q-value. */
  function q(value) {
    if (value === null || value === undefined) return NONE;
    return value < 0.001 ? "<.001" : trimmed(value, 3);
  }

  const percent = (value) =>
    value === null || value === undefined ? NONE : `${(100 * value).toFixed(0)} %`;
  const interval = (low, high, write = score) =>
    low === null || low === undefined ? NONE : `${write(low)} to ${write(high)}`;
  const many = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
  const short = (digest) => (digest ? String(digest).slice(0, 12) : NONE);
  const moment = (at) =>
    String(at || NONE)
      .slice(0, 16)
      .replace("T", " ") + (at ? " UTC" : "");

  // Marks that turn the direction of what follows are written out, lest a text hides what it says.
  const TURNS = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

  /** What somebody wrote, as it can be shown. */
  const written = (text) =>
    text &&
    String(text).replace(TURNS, (mark) => `\\u${mark.charCodeAt(0).toString(16).padStart(4, "0")}`);

  /** From which scores on a head implements a relation, in words. */
  function threshold() {
    const { flag, level } = annotator.catalog.data;
    return `above ${score(flag)} and q at most ${score(level)}`;
  }

  return Object.freeze({
    ...{ token, score, plain, q, percent, interval, many, short, moment, written, threshold },
    NONE,
  });
})();
