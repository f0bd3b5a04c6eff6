"""Pages in a browser: they fit a phone and a desk, raise no error, load nothing, and their controls work."""

import shutil

import pytest

from skel_recipes.cli import main

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: nox -s docs")

WIDTHS = (420, 1400)
PAGES = ("report", "timelines", "compare", "clip")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Pages by name, as the commands make them, of 12 classes: more than the embedding has colours."""
    folder = tmp_path_factory.mktemp("pages")
    store, runs = str(folder / "synth.store"), [str(folder / f"run-{seed}") for seed in (0, 1)]
    main(["data", "synth", store, "--subjects", "4", "--cameras", "1", "--repetitions", "1"])
    for seed, run in enumerate(runs):
        short = ["--train.epochs", "2", "--train.min_steps", "0", "--optim.warmup_epochs", "0"]
        main(["pretrain", "compact", store, "--out", run, "--train.seed", str(seed), *short])
        main(["eval", "linear", run, store])
    main(["eval", "knn", runs[0], store])
    main(["report", runs[0]])
    main(["compare", *runs, "--out", str(folder / "compare.html")])
    main(["show", store, "--out", str(folder / "clip.html")])
    joined = str(folder / "joined.store")
    main(["data", "join", store, joined, "--clips", "6"])
    main(["eval", "detect", runs[1], joined])
    main(["report", runs[1], joined])
    return {
        "report": folder / "run-0" / "report.html",
        "timelines": folder / "run-1" / "report.html",
        "compare": folder / "compare.html",
        "clip": folder / "clip.html",
    }


@pytest.fixture(scope="module")
def browser():
    """Chromium or Chrome of this machine, or the one that `playwright install chromium` has downloaded."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    with sync_api.sync_playwright() as playwright:
        try:
            started = playwright.chromium.launch(executable_path=found)
        except sync_api.Error as error:
            reason = str(error).strip().splitlines()[0]
            pytest.skip(f"no browser starts here; install one with `playwright install chromium` ({reason})")
        yield started
        started.close()


@pytest.fixture
def visit(pages, browser):
    """Opens a page by its name and width; at the end nothing may have gone wrong in it."""
    opened, faults = [], []

    def open_page(name, width):
        page = browser.new_page(viewport={"width": width, "height": 900})
        opened.append(page)
        page.on("console", lambda message: faults.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda request: faults.append(request.url) if "file:" not in request.url else None)
        page.goto(pages[name].as_uri())
        page.wait_for_timeout(100)
        return page

    yield open_page
    for page in opened:
        page.close()
    assert not faults


def overflow(page):
    """Elements that reach beyond the right edge, except inside a box that scrolls."""
    return page.evaluate(
        """() => [...document.querySelectorAll("body *")].filter((element) => {
          if (element.getBoundingClientRect().right <= innerWidth + 1) return false;
          for (let box = element.parentElement; box; box = box.parentElement)
            if (["auto", "scroll", "hidden"].includes(getComputedStyle(box).overflowX)) return false;
          return true;
        }).map((element) => element.outerHTML.slice(0, 80))"""
    )


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", PAGES)
def test_page_fits(visit, name, width):
    page = visit(name, width)
    assert page.locator("h1").inner_text()
    assert overflow(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("name", PAGES)
def test_page_prints(visit, name):
    page = visit(name, 794)  # A4 at 96 dots per inch
    page.emulate_media(media="print")
    assert overflow(page) == []
    assert not page.locator("nav").is_visible()
    assert len(page.pdf(format="A4")) > 10_000


def test_figures_move_until_paused(visit):
    page = visit("clip", 1400)
    slider, button = page.locator(".controls input"), page.locator(".controls button")
    drawn = page.locator(".motion path").first
    before, time = drawn.get_attribute("d"), slider.input_value()
    page.wait_for_timeout(400)
    assert slider.input_value() != time
    assert drawn.get_attribute("d") != before
    button.click()
    still = slider.input_value()
    page.wait_for_timeout(200)
    assert slider.input_value() == still
    assert button.inner_text() == "Play"


def test_confusion_matrix_sorts_and_zooms(visit):
    page = visit("report", 1400)
    matrix = page.locator(".confusion svg")
    places = """(svg) => [...svg.querySelectorAll("g[data-row][data-column]")].map((cell) => {
      const [x, y] = cell.getAttribute("transform").match(/[-\\d.]+/g).map(Number);
      return [+cell.dataset.row, +cell.dataset.column, (x - svg.dataset.left) / svg.dataset.cell,
              (y - svg.dataset.top) / svg.dataset.cell];
    })"""
    for option in page.locator(".confusion option").all():
        order = [int(word) for word in option.get_attribute("value").split()]
        assert sorted(order) == list(range(12))
        page.locator(".confusion select").select_option(option.get_attribute("value"))
        for row, column, x, y in matrix.evaluate(places):
            assert (order[round(y)], order[round(x)]) == (row, column)
    before = matrix.bounding_box()["width"]
    page.locator(".confusion input").fill("200")
    assert matrix.bounding_box()["width"] == pytest.approx(2 * before, rel=0.01)
    assert overflow(page) == []


def test_embedding_is_searched(visit):
    page = visit("report", 420)
    plot = page.locator(".embedding")
    titles = page.locator(".points g title").all_text_contents()
    plot.locator("input").fill("WAVE")
    expected = sum("wave" in title.lower() for title in titles)
    assert 0 < plot.locator(".points .chosen").count() == expected < len(titles)
    assert "wave" in plot.locator(".hint").inner_text().lower()
    plot.locator("input").fill("no such clip")
    assert plot.locator(".points .chosen").count() == 0
    assert plot.locator(".hint").inner_text() == "Nothing found."
    plot.locator("input").fill("")
    assert page.locator(".points.focus").count() == 0


def test_one_class_is_highlighted_at_a_time(visit):
    page = visit("report", 1400)
    buttons = page.locator(".legend button")
    assert buttons.count() == 12
    for place in (3, 5):
        buttons.nth(place).click()
        classes = page.locator(".points .chosen").evaluate_all(
            "(marks) => [...new Set(marks.map((mark) => mark.parentElement.dataset.class))]"
        )
        assert classes == [buttons.nth(place).get_attribute("data-class")]
    buttons.nth(5).click()
    assert page.locator(".chosen").count() == 0


@pytest.mark.parametrize("width", WIDTHS)
def test_timelines_are_drawn_to_one_scale(visit, width):
    page = visit("timelines", width)
    drawings = page.locator('svg[aria-label^="actions of"]')
    assert drawings.count() > 1
    boxes = [drawing.bounding_box() for drawing in drawings.all()]
    assert len({round(box["x"]) for box in boxes}) == len({round(box["width"]) for box in boxes}) == 1
    for drawing in drawings.all():
        bars = drawing.locator("rect[fill^='#']").evaluate_all(
            """(bars) => bars.map((bar) => [bar.querySelector("title").textContent, bar.x.baseVal.value,
                                            bar.y.baseVal.value, bar.width.baseVal.value])"""
        )
        assert any(title.startswith("true: ") for title, *_ in bars)
        assert all((top > 0) == title.startswith("predicted: ") for title, _, top, _ in bars)
        for title, start, _, length in bars:  # as many frames as the title says, at one scale
            first, last = map(int, title.rsplit("frames ", 1)[1].split(" to "))
            assert start * (last + 1 - first) == pytest.approx(length * first, rel=0.05)
