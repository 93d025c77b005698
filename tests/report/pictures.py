"""Draws the pictures of the page that explains the report, and lists its definitions.

python tests/report/pictures.py
"""

from __future__ import annotations

import shutil
import tempfile
from datetime import date
from pathlib import Path

from crm_portfolio import Portfolio, report, samples
from crm_portfolio._report._terms import TERMS
from crm_portfolio._wording import Reason, sentence

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "read-the-report.md"
BEGIN, END = "<!-- definitions -->", "<!-- end of definitions -->"
WIDE, HIGH = 1_280, 1_180


def definitions() -> str:
    """A line for each number of the page, as the page itself defines it."""
    rows = [tuple(sentence(Reason(code)) for code in TERMS[term]) for term in TERMS]
    lines = [f"| {name} | {meaning} |" for name, meaning in rows]
    return "\n".join(
        [BEGIN, "", "| number | means |", "| --- | --- |", *lines, "", END]
    )


def book() -> Portfolio:
    made = samples.danger_book(accounts=160)
    return Portfolio.from_frames(
        as_of=made.truths["as_of"], currency="EUR", **made.tables
    )


def draw(folder: Path) -> None:
    """The top of the page in the light, its list of accounts in the dark."""
    from playwright.sync_api import sync_playwright

    portfolio = book()
    older = portfolio.at(date(portfolio.as_of.year, 3, 31))
    with tempfile.TemporaryDirectory() as place, sync_playwright() as started:
        file = Path(place) / "page.html"
        report(portfolio, against=older).save(file)
        browser = started.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": WIDE, "height": HIGH})
        page.goto(file.as_uri())
        page.wait_for_selector("#account-search")
        page.screenshot(path=folder / "report.png")
        page.emulate_media(color_scheme="dark")
        page.locator("#accounts .opens").nth(1).click()
        page.set_viewport_size({"width": WIDE, "height": 900})
        page.evaluate("document.querySelector('#accounts-title').scrollIntoView()")
        page.screenshot(path=folder / "report-accounts.png")
        browser.close()


if __name__ == "__main__":
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(before + definitions() + after, encoding="utf-8")
    (PAGE.parent / "pictures").mkdir(exist_ok=True)
    draw(PAGE.parent / "pictures")
