"""The app in a real Chromium, as a visitor uses it."""

import csv
import io
import os
import re
import shutil
import threading
from types import SimpleNamespace

import pytest
from PIL import Image

pytest.importorskip("gradio", reason="the app needs gradio (extra `app`)")
api = pytest.importorskip("playwright.sync_api", reason="driving a browser needs playwright")

from webapp_parts import texture, tiny_networks  # noqa: E402

import sr_hub  # noqa: E402
from sr_hub import webapp  # noqa: E402
from sr_hub.image import decode  # noqa: E402
from sr_hub.models import load_model  # noqa: E402
from sr_hub.webapp.advice import FOR_JPEG  # noqa: E402
from sr_hub.webapp.engine import Engine  # noqa: E402
from sr_hub.webapp.i18n import texts  # noqa: E402

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
TIMEOUT = 60_000
"""Milliseconds: a busy machine may take long, a broken page longer."""

PHONE = 390
"""Width of a phone's window in pixels."""


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    models = tiny_networks(tmp_path_factory.mktemp("models"))
    return models | {FOR_JPEG: models["rrim-x4"]}


@pytest.fixture(scope="module")
def url(models):
    demo = webapp.build_app(models)
    _, address, _ = demo.launch(
        prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", **webapp.launch_options()
    )
    yield address
    demo.close()


@pytest.fixture(scope="module")
def chromium():
    program = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip(f"needs a Chromium: none of {', '.join(BROWSERS)} is installed")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def contexts(chromium):
    """One browser profile per language, so that gradio's scripts are loaded once for each."""
    profiles = {language: chromium.new_context(locale=language) for language in ("en-US", "zh-HK")}
    yield profiles
    for profile in profiles.values():
        profile.close()


@pytest.fixture
def visit(contexts, url):
    """Opens a page of the app; at the end, nothing must have been asked of another machine."""
    foreign, broken, tabs = [], [], []

    def watch(request):
        if not request.url.startswith((url, "data:", "blob:")):
            foreign.append(request.url)

    def open_page(page="", *, width=1280, language="en-US"):
        tab = contexts[language].new_page()
        tabs.append(tab)
        tab.set_viewport_size({"width": width, "height": 900})
        tab.set_default_timeout(TIMEOUT)
        tab.on("request", watch)
        tab.on("pageerror", lambda error: broken.append(str(error)))
        tab.goto(f"{url}{page}", wait_until="load")
        tab.locator(".bar").wait_for()
        return tab

    yield open_page
    for tab in tabs:
        tab.close()
    assert foreign == [] and broken == []


@pytest.fixture
def held(monkeypatch):
    """Holds every network back until `go_on` is set; `runs` tells the name and size of each."""
    held = SimpleNamespace(begun=threading.Event(), go_on=threading.Event(), runs=[])
    enlarge = Engine.enlarge

    def enlarge_later(self, name, image, *args, **options):
        held.runs.append((name, image.size))
        held.begun.set()
        held.go_on.wait(TIMEOUT / 1000)
        return enlarge(self, name, image, *args, **options)

    monkeypatch.setattr(Engine, "enlarge", enlarge_later)
    return held


PALE_TEXTS = """() => {
    const channels = (color) => color.match(/[\\d.]+/g).map(Number);
    const light = (color) => channels(color).slice(0, 3).map((value) => value / 255)
        .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const ground = (part) => {
        const color = getComputedStyle(part).backgroundColor;
        return (channels(color)[3] ?? 1) > 0.99 || !part.parentElement
            ? color : ground(part.parentElement);
    };
    const contrast = (part, color) => {
        const [low, high] = [light(color), light(ground(part))].sort((a, b) => a - b);
        return (high + 0.05) / (low + 0.05);
    };
    const shown = [...document.querySelectorAll('main *')].filter((e) => e.checkVisibility());
    const words = (e) => [...e.childNodes].some((n) => n.nodeType === 3 && /\\w/.test(n.data));
    const pale = shown.filter((e) => words(e) && contrast(e, getComputedStyle(e).color) < 4.5);
    const hints = shown.filter((e) => e.placeholder
        && contrast(e, getComputedStyle(e, '::placeholder').color) < 4.5);
    return [...pale.map((e) => e.innerText), ...hints.map((e) => e.placeholder)];
}"""
"""Texts and placeholders that stand out from what is behind them by less than 4.5 : 1 (WCAG AA)."""


def give(tab, field, path):
    tab.locator(f"#{field} input[type=file]").set_input_files(path)
    tab.locator(f"#{field} img").wait_for()


def test_a_turned_photo_is_enlarged_compared_and_downloaded(visit, models, tmp_path):
    photo = tmp_path / "holiday.jpg"
    exif = Image.Exif()
    exif[274] = 6  # the phone was held upright
    texture(80, 60).save(photo, exif=exif, quality=92)
    tab = visit("upscale")
    give(tab, "picture", photo)
    tab.locator("#run").click()
    for index, name in enumerate(("bicubic", "srgan-x4", "rrim-x4")):
        api.expect(tab.locator(f"#pane-{index}")).to_contain_text(name, timeout=TIMEOUT)
        tab.locator(f"#pane-{index} img").wait_for()
    assert "240 × 320" in tab.locator("#numbers").inner_text()

    divider = tab.locator("#slider .inner")
    before = divider.bounding_box()
    tab.mouse.move(before["x"] + before["width"] / 2, before["y"] + before["height"] / 2)
    tab.mouse.down()
    tab.mouse.move(before["x"] + 90, before["y"] + before["height"] / 2, steps=4)
    tab.mouse.up()
    assert abs(divider.bounding_box()["x"] - before["x"]) > 40

    with tab.expect_download() as waiting:
        tab.locator("#download").click()
    assert waiting.value.suggested_filename == "holiday_rrim-x4.png"
    expected = sr_hub.Upscaler(load_model(models["rrim-x4"]))(decode(photo))
    with Image.open(waiting.value.path()) as result:
        assert result.format == "PNG" and result.size == (240, 320)
        assert result.tobytes() == expected.tobytes()

    tab.locator("#width input[type=number]").fill("90")
    tab.locator("#width input[type=number]").blur()
    api.expect(tab.locator("#download")).to_contain_text("90 × 120", timeout=TIMEOUT)
    with tab.expect_download() as waiting:
        tab.locator("#download").click()
    assert waiting.value.suggested_filename == "holiday_rrim-x4_90x120.png"
    with Image.open(waiting.value.path()) as result:
        assert result.size == (90, 120)


@pytest.mark.parametrize(
    ("page", "field", "shown"), [("upscale", "picture", "slider"), ("compare", "truth", "numbers")]
)
def test_stop_takes_back_a_run_that_still_waits_its_turn(visit, tmp_path, held, page, field, shown):
    tabs = [visit(page), visit(page)]
    for tab, size in zip(tabs, ((80, 60), (48, 32)), strict=True):
        texture(*size).save(tmp_path / "photo.png")
        give(tab, field, tmp_path / "photo.png")
        tab.locator("#run").click()
        assert held.begun.wait(TIMEOUT / 1000)
    waiting = tabs[1].locator(f"#{shown}").get_by_text("queue: 1/1")
    waiting.wait_for()
    tabs[1].locator("#stop").click()
    waiting.wait_for(state="hidden")
    held.go_on.set()
    last = "#pane-2 img" if page == "upscale" else "#strip img"
    tabs[0].locator(last).wait_for()
    assert len({size for _, size in held.runs}) == 1
    tabs[1].locator("#run").click()
    tabs[1].locator(last).wait_for()
    assert len({size for _, size in held.runs}) == 2


@pytest.mark.parametrize("method", ["bicubic", "srgan-x4"])
def test_a_run_ends_whether_results_are_there_or_not(visit, tmp_path, monkeypatch, method):
    begun, pressed = threading.Event(), threading.Event()
    enlarge, stop = Engine.enlarge, Engine.stop

    def enlarge_later(self, name, *args, **options):
        if name == method:
            begun.set()
            pressed.wait(TIMEOUT / 1000)
        return enlarge(self, name, *args, **options)

    def press(self, session):
        stop(self, session)
        if session in self._runs:  # not that of a tab that an earlier test has closed
            pressed.set()

    monkeypatch.setattr(Engine, "enlarge", enlarge_later)
    monkeypatch.setattr(Engine, "stop", press)
    texture(48, 32).save(tmp_path / "photo.png")
    tab = visit("upscale", language="zh-HK")
    give(tab, "picture", tmp_path / "photo.png")
    for button in ("stop", "again"):
        begun.clear()
        pressed.clear()
        tab.locator("#run").click()
        assert begun.wait(TIMEOUT / 1000)
        if method != "bicubic":
            tab.locator("#slider img").first.wait_for()
        tab.locator(f"#{button}").click()
        if button == "stop":
            tab.get_by_text(texts("zh-TW")["message_stopped"]).wait_for()
            assert tab.locator("#slider img").count() == (2 if method != "bicubic" else 0)
        else:
            tab.locator("#slider img").first.wait_for(state="detached")


def test_a_protocol_chosen_while_networks_run_is_the_one_that_is_shown(visit, tmp_path, held):
    texture(48, 32).save(tmp_path / "photo.png")
    tab = visit("compare")
    give(tab, "truth", tmp_path / "photo.png")
    tab.locator("#run").click()
    assert held.begun.wait(TIMEOUT / 1000)
    tab.locator("#protocol").get_by_label("(rgb)").check()
    held.go_on.set()
    tab.get_by_text("photo · Small picture").wait_for()
    tab.get_by_text("Protocol rgb").wait_for()


def test_the_fidelity_slider_follows_the_model(visit):
    tab = visit("upscale", language="zh-HK")
    fidelity = tab.locator("#fidelity")
    assert texts("zh-TW")["upscale_fidelity"] in fidelity.inner_text()
    for model, value in {"rrim-gan-x4": "0", "srgan-x4": None, "rrim-x4": "1"}.items():
        tab.locator("#model input").click()
        tab.get_by_role("option", name=model, exact=True).click()
        fidelity.wait_for(state="visible" if value else "hidden")
        if value:
            number = fidelity.locator("input[type=number]")
            api.expect(number).to_have_value(value, timeout=TIMEOUT)


def test_a_strongly_compressed_file_has_its_network_named_and_one_press_takes_it(visit, tmp_path):
    good, bad = tmp_path / "good.jpg", tmp_path / "bad.jpg"
    texture(60, 40).save(good, quality=95)
    texture(60, 40).save(bad, quality=50)
    tab = visit("upscale")
    tab.set_input_files("#picture input[type=file]", bad)
    api.expect(tab.locator("#advice")).to_contain_text("about 50 of 100")
    tab.click("#advice-take")
    api.expect(tab.locator("#model input")).to_have_value(FOR_JPEG)
    api.expect(tab.locator("#advice")).to_be_hidden()
    tab.locator("#model input").fill("rrim-x4")
    tab.locator("#model input").press("Enter")
    api.expect(tab.locator("#advice")).to_be_visible()
    tab.locator("#picture").get_by_label("Remove Image").click()
    tab.set_input_files("#picture input[type=file]", good)
    api.expect(tab.locator("#advice")).to_be_hidden()


def test_a_true_picture_is_measured_and_the_protocol_switched(visit, tmp_path):
    truth = tmp_path / "truth.png"
    texture(128, 96).save(truth)
    tab = visit("compare")
    api.expect(tab.locator("#csv")).to_be_disabled()
    give(tab, "truth", truth)
    tab.locator("#run").click()
    tab.locator("#strip img").wait_for()
    assert tab.locator("#gallery .gallery-item, #gallery button.thumbnail-item").count() >= 4
    assert tab.locator("#numbers td.best").count() >= 1
    first = tab.locator("#numbers").inner_text()

    tab.locator("#protocol").get_by_label("(report)").check()
    tab.wait_for_function("document.querySelector('#numbers').innerText.includes('4095')")
    assert tab.locator("#numbers").inner_text() != first
    tab.wait_for_function("document.querySelector('#strip img').complete")
    source = tab.locator("#strip img").get_attribute("src")
    tab.locator("#overview img").click(position={"x": 12, "y": 12})
    tab.wait_for_function(
        "before => document.querySelector('#strip img').getAttribute('src') !== before", arg=source
    )

    with tab.expect_download() as waiting:
        tab.locator("#csv").click()
    rows = list(csv.DictReader(waiting.value.path().read_text().splitlines()))
    assert waiting.value.suggested_filename == "truth_report.csv"
    networks = ["srgan-x4", "rrim-x4", "rrim-gan-x4", FOR_JPEG]
    assert [row["model"] for row in rows] == ["bicubic", *networks]
    assert {row["protocol"] for row in rows} == {"report"}
    with tab.expect_download() as waiting:
        tab.locator("#png").click()
    assert waiting.value.suggested_filename == "truth_strip.png"
    with Image.open(waiting.value.path()) as strip:
        assert strip.width > strip.height > 150


def test_a_click_moves_all_panes_and_another_picture_takes_the_results_away(visit, tmp_path):
    for name, size in (("first", (160, 120)), ("second", (40, 24))):
        texture(*size).save(tmp_path / f"{name}.png")
    tab = visit("upscale")
    give(tab, "picture", tmp_path / "first.png")
    tab.locator("#run").click()
    tab.locator("#pane-2 img").wait_for()
    source = tab.locator("#pane-2 img").get_attribute("src")
    box = tab.locator("#overview img").bounding_box()
    tab.locator("#overview img").click(position={"x": 8, "y": box["height"] - 8})
    tab.wait_for_function(
        "before => document.querySelector('#pane-2 img').getAttribute('src') !== before", arg=source
    )
    across = float(tab.locator("#across input[type=number]").input_value())
    down = float(tab.locator("#down input[type=number]").input_value())
    assert across < 5 and down > 95

    tab.locator("#picture input[type=file]").set_input_files(tmp_path / "second.png")
    tab.locator("#slider img").first.wait_for(state="detached")
    api.expect(tab.locator("#download")).to_be_disabled()
    assert "first" not in tab.locator("#numbers").inner_text()
    tab.locator("#run").click()
    tab.locator("#numbers").get_by_text("second · Input").wait_for()


@pytest.mark.parametrize(("page", "field"), [("upscale", "picture"), ("compare", "truth")])
def test_of_a_large_picture_a_part_is_chosen(visit, tmp_path, held, page, field):
    texture(2400, 1600).save(tmp_path / "large.png", compress_level=1)
    texture(48, 32).save(tmp_path / "small.png")
    tab = visit(page)
    api.expect(tab.locator("#part")).to_be_hidden()
    give(tab, field, tmp_path / "large.png")
    tab.locator("#part").get_by_text("2400 × 1600").wait_for()
    overview = tab.locator("#part-overview img")
    overview.wait_for()
    before = overview.get_attribute("src")
    tab.locator("#part-width input[type=number]").fill("100")
    tab.locator("#part-width input[type=number]").press("Tab")
    api.expect(overview).not_to_have_attribute("src", before)
    before, box = overview.get_attribute("src"), overview.bounding_box()
    overview.click(position={"x": box["width"] * 0.9, "y": box["height"] * 0.25})
    api.expect(overview).not_to_have_attribute("src", before)
    across = float(tab.locator("#part-across input[type=number]").input_value())
    down = float(tab.locator("#part-down input[type=number]").input_value())
    assert abs(across - 90) < 2 and abs(down - 25) < 2
    held.go_on.set()
    tab.locator("#run").click()
    shown = "large · Input: 100 × 66 px" if page == "upscale" else "25 × 16 px"
    tab.locator("#numbers").get_by_text(shown).wait_for()
    tab.locator(f"#{field} input[type=file]").set_input_files(tmp_path / "small.png")
    api.expect(tab.locator("#part")).to_be_hidden()


def test_two_quick_presses_are_one_run_and_a_running_one_shows_in_the_button(visit, tmp_path, held):
    texture(48, 32).save(tmp_path / "photo.png")
    tab = visit("upscale")
    give(tab, "picture", tmp_path / "photo.png")
    tab.locator("#run").dblclick()
    assert held.begun.wait(TIMEOUT / 1000)
    tab.wait_for_function(PRESSABLE, arg=False)
    held.go_on.set()
    tab.locator("#pane-2 img").wait_for()
    tab.wait_for_function(PRESSABLE, arg=True)
    assert [name for name, _ in held.runs] == ["bicubic", "rrim-x4", "srgan-x4"]


PRESSABLE = """can => can ===
    (getComputedStyle(document.querySelector('#run')).pointerEvents !== 'none')"""


def test_a_page_scrolls_over_its_slider_and_keys_move_the_line(visit):
    tab = visit()
    tab.set_viewport_size({"width": 1280, "height": 400})
    line, picture = tab.get_by_role("slider"), tab.locator("#home-slider img").first
    line.focus()
    before = line.bounding_box()["x"]
    for key, moved in (("ArrowRight", 1), ("Home", -1), ("End", 1)):
        tab.keyboard.press(key)
        tab.wait_for_function(
            "([line, before, moved]) => (line.getBoundingClientRect().x - before) * moved > 5",
            arg=[line.element_handle(), before, moved],
        )
    api.expect(line).to_have_attribute("aria-valuenow", "100")
    box = picture.bounding_box()
    tab.mouse.move(box["x"] + 40, box["y"] + box["height"] / 2)
    tab.mouse.wheel(0, 120)
    tab.wait_for_function("scrollY > 50")
    assert "scale(1)" in picture.get_attribute("style")
    tab.keyboard.down("Control")
    tab.mouse.wheel(0, -120)
    tab.wait_for_function(
        "!document.querySelector('#home-slider img').style.transform.includes('scale(1)')"
    )
    tab.keyboard.up("Control")


def test_who_hears_the_page_hears_names_and_how_a_run_ended(visit, tmp_path):
    texture(48, 32).save(tmp_path / "photo.png")
    tab = visit("upscale", language="zh-HK")
    tab.get_by_role("button", name="waves.png").wait_for()
    give(tab, "picture", tmp_path / "photo.png")
    tab.evaluate(HEARD)
    tab.locator("#run").click()
    for name in ("bicubic", "srgan-x4", "rrim-x4"):
        tab.get_by_role("img", name=name, exact=True).wait_for()
    tab.wait_for_function("word => window.heard.includes(word)", arg=texts("zh-TW")["message_done"])
    assert not [words for words in tab.evaluate("window.heard") if "common." in words]
    tab.locator("#stop").click()
    stopped = tab.get_by_role("status").get_by_text(texts("zh-TW")["message_stopped"])
    stopped.wait_for()


HEARD = """() => {
    window.heard = [];
    new MutationObserver(() => document.querySelectorAll('[aria-live], [role=status]').forEach(
        (region) => window.heard.push(region.innerText.trim())
    )).observe(document.body, { subtree: true, childList: true, characterData: true });
}"""
"""Collects what a screen reader is told."""


def test_the_crops_come_first_on_a_phone(visit, tmp_path):
    texture(128, 96).save(tmp_path / "truth.png")
    tab = visit("compare", width=PHONE)
    give(tab, "truth", tmp_path / "truth.png")
    tab.locator("#run").click()
    tab.wait_for_function("document.querySelector('#strip .image-frame')?.scrollLeft > 100")


def test_a_broken_file_is_one_line_and_the_page_goes_on(visit, tmp_path):
    (tmp_path / "letter.png").write_text("Dear picture")
    tab = visit("upscale")
    tab.locator("#picture input[type=file]").set_input_files(tmp_path / "letter.png")
    tab.locator("#picture img").wait_for(state="attached")
    says = "letter.png is not a picture of a known format"
    tab.locator("[data-testid=toast-body].warning").get_by_text(says).wait_for()
    tab.locator("#run").click()
    tab.locator("[data-testid=toast-body].error").get_by_text(says).wait_for()
    tab.locator(".examples button, tr.tr-body, .gallery-item").first.click()
    tab.locator("#picture img[src*=waves]").wait_for()
    tab.locator("#run").click()
    tab.locator("#pane-0 img").wait_for()


def test_what_gradio_has_in_english_only_is_in_the_visitors_language(visit, tmp_path, held):
    say = texts("zh-TW")
    (tmp_path / "letter.txt").write_text("Dear picture")
    texture(48, 32).save(tmp_path / "photo.png")
    tabs = [visit("upscale", language="zh-HK") for _ in range(2)]
    tabs[1].locator("#picture input[type=file]").set_input_files(tmp_path / "letter.txt")
    toast = tabs[1].locator("[data-testid=toast-body]")
    toast.get_by_text(say["gradio_not_picture"] % ("letter.txt", "image/*")).wait_for()
    assert toast.locator(".toast-title").inner_text().strip() == say["gradio_error"]
    for tab in tabs:
        give(tab, "picture", tmp_path / "photo.png")
        tab.locator("#run").click()
        assert held.begun.wait(TIMEOUT / 1000)
    tabs[1].locator("#slider").get_by_text(say["gradio_queue"] % "1/1").wait_for()
    held.go_on.set()
    tabs[1].locator("#pane-2").get_by_title(say["gradio_fullscreen"]).wait_for()
    tabs[1].locator("#picture").get_by_title(say["gradio_remove"]).wait_for()


def test_the_language_follows_the_browser_and_then_the_choice(visit):
    tab = visit("upscale", language="zh-HK")
    title = tab.locator("h1")
    assert title.inner_text() == texts("zh-TW")["upscale_title"]
    assert tab.locator("#run").inner_text() == texts("zh-TW")["upscale_run"]
    tab.locator("[data-language=zh-CN]").click()
    tab.wait_for_function("word => document.body.innerText.includes(word)", arg="提升分辨率")
    assert title.inner_text() == texts("zh-CN")["upscale_title"]
    tab.locator(".bar nav a").nth(2).click()
    tab.wait_for_function(
        "word => document.querySelector('h1')?.innerText === word",
        arg=texts("zh-CN")["compare_title"],
    )
    tab.locator("#run").click()
    toast = tab.locator("[data-testid=toast-body]")
    toast.wait_for()
    assert texts("zh-CN")["message_no_truth"] in toast.inner_text()


def test_no_name_in_the_plot_covers_another_or_a_point(visit):
    tab = visit("benchmarks")
    tab.locator("#plot circle").first.wait_for()
    covered = tab.evaluate(
        """() => {
            const all = [...document.querySelectorAll('#plot .name, #plot circle')];
            const boxes = all.map((part) => part.getBoundingClientRect());
            const meet = (a, b) => a.left < b.right && b.left < a.right
                && a.top < b.bottom && b.top < a.bottom;
            return all.filter((part, i) => part.matches('.name')
                && boxes.some((box, j) => i !== j && meet(boxes[i], box)))
                .map((part) => part.textContent);
        }"""
    )
    assert covered == [] and tab.locator("#plot .name").count() > 5


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_fits_a_phone_and_its_texts_can_be_read(visit, url, theme):
    tab = visit()
    for page in ("", "upscale", "compare", "benchmarks", "references"):
        tab.set_viewport_size({"width": PHONE, "height": 900})
        tab.goto(f"{url}{page}?__theme={theme}", wait_until="load")
        tab.locator("h1").wait_for()
        assert tab.locator("body.dark").count() == (theme == "dark")
        assert tab.evaluate("document.documentElement.scrollWidth") <= PHONE
        assert tab.locator("nav a[aria-current]").count() == 1
        words = tab.locator("body").inner_text()
        assert not re.search(r"__i18n__|undefined|\bNone\b|\bnan\b", words)
        tab.set_viewport_size({"width": 1280, "height": 900})
        if page == "upscale":
            tab.locator("button.label-wrap").click()
            tab.locator("#hub").wait_for()
        assert tab.evaluate(PALE_TEXTS) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_what_goes_on_beyond_a_phone_shows_it_and_keeps_the_names_of_a_table(visit, theme):
    tab = visit(f"benchmarks?__theme={theme}", width=PHONE)

    def color_at_right(part):
        with Image.open(io.BytesIO(part.screenshot())) as picture:
            column = picture.convert("RGB").crop((picture.width - 2, 0, *picture.size))
            return max(column.getcolors())[1]

    page = color_at_right(tab.locator("body"))
    for wide in ("#numbers .numbers", "#plot .plot"):
        table = tab.locator(wide)
        table.wait_for()
        assert table.evaluate("table => table.scrollWidth > table.clientWidth")
        shadow = color_at_right(table)
        assert max(abs(a - b) for a, b in zip(shadow, page, strict=True)) > 20
        table.evaluate("table => { table.scrollLeft = table.scrollWidth }")
        assert color_at_right(table) == page

    table = tab.locator(".numbers").first
    table.evaluate("table => { table.scrollLeft = 0 }")
    name, number = table.locator("td").nth(0), table.locator("td").nth(1)
    before = name.bounding_box()["x"], number.bounding_box()["x"]
    table.evaluate("table => { table.scrollLeft = 80 }")
    assert name.bounding_box()["x"] == before[0]
    assert number.bounding_box()["x"] == before[1] - 80
