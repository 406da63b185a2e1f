"""The page of 5,120 heads, a 70B model's count: to write it, its size, and how quickly it answers.

python -m tests.benchmarks.bench_site [--small]
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from statistics import median

from playwright.sync_api import Browser, Page, sync_playwright

from tests import large_catalog
from tests.benchmarks.common import SMALL, Report
from tests.commands import SCRIPT
from tests.site.browsing import ALONE, Visit

LAYERS, EACH = (16, 16) if SMALL else (large_catalog.N_LAYERS, large_catalog.N_HEADS)
HEADS = LAYERS * EACH
TIMES = 1 if SMALL else 5
MIB = 2**20
TOOLS = """
window.painted = new Promise((painted) => {
  const look = () =>
    document.querySelectorAll("[data-testid=map] [data-head]").length
      ? requestAnimationFrame(() => requestAnimationFrame(() => painted(performance.now())))
      : requestAnimationFrame(look);
  look();
});
window.timed = (act, done) => new Promise((ready, failed) => {
  window.was = by("count")?.textContent;
  const start = performance.now();
  const look = () =>
    done()
      ? requestAnimationFrame(() => requestAnimationFrame(() => ready(performance.now() - start)))
      : performance.now() - start > 20000 ? failed(new Error(`${act} is never ${done}`))
      : setTimeout(look, 1);
  act();
  look();
});
window.one = (selector) => document.querySelector(selector);
window.by = (testid) => one(`[data-testid="${testid}"]`);
window.pick = (testid, value) => {
  by(testid).value = value;
  by(testid).dispatchEvent(new Event("change", { bubbles: true }));
};
window.seek = (text) => {
  by("search").value = text;
  by("search").dispatchEvent(new Event("input", { bubbles: true }));
  by("search").dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }));
};
window.titled = (text) => one("section.mapped h2")?.textContent.includes(text);
window.counted = () => by("count")?.textContent;
window.headed = (text) => one("h1")?.textContent.startsWith(text) && by("mappings");
window.press = (head) =>
  one(`[data-head=${head}]`).dispatchEvent(new MouseEvent("click", { bubbles: true }));
window.sorting = (at) => document.querySelectorAll("[data-testid=table] th button")[at];
"""
ALL = ('by("reset").click()', f'counted().startsWith("{HEADS:,}")')
FOUND = "counted() !== was && !one('.counted .muted')"
HERE, THERE = f"L{LAYERS // 2}H", f"L{LAYERS * 7 // 8}H1"
ACTS = (  # each with what it does, and what is so when it is done
    ("colour by a signature", 'pick("color-select", "signature:hub")', 'titled("hub")'),
    ("colour by a relation, file read", 'pick("color-select", "phi:antonym")', 'titled("antonym")'),
    ("filter by outcome", 'pick("filter-status", "unclear")', "counted() !== was"),
    ("all heads again", *ALL),
    ("search, its index read", 'seek("bace")', FOUND),
    ("search again", 'seek("mothu")', FOUND),
    ("all heads once more", *ALL),
    ("sort", "sorting(0).click()", 'sorting(0).closest("th").ariaSort !== "none"'),
    ("open a head", f'press("{HERE}{EACH // 2}")', 'by("mappings")'),
    ("the next head", 'by("next").click()', f'headed("{HERE}{EACH // 2 + 1} ")'),
    ("a head of another layer", f'location.hash = "#/{THERE}"', f'headed("{THERE} ")'),
    ("back to the map", 'location.hash = "#/"', 'one("[data-testid=map] [data-head]")'),
)


def exported(report: Report, catalog: Path, site: Path) -> None:
    """Write the page as the command does."""
    words = [SCRIPT, "export", catalog, "--to", "site", "--out", site]
    start = time.perf_counter()
    process = subprocess.Popen(list(map(str, words)), stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    report.line("annotator export --to site", f"{time.perf_counter() - start:8.1f} s")
    report.line("peak memory", f"{usage.ru_maxrss / 1024:8.0f} MiB")
    files = [one for one in site.rglob("*") if one.is_file()]
    size = sum(one.stat().st_size for one in files) / MIB
    report.line("folder", f"{size:8.1f} MiB  ({len(files)} files)")
    first = ("index.html", "app/*", "vendor/*.js", "data/overview.js")
    size = sum(one.stat().st_size for glob in first for one in site.glob(glob)) / MIB
    report.line("read to show the map", f"{size:8.1f} MiB")


def opened(browser: Browser, address: str) -> Visit:
    visit = Visit(browser, address)
    visit.page.add_init_script(TOOLS)
    return visit


def answered(page: Page) -> dict[str, float]:
    """Milliseconds from each act to the frame that shows it."""
    found: dict[str, float] = {}
    for name, does, done in ACTS:
        found[name] = page.evaluate(f"timed(() => {{ {does} }}, () => {done})")
        page.wait_for_timeout(300)
    return found


def measured(report: Report, browser: Browser, address: str) -> None:
    loads: list[float] = []
    acts: dict[str, list[float]] = {name: [] for name, *_ in ACTS}
    for _ in range(TIMES):
        visit = opened(browser, address)
        visit.page.goto(visit.index)
        loads.append(visit.page.evaluate("painted"))
        assert visit.page.locator("[data-testid=map] [data-head]").count() == HEADS
        visit.page.wait_for_timeout(500)
        for name, took in answered(visit.page).items():
            acts[name].append(took)
        assert not visit.said, visit.said
        assert not visit.left, visit.left
        visit.context.close()
    report.at_most("page load: asked for to painted", median(loads) / 1000, 2.0, "s")
    for name, took in acts.items():
        report.line(name, f"{median(took):8.0f} ms")


def main() -> None:
    report = Report()
    chromium = shutil.which("chromium")
    assert chromium, "this needs chromium: apt-get install chromium"
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        catalog, site = Path(temporary) / "catalog", Path(temporary) / "site"
        large_catalog.make(catalog, LAYERS, EACH)
        exported(report, catalog, site)
        browser = playwright.chromium.launch(executable_path=chromium, args=list(ALONE))
        measured(report, browser, f"{site.as_uri()}/")
        browser.close()
    report.end()


if __name__ == "__main__":
    main()
