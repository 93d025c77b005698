"""Whose are the rows that named a record which has left, or was merged into another?"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from crm_portfolio import Portfolio, connect, pull
from crm_portfolio._pull import PullSettings, _rereading, pull_into
from crm_portfolio.connectors.hubspot import HubSpotSettings
from crm_portfolio.errors import TransientError
from crm_portfolio.simulator.hubspot import Assumptions, HubSpot

AS_OF = date(2026, 6, 30)
Ledger = Any
Content = Callable[[Path], dict[str, bytes]]


@pytest.fixture
def folder(ledger: Ledger, tmp_path: Path) -> Path:
    pull(ledger, as_of=AS_OF, into=tmp_path / "book")
    return tmp_path / "book"


@pytest.fixture
def is_as_fresh(
    ledger: Ledger, folder: Path, tmp_path: Path, bytes_of: Content
) -> Callable[[], None]:
    def check() -> None:
        pull(ledger, as_of=AS_OF, into=tmp_path / "other")
        assert bytes_of(folder) == bytes_of(tmp_path / "other")

    return check


def current(ledger: Ledger, folder: Path, **more: Any) -> tuple[str, ...]:
    return pull_into(ledger, folder, as_of=AS_OF, since_last=True, **more).notes


def of(folder: Path, id_: str) -> dict[str, Any]:
    rows = Portfolio.load(folder, backend="pyarrow")["opportunity"].to_pylist()
    return next(row for row in rows if row["opportunity_id"] == id_)


def test_what_named_an_account_that_left_is_read_again_and_nothing_else(
    ledger: Ledger, folder: Path, is_as_fresh: Callable[[], None]
) -> None:
    # o1 and o8 were of a1, and of another account too, which is theirs now.
    ledger.delete("account", "a1")
    ledger.touch("opportunity", "o1", account_id="a2")
    ledger.touch("opportunity", "o8", account_id=None)
    current(ledger, folder)
    assert ledger.asked_again == ["o1", "o8"]
    assert of(folder, "o1")["account_id"] == "a2"
    is_as_fresh()
    current(ledger, folder)
    assert ledger.asked_again == ["o1", "o8"]


def test_what_an_increment_tells_anyway_is_not_read_again(
    ledger: Ledger, folder: Path, is_as_fresh: Callable[[], None]
) -> None:
    ledger.delete("account", "a1")
    for id_ in ("o1", "o8"):
        ledger.put("opportunity", id_, account_id="a3")
    current(ledger, folder)
    assert ledger.asked_again == []
    is_as_fresh()


def test_an_account_that_left_without_a_word_is_asked_after(
    ledger: Ledger, folder: Path, is_as_fresh: Callable[[], None]
) -> None:
    ledger.forget("account", "a1")
    ledger.swallowed["a1"] = "a4"
    daily = PullSettings(reconcile_days=1)
    ledger.tick += 2 * 24 * 60
    notes = current(ledger, folder, settings=daily)
    assert "account: 1 merged since the last pull." in notes
    assert not any("vanished" in note for note in notes)
    # The CRM still says the loser; a pull that follows the merge says the winner.
    assert {of(folder, id_)["account_id"] for id_ in ("o1", "o8")} == {"a4"}
    faults = Portfolio.load(folder, backend="pyarrow").faults["fault"].to_pylist()
    assert "vanished" not in faults


@pytest.mark.parametrize("from_the_end", [0, 1, 2])
def test_killed_while_reading_again_it_goes_on_where_it_was(
    ledger: Ledger,
    folder: Path,
    tmp_path: Path,
    is_as_fresh: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
    from_the_end: int,
) -> None:
    monkeypatch.setattr(_rereading, "_AT_ONCE", 1)
    one = PullSettings(at_once=1)
    ledger.delete("account", "a1")
    ledger.touch("opportunity", "o1", account_id="a2")
    ledger.touch("opportunity", "o8", account_id="a3")
    before = ledger.calls
    current(ledger, shutil.copytree(folder, tmp_path / "copy"), settings=one)
    calls = ledger.calls - before
    assert ledger.asked_again == ["o1", "o8"]  # by the last two calls
    last = ledger.calls + calls - from_the_end

    def cut(number: int) -> None:
        if number == last:
            raise TransientError("ledger", "gone away")

    ledger.at_call, ledger.asked_again = cut, []
    with pytest.raises(TransientError):
        current(ledger, folder, settings=one)
    ledger.at_call = lambda number: None
    current(ledger, folder, settings=one)
    assert ledger.asked_again == ["o1", "o8"]
    is_as_fresh()


# --- HubSpot, whose links nothing stamps -------------------------------------------


@pytest.fixture
def portal(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubSpot]:
    accounts = [f"A{place}" for place in range(5)]
    tables = {
        "account": pa.table({"account_id": accounts, "name": accounts}),
        "opportunity": pa.table(
            {
                "opportunity_id": ["O0", "O1", "O2"],
                "account_id": [None, "A3", "A0"],
                "account_ids": ["A0;A1;A2", "A3;A4", "A0"],
                "status": ["open"] * 3,
            }
        ),
    }
    # A winner names only its own losers: who was in those is known of the past alone.
    own = Assumptions(merged_ids="own")
    with HubSpot(tables, currency="EUR", assumptions=own) as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        yield running


def test_the_weekly_comparison_mends_links_and_finds_who_took_whom_in(
    portal: HubSpot, tmp_path: Path, bytes_of: Content
) -> None:
    settings = HubSpotSettings(tables=("account", "opportunity"))

    def pulled(folder: str, *, since_last: bool) -> tuple[str, ...]:
        as_of = portal.clock.now.date()
        how = {"since_last": since_last, "settings": PullSettings(reconcile_days=1)}
        crm = connect("hubspot", settings=settings)
        return pull_into(crm, tmp_path / folder, as_of=as_of, **how).notes

    pulled("book", since_last=False)
    ids = portal.ids("account")
    portal.clock.advance(3_600)
    for gone in ("A1", "A2"):  # so O0, which was of three and thus of none, is of A0
        portal.delete("companies", ids[gone])
    portal.merge("companies", ids["A4"], ids["A3"])
    portal.clock.advance(60)
    portal.merge("companies", ids["A0"], ids["A4"])
    portal.clock.advance(3 * 86_400)
    notes = pulled("book", since_last=True)
    pulled("fresh", since_last=False)
    assert bytes_of(tmp_path / "book") == bytes_of(tmp_path / "fresh")
    assert "account: 2 merged since the last pull." in notes
    assert not any("vanished" in note for note in notes)
