"""Does the page do in a real browser what it promises, and nothing else?"""

from __future__ import annotations

import re
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from PIL import Image

from crm_portfolio import analyse, report

HOSTILE = {
    "a script": "<script>window.hacked = 1</script>",
    "an image": '"><img src=x onerror="window.hacked = 1">',
    "the end of the data": "</script><script>window.hacked = 1</script>",
    "the end of a picture": "</text></svg><svg onload='window.hacked = 1'>",
    "an address": "javascript:window.hacked=1",
    "right to left": "gpj.\u202eexe",
    "a template": "{{7*7}} ${window.hacked = 1} @1 @2",
    "an entity": "&lt;b&gt;",
    "the marks of the packed sentences": "a\x1fb\x1ec\x00d",
}
LANGS = ("en", "fr")
SCHEMES = ("light", "dark")
DAY = date(2026, 6, 30)


def shown(page: Any) -> list[str]:
    return page.locator("#accounts .opens").all_inner_texts()


@pytest.mark.parametrize("lang", LANGS)
def test_it_opens_offline_and_asks_nobody_for_anything(lang, pages, open_page):
    """What it heard is all that the console said and all that was requested."""
    page = open_page(pages[lang])
    assert page.heard == []
    assert page.locator("section").count() == 8
    assert page.locator("svg.picture").count() > 12
    assert page.evaluate("document.documentElement.lang") == lang


OPEN_ONE_OF_EACH = """() => {
  const kinds = new Map();
  for (const each of document.querySelectorAll("details")) {
    const kind = each.className || each.parentElement.tagName;
    if (!kinds.has(kind)) kinds.set(kind, each);
  }
  for (const each of kinds.values()) each.open = true;
  document.querySelector("#accounts .opens").click();
  for (const row of [...document.querySelectorAll("tbody tr:nth-child(n+7)")]) row.remove();
}"""


@pytest.mark.parametrize("lang", LANGS)
def test_nobody_is_shut_out(lang, pages, open_page):
    """No finding of axe, all disclosed; contrast in the light and in the dark."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    # Axe is put into the page, which the policy of the page forbids, rightly.
    page = open_page(pages[lang], color_scheme="light", bypass_csp=True)
    page.fill("#account-search", "critic" if lang == "en" else "critique")
    page.evaluate(OPEN_ONE_OF_EACH)
    outside = {"exclude": [["svg *"]]}  # each picture is one image, with its name
    found = axe.run(page, context=outside, options={"resultTypes": ["violations"]})
    assert found.response["violations"] == []
    page.emulate_media(color_scheme="dark")
    contrast = {"runOnly": {"type": "rule", "values": ["color-contrast"]}}
    assert axe.run(page, context=outside, options=contrast).violations_count == 0


CONTRAST = """() => {
  const light = (colour) => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map(Number).map((each) => each / 255)
      .map((each) => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const probe = document.createElement("i");
  document.body.append(probe);
  const coloured = (value) => {
    probe.style.color = value;
    return light(getComputedStyle(probe).color);
  };
  const grounds = ["var(--paper)", "var(--bar)"].map(coloured);
  return [...document.querySelectorAll("svg.picture text")].map((text) => {
    const ink = light(getComputedStyle(text).fill);
    return Math.min(...grounds.map((ground) =>
      (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05)));
  });
}"""


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_letters_of_pictures_are_legible(scheme, pages, open_page):
    """On the page and on a full bar: 4.5 to 1 at the least."""
    page = open_page(pages["en"], color_scheme=scheme, bypass_csp=True)
    found = page.evaluate(CONTRAST)
    assert len(found) > 100
    assert min(found) >= 4.5


def test_a_search_finds_by_name_id_and_value_whatever_the_accents(
    pages, open_page, book
):
    page = open_page(pages["fr"])
    count = book.row_counts["account"]
    assert page.locator(".found").inner_text() == f"50 sur {count} affichés"
    first = shown(page)[0]
    record_id = first.split()[-1]
    page.fill("#account-search", record_id.lower())
    assert shown(page) == [first]
    assert page.locator(".found").inner_text() == "1 sur 1 affichés"
    page.fill("#account-search", "CRITIQUE")
    levels = page.locator("#accounts tbody .level").all_inner_texts()
    assert levels
    assert set(levels) == {"critique"}
    page.fill("#account-search", "eleve")
    found = page.locator("#accounts tbody .level").all_inner_texts()
    assert "élevé" in found
    page.fill("#account-search", "no such account anywhere")
    assert shown(page) == []


def test_all_of_it_can_be_done_by_keyboard_alone(pages, open_page):
    page = open_page(pages["en"])
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.url.endswith("#dependence")
    page.focus("#account-search")
    wanted = shown(page)[7]
    page.keyboard.type(wanted.split()[-1])
    assert shown(page) == [wanted]
    page.keyboard.press("Control+a")
    page.keyboard.press("Delete")
    before = shown(page)
    page.locator("#accounts th button").first.focus()
    page.keyboard.press("Enter")
    head = page.locator("#accounts thead th").first
    assert head.get_attribute("aria-sort") == "ascending"
    assert shown(page) != before
    up = shown(page)
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    assert shown(page) != up
    name = page.locator("#accounts .opens").first
    name.focus()
    page.keyboard.press("Enter")
    assert name.get_attribute("aria-expanded") == "true"
    why = page.locator("#accounts tbody .why").first
    assert why.locator("h4").all_inner_texts()[:2] == ["Tier", "Dependence"]
    assert why.locator("li").count() > 5
    page.keyboard.press("Enter")
    assert page.locator("#accounts .why").count() == 0
    tile = page.locator(".tile").first
    assert not tile.locator("p").is_visible()
    tile.locator("summary").focus()
    page.keyboard.press("Enter")
    assert tile.locator("p").is_visible()


def test_numbers_sort_as_numbers_and_the_unknown_stays_last(pages, open_page, findings):
    page = open_page(pages["en"])
    at = page.locator("#accounts thead th").all_inner_texts().index("Revenue")
    button = page.locator("#accounts th button").nth(at)
    rows = page.locator("#accounts tbody tr")
    revenue = findings["concentration"].arrow["revenue"].to_pylist()
    for _, expected in zip(range(2), (min(revenue), max(revenue)), strict=True):
        button.click()
        cells = rows.first.locator("th,td").nth(at).inner_text()
        number = re.sub("[^\\d.−]", "", cells).replace("−", "-")
        assert float(number) == pytest.approx(expected, abs=1)
    danger = page.locator("#danger table.sortable")
    danger.locator("th button").first.click()
    names = danger.locator("tbody th").all_inner_texts()
    assert names == sorted(names, key=str.casefold)


def test_what_is_chosen_narrows_the_list_and_more_can_be_shown(pages, open_page, book):
    page = open_page(pages["en"])
    page.get_by_role("button", name="Show more").click()
    assert len(shown(page)) == book.row_counts["account"]
    page.get_by_label("Tier", exact=True).select_option("A")
    at = page.locator("#accounts thead th").all_inner_texts().index("Tier")
    rows = page.locator("#accounts tbody tr")
    tiers = {row.locator("th,td").nth(at).inner_text() for row in rows.all()}
    assert tiers == {"A"}


def test_a_reason_reads_as_explain_says_it(pages, open_page, findings):
    page = open_page(pages["fr"])
    page.locator("#accounts .opens").nth(3).click()
    said = page.locator("#accounts tbody .why li").first.inner_text()
    record_id = page.locator("#accounts tbody .id").nth(3).inner_text()
    expected = findings["tiers"].explain(record_id, lang="fr").splitlines()[0]
    assert re.sub(r"\s", " ", said) == re.sub(r"\s", " ", expected)


def test_without_a_script_the_first_accounts_and_all_reasons_stand_there(
    pages, open_page
):
    page = open_page(pages["en"], until="", java_script_enabled=False)
    rows = page.locator("#accounts tbody tr")
    assert rows.count() == 20
    page.locator("#accounts tbody summary").first.click()
    assert page.locator("#accounts tbody .why li").first.is_visible()
    assert "can be searched and sorted" in page.locator("#accounts .first").inner_text()
    assert page.locator(".tools").count() == 0
    page.locator("#danger .behind summary").last.click()
    assert page.locator("#danger .behind li").last.is_visible()


def test_on_paper_what_stands_behind_is_open_and_tools_are_gone(pages, open_page):
    page = open_page(pages["fr"])
    printed = page.pdf()
    assert printed.startswith(b"%PDF")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details.behind:not([open])").count() == 0
    page.emulate_media(media="print")
    for gone in ("nav", ".tools", ".tile details", ".more"):
        assert page.locator(gone).count()
        assert not page.locator(gone).first.is_visible()
    assert " sur " in page.locator(".found").first.inner_text()  # not all are on paper
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details.behind[open]").count() == 0


def test_on_paper_no_name_and_no_amount_breaks_amid_a_word(
    portfolio_of, open_page, tmp_path
):
    amounts = {"Singletechnology": 10_005_534.0, "Groovestreets": 2.0}
    rows = [
        {"line_id": name, "account_id": name, "booked_on": DAY, "amount": amount}
        for name, amount in amounts.items()
    ]
    named = pa.table({"account_id": [*amounts], "name": [*amounts]})
    tables = {"account": named, "revenue_line": pa.Table.from_pylist(rows)}
    report(portfolio_of(tables)).save(tmp_path / "paper.html")
    page = open_page(tmp_path / "paper.html", viewport={"width": 672, "height": 950})
    page.emulate_media(media="print")
    for told in (*page.locator(".opens").all(), page.locator(".tile .value").first):
        lines = told.evaluate(
            "e => { const r = document.createRange(); r.selectNodeContents(e);"
            " return new Set([...r.getClientRects()].map(b => b.top)).size }"
        )
        assert lines == 1, told.inner_text()


def test_a_telephone_needs_to_scroll_no_page_sideways(pages, open_page):
    page = open_page(pages["fr"], viewport={"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize("scheme", SCHEMES)
def test_on_a_telephone_the_edge_of_a_picture_says_that_it_goes_on(
    scheme, pages, open_page
):
    small = {"width": 360, "height": 740}
    page = open_page(pages["en"], viewport=small, color_scheme=scheme)
    picture = page.locator("figure").first
    picture.scroll_into_view_if_needed()
    box = picture.bounding_box()

    def shades() -> int:
        """Of the last pixels on the right, at a height where nothing is drawn."""
        right = {"x": box["x"] + box["width"] - 4, "y": box["y"] + 40}
        strip = page.screenshot(clip={**right, "width": 3, "height": 1})
        return len(Image.open(BytesIO(strip)).convert("RGB").getcolors())

    assert shades() == 3
    picture.evaluate("each => { each.scrollLeft = each.scrollWidth }")
    assert shades() == 1


def test_a_name_without_blanks_and_a_huge_amount_stay_on_the_page(
    portfolio_of, open_page, tmp_path
):
    name = "W" * 120
    account = {"account_id": ["A1"], "name": [name]}
    line = {
        "line_id": ["L1"],
        "account_id": ["A1"],
        "booked_on": [date(2026, 3, 1)],
        "amount": [12_794_540_400_000.0],
    }
    tables = {"account": pa.table(account), "revenue_line": pa.table(line)}
    book = portfolio_of(tables, currency="USD")
    some = ["concentration", "risk"]
    report(book, findings=analyse(book, only=some)).save(tmp_path / "page.html")
    page = open_page(tmp_path / "page.html", viewport={"width": 1280, "height": 900})
    assert name in page.inner_text("#dependence .lead >> nth=0")
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    too_wide = "each => each.scrollWidth > each.clientWidth"
    assert not any(
        each.evaluate(too_wide) for each in page.locator(".tile .value").all()
    )


@pytest.fixture(scope="module")
def hostile(portfolio_of, tmp_path_factory) -> Path:
    names = list(HOSTILE.values())
    ids = [f"A{at}" for at in range(len(names))]
    sale = {
        "opportunity_id": [f"O{at}" for at in range(len(names))],
        "account_id": ids,
        "name": names,
        "status": ["won"] * len(names),
        "amount": [float(100 - at) for at in range(len(names))],
        "closed_on": [date(2026, 1, 5)] * len(names),
    }
    account = {"account_id": ids, "name": names, "segment": names}
    book = portfolio_of({"account": pa.table(account), "opportunity": pa.table(sale)})
    some = ("concentration", "tiers", "risk", "loss_scenario")
    path = tmp_path_factory.mktemp("hostile") / "page.html"
    report(book, findings=analyse(book, only=some)).save(path)
    return path


def test_hostile_names_are_only_read(hostile, open_page):
    page = open_page(hostile)
    for each in page.locator("#accounts .opens").all():
        each.click()
    why = page.locator("#accounts .why").all_inner_texts()
    assert any(HOSTILE["a template"] in each for each in why)
    for word in ("script", "img", "svg", "javascript"):
        page.fill("#account-search", word)
        assert shown(page)
    page.fill("#account-search", "")
    assert page.evaluate("window.hacked") is None
    assert page.heard == []
    assert page.locator("script").count() == 2
    assert (
        page.locator("img, iframe, object, svg[onload], a[href^=javascript]").count()
        == 0
    )
    said = " ".join(shown(page))
    assert HOSTILE["a script"] in said
    assert HOSTILE["a template"] in said
    assert "gpj.⟨202E⟩exe" in said
    assert not set("\u202e\x00\x1e\x1f") & set(hostile.read_text("utf-8"))
