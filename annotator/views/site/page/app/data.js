/* Data comes in script files, since a page that was opened from disk may load nothing else. Each is
   one call, annotatorData(name, value). Nothing here ever throws: a file that is missing or broken
   is a problem that the page tells. */
"use strict";

annotator.data = (() => {
  const files = new Map(); // by name: {value, problem}, both null while it is on its way
  const AGAIN = "Write the page again with: annotator export CATALOG --to site --out FOLDER";

  function problem(file, text) {
    if (file.value === null) file.problem = `${text} ${AGAIN}`;
    m.redraw();
  }

  /**
   * A file of data, which is asked for at the first call.
   * The page is drawn again when it has arrived.
   */
  function want(name) {
    const known = files.get(name);
    if (known) return known;
    const file = { value: null, problem: null };
    files.set(name, file);
    const script = document.createElement("script");
    const path = `data/${name}.js`;
    script.src = path;
    script.onload = () => problem(file, `${path} was read, but is broken.`);
    script.onerror = () => problem(file, `${path} is missing.`);
    document.head.append(script);
    return file;
  }

  window.annotatorData = (name, value) => {
    const file = files.get(name);
    if (file && value && typeof value === "object") file.value = value;
  };

  return Object.freeze({ want });
})();
