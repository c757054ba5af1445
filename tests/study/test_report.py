"""The report: one page that needs nothing but itself, every figure drawn or its reason stated, seen by a real browser."""

from __future__ import annotations

import ast
import base64
import json
import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import yaml
from markupsafe import escape
from selenium import webdriver

from study import linear_trial
from study.__main__ import make_parser
from study.figures.curves import pair_curves
from study.figures.figure_5 import figure_5
from study.figures.registry import FIGURES as EVERY_FIGURE
from study.figures.registry import LINEAR
from study.figures.shift import shift_of
from study.figures.study import Drawn, Missing, Study
from study.folder import claim
from study.plan import make_plan
from study.report.read import read_studies, read_study
from study.report.svg import inline
from study.report.view import rerun_sheet
from study.rows import file_of, write_rows, write_table
from study.statistics.pairs import Pairs
from study.sweep import seed_list
from study.sweep_file import load_sweep, parse_sweep
from study.tables import number
from study.trial import rows_of, run_block
from tests.study.conftest import ROOT, study_here

# Figures of kept networks take minutes of M-PHATE and have tests of their own; this study keeps none.
KEPT = ("figure_7", "figure_8", "figure_9", "figure_15", "figure_16", "figure_20")
OF_SCANS = ("pareto",)  # drawn and looked at by the tests of scans
OF_MAPS = ("init_scale_map", "init_scale_pairs_map", "init_scale_lines")  # and by those of maps: they take four scales
OF_DATA_SETS = ("which_seed",)  # and by those of crossed designs with predictors
FIGURES = tuple(function for function in EVERY_FIGURE if function.__name__ not in (*KEPT, *OF_SCANS, *OF_MAPS, *OF_DATA_SETS))
COMMIT = "0123456789abcdef0123456789abcdef01234567"
BOTH_REGIMES = """
name: both_regimes
description: A tiny study with all that figures are drawn from?
seeds: 6
curricula:
  brief:
    phases:
      - {name: single, task_counts: [1], steps: 60}
      - {name: multi, task_counts: [1, 1, 1], steps: 60}
settings: {curriculum: brief, hidden_units: 20, train_patterns: 60, test_patterns: 60, estimators: [eig, svd_right, inputs],
  kmeans_repeats: 1, structure_records: 3}
grid: {init_scale: [1, 10], learning_rate: [0.01, 0.03]}
contrasts:
  baseline: {first: "init_scale=1,learning_rate=0.01", second: "init_scale=10,learning_rate=0.01",
    paper: {single: {r20: -0.881}}}
  lr_tuned: {first: "init_scale=1,learning_rate=0.03", second: "init_scale=10,learning_rate=0.01"}
"""
FEW = ("seeds=7", "compute.block=7", "settings.record_every=25", "cells.aligned={steps: 900}", "name=few")


@pytest.fixture(scope="module")
def linear(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real study of the linear network, without a report. Seed 1 of every cell is marked as diverged."""
    out = tmp_path_factory.mktemp("report") / "linear"
    plan = make_plan(load_sweep(ROOT / "sweeps" / "linear.yaml", FEW))
    claim(out, plan.sweep)
    for block in plan.blocks():
        rows = linear_trial.rows_of(linear_trial.run_block(block), plan.sweep.name, {"commit": COMMIT})
        rows[1]["diverged"] = True
        write_rows(out, block, rows)
    return out


@pytest.fixture(scope="module")
def folder(linear: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real study that has what every figure needs, linear networks too, analysed, and its report. The large
    networks of seed 0 are marked as diverged."""
    out = tmp_path_factory.mktemp("report") / "both"
    plan = make_plan(parse_sweep(yaml.safe_load(BOTH_REGIMES)))
    claim(out, plan.sweep)
    for block in plan.blocks():
        rows = rows_of(run_block(block), plan.sweep.name, {"commit": COMMIT, "version_python": "3.x"})
        if block.draws[0].seed == 0 and block.cell.settings.init_scale == 10:
            rows[0]["diverged"] = True
        for row in rows:
            row |= {f"predictor_{phase}_like_svd": row["silhouette_svd_right"] for phase in ("single", "multi")}
            row |= {f"agreement_{phase}_like_svd": row["silhouette_svd_right"] / 2 for phase in ("single", "multi")}
        write_table(file_of(out, block), pa.Table.from_pylist(rows))  # with columns that are none of the cell's
    shutil.copytree(linear, out / "linear")
    for command in (("analyse", out), ("report", out)):
        done = study_here(*command)
        assert done.returncode == 0, done.stderr
        if command[0] == "analyse":
            shutil.copytree(out / "figures", out / "analysed")
    return out


@pytest.fixture(scope="module")
def linear_page(linear: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of the linear study alone."""
    copy = tmp_path_factory.mktemp("report") / "alone"
    shutil.copytree(linear, copy)
    done = study_here("report", copy)
    assert done.returncode == 0, done.stderr
    assert "9 figures." in done.stdout
    return copy / "report.html"


@pytest.fixture(scope="module")
def study(folder: Path) -> Study:
    return read_studies(folder)


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    return (folder / "report.html").read_text(encoding="utf-8")


class Resources(HTMLParser):
    """Addresses that a browser would fetch, ids, and what figures and tables lack for readers who do not see them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self.tables = self.captions = self.figures = self.headings_without_scope = 0
        self.alts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.addresses += [value for name, value in found.items() if name in ("src", "href", "xlink:href", "srcset", "action")]
        self.ids += [found["id"]] if "id" in found else []
        self.tables += tag == "table"
        self.captions += tag == "caption"
        self.figures += tag == "figure"
        self.headings_without_scope += tag == "th" and "scope" not in found
        self.alts += [found.get("aria-label", "")] if found.get("role") == "img" else []


def test_every_figure_is_drawn_with_its_files_and_words(folder: Path, page: str) -> None:
    parsed = Resources(page)
    names = [function.__name__ for function in FIGURES]
    assert len(set(names)) == len(names) == parsed.figures
    for name in names:
        assert f'<figure id="{name}">' in page
        assert (folder / "figures" / f"{name}.svg").read_text().count("<path") > 5
        assert plt.imread(folder / "figures" / f"{name}.png")[..., :3].std() > 0.01
    assert len(parsed.alts) == parsed.figures
    assert all(len(alt) > 60 for alt in parsed.alts)


@pytest.mark.parametrize("function", FIGURES, ids=lambda function: function.__name__)
def test_captions_name_n_sweep_and_commit(function: object, page: str) -> None:
    name = function.__name__  # type: ignore[attr-defined]
    caption = re.search(rf'<figure id="{name}">.*?<figcaption>(.*?)</figcaption>', page, re.DOTALL)
    assert caption is not None
    assert name == "figure_1" or f"Sweep {'few' if function in LINEAR else 'both_regimes'}, commit {COMMIT[:12]}." in caption[1]
    assert re.search(r"n (=|pairs:)[^.]*\d|cell of \d", caption[1])
    assert re.search(r"interval|[Bb]ars?: |Bands?: |In brackets|spread", caption[1])


def test_the_paper_s_number_stands_beside_ours(page: str, study: Study) -> None:
    result = study.result("baseline", "single", "test", "silhouette_eig", "r20")
    assert result is not None
    assert "single: r20 = -0.881." in page
    assert number(result["value"]) in page


def test_diverged_networks_are_counted(page: str) -> None:
    assert "Networks that diverged: 2 of 24" in page
    assert "n = 5 pairs, 1 more left out because a network diverged." in page


def test_nothing_is_fetched_and_ids_are_unique(page: str) -> None:
    parsed = Resources(page)
    assert [address for address in parsed.addresses if not address.startswith(("#", "data:"))] == []
    assert "http://" not in page
    assert "https://" not in page
    assert len(parsed.ids) == len(set(parsed.ids))
    assert {address[1:] for address in parsed.addresses if address.startswith("#")} <= set(parsed.ids)
    assert (parsed.captions, parsed.headings_without_scope) == (parsed.tables, 0)
    assert parsed.tables > 10


def test_curves_of_pairs_are_those_of_the_rows(study: Study) -> None:
    cells = ("init_scale=1,learning_rate=0.01", "init_scale=10,learning_rate=0.01")
    curves = pair_curves(study, cells, "multi", "train")
    assert curves is not None
    assert (curves.seeds.tolist(), curves.diverged) == ([1, 2, 3, 4, 5], 1)
    rows = study.rows.set_index(["cell", "seed"])["curve_multi_train"]
    for place, seed in enumerate(curves.seeds):
        expected = np.asarray(rows[cells[1], seed]) - np.asarray(rows[cells[0], seed])
        np.testing.assert_array_equal(curves.difference[place], expected)


def test_shift_is_the_geometric_mean_of_both_effect_sizes() -> None:
    generator = np.random.default_rng(0)
    dx, dy = generator.normal(2, 1, 50_000), generator.normal(-8, 1, 50_000)
    zeros, seeds = np.zeros_like(dx), np.arange(len(dx))
    assert shift_of(Pairs(dx, zeros, dy, zeros, seeds, seeds * 0)) == pytest.approx(4, rel=0.02)


def test_figures_say_what_a_study_lacks(study: Study) -> None:
    """One predictor, one regime, no grid, no curves: the figures that need more give a reason each."""
    names = study.analysis["contrasts"]
    one = {**study.analysis, "contrasts": {"baseline": names["baseline"]}}
    one["results"] = [r for r in study.analysis["results"] if r["contrast"] == "baseline" and r["predictor"].endswith("eig")]
    cells = names["baseline"][0]
    rows = study.rows[study.rows["cell"].isin(cells)].drop(columns=[c for c in study.rows if c.startswith("curve_")])
    one["over_time"] = None
    less = replace(study, rows=rows, analysis=one, beside=None)
    lacking = {}
    for function in FIGURES:
        drawn = function(less)
        if isinstance(drawn, Missing):
            lacking[function.__name__] = drawn.reason
        else:
            plt.close(drawn.figure)
    of_linear = {function.__name__ for function in LINEAR}
    assert {"predictors", "scale_map", "over_time", "structure", "figure_10", "figure_17", "figure_18"} <= set(lacking)
    assert of_linear < set(lacking)
    assert all("linear: linear.yaml" in lacking[name] for name in of_linear)
    assert "settings.structure_records" in lacking["over_time"]
    assert "no loss curves" in lacking["figure_10"]
    assert "different learning rates" in lacking["figure_18"]


def test_rows_made_elsewhere_give_a_report_that_says_what_is_unknown(folder: Path, tmp_path: Path) -> None:
    frame = pd.concat([pd.read_parquet(path) for path in (folder / "rows").rglob("*.parquet")])
    keep = ["cell", "seed", "silhouette_eig", "loss_single_test"]
    (tmp_path / "rows").mkdir()
    frame[frame["learning_rate"] == 0.01][keep].to_parquet(tmp_path / "rows" / "a.parquet")
    done = study_here("report", tmp_path)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    for words in (
        "Sweep unknown, commit unknown.",
        "no sweep.json",
        "No verdicts",
        "no column <code>diverged</code>",
        "hidden_units",
    ):
        assert words in text
    assert " figures not drawn. " in done.stdout
    for name in ("figure_10", "scale_map", "predictors"):
        assert f"<code>{name}</code>: not drawn, because" in text
        assert not (tmp_path / "figures" / f"{name}.svg").exists()


def test_what_cannot_be_reported_is_refused_in_one_line(folder: Path, linear: Path, tmp_path: Path) -> None:
    for arguments, words in (
        ((tmp_path,), "has no rows"),
        ((folder, "--contrast", "none"), "allowed: baseline, lr_tuned"),
        ((linear, "--contrast", "baseline"), "has no contrasts"),
    ):
        done = study_here("report", *arguments)
        assert done.returncode == 2
        assert words in done.stderr
        assert done.stderr.count("\n") == 1


def test_a_stale_analysis_is_not_used(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder / "rows", copy / "rows")
    (copy / "analysis.json").write_text(json.dumps({"schema": 0}))
    assert len(read_study(copy).analysis["results"]) > 50


def test_the_commands_that_give_numbers_again_are_commands(study: Study, page: str) -> None:
    commands = [row[1] for row in rerun_sheet(study).rows]
    assert commands[0] == f"git checkout {COMMIT}"
    assert all(str(escape(command)) in page for command in commands)
    ours = [shlex.split(command)[1:] for command in commands if command.startswith("study ")]
    assert [words[0] for words in ours] == ["run", "run", "export", "analyse", "report", "one-step", "calibrate"]
    for words in ours:
        make_parser().parse_args(words)
    assignment = ours[1][ours[1].index("--set") + 1]
    assert seed_list(load_sweep(study.folder / "sweep.json", (assignment,)).seeds) == (0,)


def test_analyse_and_report_draw_structure_as_the_same_files(folder: Path) -> None:
    drawn = sorted((folder / "analysed").iterdir())
    assert [path.name for path in drawn] == [f"{name}.{kind}" for name in ("over_time", "structure") for kind in ("png", "svg")]
    for path in drawn:
        assert path.read_bytes() == (folder / "figures" / path.name).read_bytes(), path.name


def test_the_page_holds_the_tables_of_structure_and_of_the_linear_study(page: str) -> None:
    for words in (
        "baseline, unseen loss, svd_right: the silhouette during training against final losses",
        "Silhouettes during training: the band of the centred r excludes zero somewhere on",
        "source: steps, medians over seeds; out: later than the end",
        "Networks of few that diverged: 3 of 21",
        "study run DIR/linear/sweep.json",
    ):
        assert words in page, words


def test_a_linear_study_alone_has_a_page(linear_page: Path) -> None:
    text = linear_page.read_text(encoding="utf-8")
    parsed = Resources(text)
    names = [function.__name__ for function in LINEAR]
    assert sorted(re.findall(r'<figure id="(\w+)">', text)) == sorted(names)
    assert [address for address in parsed.addresses if not address.startswith(("#", "data:"))] == []
    assert len(parsed.ids) == len(set(parsed.ids))
    assert (parsed.captions, parsed.headings_without_scope) == (parsed.tables, 0)
    assert all(len(alt) > 60 for alt in parsed.alts)
    for words in (
        "Does the eNTK say which mode",
        "Networks of few that diverged: 3 of 21",
        "study run DIR/sweep.json",
    ):
        assert words in text
    for words in ("silhouette", "Not drawn", "centred r"):
        assert words not in text


def test_words_of_linear_figures_are_the_scores_of_the_cell_they_show(study: Study) -> None:
    """The sweep's first cell, not the first by name; n leaves out the diverged seed."""
    assert study.beside is not None
    rows = study.beside.rows
    kept = rows[(rows["cell"] == "source") & ~rows["diverged"]]
    drawn = figure_5(study)
    assert isinstance(drawn, Drawn)
    plt.close(drawn.figure)
    assert "n = 6 seeds of the cell source, 1 more left out because the network diverged." in drawn.caption
    assert f"switches to mode 2 at step {kept['score_switch_2'].median():.0f} [" in drawn.here


def test_inline_svg_is_its_own_and_follows_the_theme() -> None:
    svg = '<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="9pt" viewBox="0 0 9 9"><metadata>x</metadata>'
    svg += '<g id="a" style="fill: #000000"/><use xlink:href="#a" clip-path="url(#b)" style="fill: #ffffff"/></svg>'
    text = str(inline(svg, "one", 'a "b" <c>'))
    assert text == (
        '<svg viewBox="0 0 9 9" role="img" aria-label="a &quot;b&quot; &lt;c&gt;"><g id="one-a" style="fill: currentColor"/>'
        '<use xlink:href="#one-a" clip-path="url(#one-b)" style="fill: var(--page)"/></svg>'
    )
    with pytest.raises(ValueError, match="holds no svg"):
        inline("nothing", "one", "")


def test_figures_are_short_and_found_by_name() -> None:
    paths = sorted((ROOT / "study" / "figures").glob("*.py"))
    functions = [
        (path, node) for path in paths for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)
    ]
    assert len(functions) > 20
    assert [(path.name, f.name) for path, f in functions if f.end_lineno is None or f.end_lineno - f.lineno + 1 >= 80] == []
    assert all(function.__module__ == f"study.figures.{function.__name__}" for function in EVERY_FIGURE)


CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
QUIET = (
    "headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking",
    "disable-component-update", "disable-sync", "disable-dev-shm-usage", "hide-scrollbars",
)  # fmt: skip

# Elements outside scrolling containers that reach beyond the window, or whose text does not fit them.
OVERFLOWING = """
const found = [];
if (document.documentElement.scrollWidth > innerWidth) found.push("page: " + document.documentElement.scrollWidth);
for (const element of document.querySelectorAll("body *")) {
  if (element.closest(".scroll, .picture, pre, .skip, script, details:not([open]) > :not(summary)")) continue;
  const box = element.getBoundingClientRect();
  if (box.width && (box.right > innerWidth + 1 || element.scrollWidth > element.clientWidth + 1 && element.clientWidth))
    found.push(element.tagName + ": " + element.textContent.slice(0, 40));
}
return found;
"""
RENDERED = """
return [...document.querySelectorAll("figure")].map((figure) => {
  const svg = figure.querySelector("svg"), box = svg.getBoundingClientRect();
  return {name: figure.id, wide: box.width, high: box.height, texts: svg.querySelectorAll("text").length,
          drawn: [...svg.querySelectorAll("path, image")].filter((p) => p.getBBox().width + p.getBBox().height > 0).length};
});
"""
LUMINANCES = """
const light = (colour) => {
  const [r, g, b] = colour.match(/[\\d.]+/g).map(Number).map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const of = (selector, what) => light(getComputedStyle(document.querySelector(selector))[what]);
return [of("body", "backgroundColor"), of("body", "color"), of("figcaption", "color"), of("figure svg text", "fill"),
        of("nav a", "color")];
"""
INVISIBLE = """
return [...document.querySelectorAll("figure svg :is(path, use, text)")].filter((element) => {
  const style = getComputedStyle(element);
  return !element.closest("defs") && [style.fill, style.stroke].includes(PAINT);
}).length;
"""


@pytest.fixture(scope="module")
def browser(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """The report in headless Chromium, with its console and its network on record."""
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("no Chromium with chromedriver on this machine (Debian: apt-get install chromium chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*QUIET, f"user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    try:
        driver.get((folder / "report.html").as_uri())
        yield driver
    finally:
        driver.quit()


def look(browser: webdriver.Chrome, width: int, media: str = "", scheme: str = "light") -> None:
    """Make the window so wide, on a screen or on paper, light or dark."""
    metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})


def test_chromium_has_nothing_to_complain_of_and_asks_for_nothing(browser: webdriver.Chrome, folder: Path) -> None:
    assert browser.title == "Study both_regimes"
    assert browser.get_log("browser") == []
    here = (folder / "report.html").as_uri()
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    sent = [event["params"] for event in events if event["method"] == "Network.requestWillBeSent"]
    asked = [request["request"]["url"] for request in sent if request["documentURL"] == here]
    assert [url for url in asked if not url.startswith("data:")] == [here]
    assert browser.execute_script("return performance.getEntriesByType('resource').map((entry) => entry.name)") == []


@pytest.mark.parametrize("width", [380, 768, 1280])
def test_chromium_shows_every_figure_and_no_text_overflows(browser: webdriver.Chrome, width: int) -> None:
    look(browser, width)
    assert browser.execute_script("return innerWidth") == width
    assert browser.execute_script(OVERFLOWING) == []
    figures = browser.execute_script(RENDERED)
    assert [figure["name"] for figure in figures] == [function.__name__ for function in FIGURES]
    for figure in figures:
        assert min(figure["wide"], figure["high"]) > 100, figure
        assert figure["texts"] > 5
        assert figure["drawn"] > 5, figure


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_both_themes(browser: webdriver.Chrome, scheme: str) -> None:
    """Contrast of at least 4.5 to 1 (WCAG AA), also of the text within figures."""
    look(browser, 1280, scheme=scheme)
    page, *texts = browser.execute_script(LUMINANCES)
    assert (page < 0.05) == (scheme == "dark")
    for text in texts:
        assert (max(page, text) + 0.05) / (min(page, text) + 0.05) >= 4.5
    fixed = "rgb(0, 0, 0)" if scheme == "dark" else "rgb(232, 234, 237)"
    assert browser.execute_script(INVISIBLE.replace("PAINT", json.dumps(fixed))) == 0


def test_tables_sort_by_number_and_say_so(browser: webdriver.Chrome) -> None:
    look(browser, 1280)
    column = """
      const table = document.getElementById("table-settings-1").closest("table");
      const heading = table.tHead.rows[0].cells[1];
      heading.querySelector("button").click();
      return [heading.getAttribute("aria-sort"), [...table.tBodies[0].rows].map((row) => row.cells[1].textContent)];
    """
    for direction in ("ascending", "descending"):
        state, texts = browser.execute_script(column)
        numbers = [float(text) for text in texts if re.fullmatch(r"-?[\d.]+", text)]
        assert state == direction
        assert len(numbers) > 5
        assert numbers == sorted(numbers, reverse=direction == "descending")


def test_paper_shows_everything(browser: webdriver.Chrome) -> None:
    """Printed: several pages of A4, no table cut off at its container, folded parts open."""
    printed = browser.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})
    pdf = base64.b64decode(printed["data"])
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) > 3
    look(browser, 700, media="print")
    hidden = (
        'return [...document.querySelectorAll(".scroll")].filter((e) => getComputedStyle(e).overflowX !== "visible").length'
    )
    assert browser.execute_script(hidden) == 0
    shrunk = "return [...document.querySelectorAll('figure svg')].map((e) => e.getScreenCTM().a)"
    assert min(browser.execute_script(shrunk)) > 0.6  # CSS pixels for a point: letters of 9 points stay 4 or more
    browser.execute_script('dispatchEvent(new Event("beforeprint"))')
    assert browser.execute_script('return document.querySelectorAll("details:not([open])").length') == 0
    browser.execute_script('dispatchEvent(new Event("afterprint"))')
    assert browser.execute_script('return document.querySelectorAll("details:not([open])").length') > 0


def test_chromium_shows_the_page_of_a_linear_study(browser: webdriver.Chrome, folder: Path, linear_page: Path) -> None:
    try:
        browser.get(linear_page.as_uri())
        assert browser.get_log("browser") == []
        for width in (380, 1280):
            look(browser, width)
            assert browser.execute_script(OVERFLOWING) == []
            figures = browser.execute_script(RENDERED)
            assert {figure["name"] for figure in figures} == {function.__name__ for function in LINEAR}
            assert all(min(figure["wide"], figure["high"]) > 100 and figure["drawn"] > 5 for figure in figures)
    finally:
        browser.get((folder / "report.html").as_uri())
