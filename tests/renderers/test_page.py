"""The page in a browser: at each width, in either colour scheme, by keyboard, on paper, and without scripts."""

import base64
import re
import shutil
from pathlib import Path

import pytest

import adverify

webdriver = pytest.importorskip("selenium.webdriver", reason="the page is tested in a browser by selenium")
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="no Chromium: apt-get install chromium chromium-driver, to test the page in it"
)
WIDTHS = (360, 768, 1440)
STYLE = (Path(adverify.__file__).parent / "page" / "report.css").read_text()


class Browser:
    def __init__(self, page, scripts=True):
        options = webdriver.ChromeOptions()
        for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"):
            options.add_argument(argument)
        options.binary_location = CHROMIUM
        if not scripts:
            options.add_experimental_option("prefs", {"profile.managed_default_content_settings.javascript": 2})
        self.driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
        self.page = page

    def show(self, width=1440, scheme="light", media="screen", page=None):
        feature = {"name": "prefers-color-scheme", "value": scheme}
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": [feature]})
        self.driver.get((page or self.page).as_uri())

    def run(self, script):
        return self.driver.execute_script(script)

    def press(self, *keys):
        for key in keys:
            webdriver.ActionChains(self.driver).send_keys(key).perform()


@pytest.fixture(scope="module")
def path(everything, shown, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(shown(everything, "html"), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def browser(path):
    browser = Browser(path)
    yield browser
    browser.driver.quit()


OPEN_ALL = "for (const e of document.querySelectorAll('details')) e.open = true;"


@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_does_not_scroll_sideways(browser, width):
    browser.show(width)
    assert browser.run(OPEN_ALL + "return document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_cut_off_but_what_scrolls_by_itself(browser, width):
    browser.show(width)
    wide = browser.run(OPEN_ALL + """
        return [...document.querySelectorAll("main *")].filter(e =>
            e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".scroll, pre, svg, .unseen"))
            .map(e => e.outerHTML.slice(0, 200))""")  # fmt: skip
    assert wide == []


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1440, "light")])
def test_axe_finds_nothing(documents, shown, tmp_path, browser, width, scheme):
    axe = pytest.importorskip("axe_core_python.selenium", reason="accessibility is looked at by axe-core-python")
    chosen = [documents[name]["reports"][0] for name in ("wrong_number", "raised", "undecided", "verified")]
    page = tmp_path / "report.html"
    page.write_text(shown({**documents["verified"], "reports": chosen}, "html"), encoding="utf-8")
    browser.show(width, scheme, page=page)
    browser.run(OPEN_ALL)
    assert [(v["id"], v["nodes"][0]["html"]) for v in axe.Axe().run(browser.driver)["violations"]] == []


def test_the_script_runs_under_the_pages_own_policy(browser):
    browser.show()
    assert browser.run("return document.querySelector('.filter').hidden") is False
    assert [e for e in browser.driver.get_log("browser") if e["level"] == "SEVERE"] == []


def names(browser):
    return browser.run("""return [...document.querySelectorAll(".overview tbody tr")].filter(r => !r.hidden)
        .map(r => r.cells[0].textContent)""")


def test_ops_are_sorted_by_a_column_and_back(browser, everything):
    browser.show()
    before = names(browser)
    button = "document.querySelectorAll('.overview thead button')[0]"
    browser.run(f"{button}.click()")
    assert names(browser) == sorted(before, key=str.lower)
    assert browser.run(f"return {button}.parentElement.getAttribute('aria-sort')") == "ascending"
    browser.run(f"{button}.click()")
    assert names(browser) == sorted(before, key=str.lower, reverse=True)
    browser.run("document.querySelectorAll('.overview thead button')[3].click()")
    browser.run("document.querySelectorAll('.overview thead button')[3].click()")
    assert names(browser)[0] == "Noise"


def test_ops_are_filtered_by_text_and_verdict(browser, everything):
    browser.show()
    browser.driver.find_element("name", "text").send_keys("raise")
    assert set(names(browser)) == {"Raises", "Surrogate", "Identity"}
    browser.run("const s = document.querySelector('select'); s.value = 'verified';"
                "s.dispatchEvent(new Event('input', {bubbles: true}))")  # fmt: skip
    assert names(browser) == []
    said = browser.run("return document.querySelector('output').textContent")
    assert said == f"0 of {len(everything['reports'])} shown"


def test_by_keyboard_alone(browser):
    browser.show()
    browser.press("\ue004")  # Tab
    assert browser.run("return document.activeElement.className") == "skip"
    assert browser.run("return document.activeElement.getBoundingClientRect().left") >= 0
    for _ in range(4):
        browser.press("\ue004")
    assert browser.run("return document.activeElement.textContent") == "verdict"
    outline = "const s = getComputedStyle(document.activeElement); return [s.outlineStyle, s.outlineWidth]"
    assert browser.run(outline) == ["solid", "3px"]
    browser.press("\ue007")  # Enter
    assert browser.run("return document.querySelector('[aria-sort]').textContent") == "verdict"


def test_a_link_opens_the_details(browser, everything):
    browser.show()
    number = 1 + [r["status"] for r in everything["reports"]].index("verified")
    assert browser.run(f"return document.getElementById('op-{number}').open") is False
    browser.run(f"document.querySelector('a[href=\"#op-{number}\"]').click()")
    assert browser.driver.execute_async_script(f"""const done = arguments[0];
        setTimeout(() => done(document.getElementById("op-{number}").open), 200)""")


def test_the_example_is_copied_or_selected(browser):
    browser.show()
    selected = browser.run("document.querySelector('.copy').click(); return getSelection().toString()")
    assert selected.startswith("x = variable(np.array([1.0, 1.0]))\ny = variable(")


def test_on_paper_everything_is_open_and_dark_on_light(browser):
    browser.show(media="print", scheme="dark")
    heights = browser.run("""return [...document.querySelectorAll("details:not([open])")].map(e =>
        e.querySelector(":scope > :not(summary)").getBoundingClientRect().height)""")
    assert heights
    assert min(heights) > 0
    assert browser.run("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert browser.run("return getComputedStyle(document.querySelector('.filter')).display") == "none"
    pdf = base64.b64decode(browser.driver.execute_cdp_cmd("Page.printToPDF", {})["data"])
    assert pdf.startswith(b"%PDF")


def test_without_scripts_everything_can_be_read(path):
    browser = Browser(path, scripts=False)
    try:
        browser.show()
        assert browser.driver.find_element("css selector", ".filter").is_displayed() is False
        assert browser.driver.find_element("css selector", "#op-1 .reason").is_displayed()
        assert browser.driver.find_elements("css selector", ".overview thead button") == []
    finally:
        browser.driver.quit()


def _luminance(colour):
    digits = colour if len(colour) == 6 else "".join(2 * c for c in colour)
    channels = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(first, second):
    lighter, darker = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("which", [0, 1, 2], ids=["light", "dark", "print"])
def test_text_has_contrast(which):
    palette = dict(re.findall(r"--(\w+): #(\w+)", re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)[which]))
    texts = ("ink", "quiet", "link", "violated", "undecided", "verified", "forward", "backward")
    assert all(_contrast(palette[t], palette[on]) >= 4.5 for t in texts for on in ("paper", "raised"))
    assert _contrast(palette["unknown"], palette["paper"]) >= 3
