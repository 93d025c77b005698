"""A book that lets every question be answered, its pages, and a browser to open them in."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from crm_portfolio import Portfolio, Report, analyse, report, samples
from crm_portfolio._analyse import Findings

AS_OF = date(2026, 6, 30)
CRITERIA = ("relationship", "ethics", "reputation", "vision", "innovation")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def _billed(book: samples.Book, seed: int = 8) -> dict[str, pa.Table]:
    """The book with what was won as lines, invoices, hours and talk: all can be told."""
    chance = np.random.default_rng(seed)
    sale = book.tables["opportunity"]
    won = sale.filter(
        pc.and_kleene(
            pc.and_kleene(pc.equal(sale["status"], "won"), pc.is_valid(sale["amount"])),
            pc.and_(pc.is_valid(sale["account_id"]), pc.is_valid(sale["closed_on"])),
        )
    )
    won = won.filter(pc.is_in(won["account_id"], book.tables["account"]["account_id"]))
    count = won.num_rows
    days = won["closed_on"].combine_chunks().cast(pa.int32()).to_numpy()
    late = np.round(chance.normal(25, 25, count)).astype(np.int32)
    amount = won["amount"].combine_chunks().to_numpy()
    paid = np.minimum(days + 30 + np.maximum(late, -20), days.max())

    def on(numbers: np.ndarray) -> pa.Array:
        return pa.array(numbers.astype(np.int32), pa.int32()).cast(pa.date32())

    at = pc.multiply(pa.array(days.astype(np.int64)), 86_400_000_000)
    noon = pc.add(at, 43_200_000_000).cast(pa.timestamp("us", "UTC"))
    common = {"account_id": won["account_id"]}
    further: dict[str, Any] = {
        "revenue_line": {
            "line_id": won["opportunity_id"],
            **common,
            "booked_on": won["closed_on"],
            "amount": won["amount"],
            "cost": np.round(amount * chance.uniform(0.3, 1.2, count), 2),
        },
        "invoice": {
            "invoice_id": won["opportunity_id"],
            **common,
            "issued_on": won["closed_on"],
            "due_on": on(days + 30),
            "paid_on": on(paid),
            "amount": pc.round(pc.multiply(won["amount"], 1.2), 2),
        },
        "effort": {
            **common,
            "worked_on": won["closed_on"],
            "minutes": np.round(chance.uniform(30, 900, count)),
        },
        "activity": {
            "activity_id": won["opportunity_id"],
            **common,
            "opportunity_id": won["opportunity_id"],
            "occurred_at": noon,
            "direction": pa.array(np.where(late > 0, "out", "in")),
            "minutes": np.round(chance.uniform(5, 90, count)),
        },
    }
    further["capacity"] = {
        "role": ["sales"],
        "from_on": [date(2025, 7, 1)],
        "to_on": [date(2026, 6, 30)],
        "hours": [9_000.0],
        "cost_per_hour": [55.0],
    }
    rated = book.tables["account"]["account_id"].to_pylist()
    marks = chance.integers(0, 11, (len(rated), len(CRITERIA))).astype(float)
    further["rating"] = {
        "account_id": np.repeat(rated, len(CRITERIA)),
        "criterion": list(CRITERIA) * len(rated),
        "value": marks.ravel(),
        "rated_by": ["U1"] * marks.size,
        "rated_on": [date(2026, 5, 4)] * marks.size,
    }
    return {**book.tables, **{name: pa.table(made) for name, made in further.items()}}


def _portfolio_of(tables: dict[str, pa.Table], **said: Any) -> Portfolio:
    return Portfolio.from_frames(
        **{"as_of": AS_OF, "currency": "EUR", **said}, **tables
    )


@pytest.fixture(scope="session")
def billed() -> Any:
    return _billed


@pytest.fixture(scope="session")
def portfolio_of() -> Any:
    return _portfolio_of


@pytest.fixture(scope="session")
def book() -> Portfolio:
    return _portfolio_of(_billed(samples.book(accounts=80, opportunities=900)))


@pytest.fixture(scope="session")
def findings(book: Portfolio) -> Findings:
    return analyse(book)


@pytest.fixture(scope="session")
def english(book: Portfolio, findings: Findings) -> Report:
    """With what moved since the end of the year."""
    older = book.at(date(2025, 12, 31))
    return report(book, findings=findings, against=older)


@pytest.fixture(scope="session")
def french(book: Portfolio, findings: Findings) -> Report:
    return report(book, findings=findings, lang="fr")


@pytest.fixture(scope="session")
def pages(english: Report, french: Report, tmp_path_factory: Any) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    found = {"en": english, "fr": french}
    for lang, each in found.items():
        each.save(folder / f"{lang}.html")
    return {lang: folder / f"{lang}.html" for lang in found}


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"no browser on this machine: none of {', '.join(BROWSERS)}")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def open_page(browser: Any) -> Iterator[Any]:
    """Opens a file without a network; whatever it asks for or says stands in `heard`."""
    contexts = []

    def opened(path: Path, *, until: str = "#account-search", **said: Any) -> Any:
        context = browser.new_context(offline=True, **said)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.heard = []
        page.on("console", lambda each: page.heard.append(each.text))
        page.on("pageerror", lambda each: page.heard.append(str(each)))
        page.on("dialog", lambda each: page.heard.append("a dialog"))
        page.on("request", lambda each: page.heard.append(each.url))
        page.goto(path.as_uri())
        if until:
            page.wait_for_selector(until)
        assert page.heard.pop(0) == path.as_uri()
        return page

    yield opened
    for each in contexts:
        each.close()
