"""What does each kind of column say of an earlier day, and what cannot be known of it?"""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from crm_portfolio import Calendar, Portfolio, samples
from crm_portfolio._frames import BACKENDS, Backend, to_arrow
from crm_portfolio.errors import DamagedFileError, SettingsError
from crm_portfolio.schema import TABLES, TableName, arrow_type

AS_OF = date(2026, 6, 30)
DAY = date(2025, 12, 31)
LATER = date(2026, 2, 1)
Row = dict[str, Any]


def held(zone: str = "UTC", **rows: list[Row]) -> Portfolio:
    """A portfolio of rows, in every table the columns that any of them names."""
    rows = {"account": [{"account_id": "A", "created_on": date(2020, 1, 1)}]} | rows
    return Portfolio.from_frames(
        as_of=AS_OF,
        currency="EUR",
        calendar=Calendar(zone),
        backend="pyarrow",
        **{name: table(name, its) for name, its in rows.items()},
    )


def table(name: str, rows: list[Row]) -> pa.Table:
    spec = TABLES[name]  # type: ignore[index]
    names = [each for each in spec.names if any(each in row for row in rows)]
    return pa.table(
        {
            each: pa.array([row.get(each) for row in rows], arrow_type(spec[each]))
            for each in names
        }
    )


def deal(name: str = "O", **said: Any) -> Row:
    return {
        "opportunity_id": name,
        "account_id": "A",
        "status": "open",
        "created_at": datetime(2025, 3, 1, 9, tzinfo=UTC),
        **said,
    }


def change(
    day: date, field: str, old: str | None, new: str | None, name: str = "O"
) -> Row:
    at = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    its = {"opportunity_id": name, "changed_at": at, "field": field}
    return its | {"old": old, "new": new}


def then(portfolio: Portfolio, name: TableName, day: date = DAY) -> Row:
    """The first row of the table as it was known then."""
    row: Row = portfolio.at(day).arrow(name).to_pylist()[0]
    return row


def told(portfolio: Portfolio, fault: str) -> list[str]:
    faults = to_arrow(portfolio.faults).to_pylist()
    return [f"{f['table']}.{f['column']}" for f in faults if f["fault"] == fault]


# --- which day -----------------------------------------------------------------------


def test_at_its_own_day_it_is_itself() -> None:
    now = held()
    assert now.at(AS_OF) is now
    assert now.at(date(2026, 6, 29)).id != now.id


def test_of_a_later_day_nothing_is_known_and_the_error_says_what_to_do() -> None:
    with pytest.raises(SettingsError, match=r"nothing after 2026-06-30.*pull again"):
        held().at(date(2026, 7, 1))


@pytest.mark.parametrize(
    "day", ["2025-12-31", datetime(2025, 12, 31, tzinfo=UTC), None]
)
def test_what_is_no_day_is_refused(day: object) -> None:
    with pytest.raises(SettingsError, match="a day is wanted"):
        held().at(day)  # type: ignore[arg-type]


def test_a_day_ends_in_the_calendars_zone() -> None:
    # 31 December, 23:30 in New York, is 04:30 of the next day in UTC.
    rows = [
        deal("before", created_at=datetime(2026, 1, 1, 4, 59, 59, 999_999, tzinfo=UTC)),
        deal("after", created_at=datetime(2026, 1, 1, 5, tzinfo=UTC)),
    ]
    there = held("America/New_York", opportunity=rows).at(DAY)
    assert there.arrow("opportunity")["opportunity_id"].to_pylist() == ["before"]
    assert held("UTC", opportunity=rows).at(DAY).row_counts["opportunity"] == 0


def test_a_column_that_nobody_gave_does_not_come_into_being() -> None:
    now = held(opportunity=[deal()])
    before = now.at(DAY).arrow("opportunity")
    assert before.column_names == now.arrow("opportunity").column_names
    assert "amount" not in before.column_names


# --- closed, paid, said later --------------------------------------------------------


def test_an_opportunity_that_was_closed_later_is_open_again_and_lost_for_no_reason() -> (
    None
):
    row = deal(
        status="lost",
        closed_on=date(2026, 1, 1),
        loss_reason="price",
        competitor="X",
        refused_on=LATER,
        amount=100.0,
    )
    known = then(held(opportunity=[row]), "opportunity")
    assert known["status"] == "open"
    gone = ("closed_on", "loss_reason", "competitor", "refused_on", "amount")
    assert [known[name] for name in gone] == [None] * 5
    # When it was to be closed is not told by when it was closed.
    assert "expected_close_on" not in known


def test_one_closed_on_the_day_itself_is_closed() -> None:
    row = deal(status="won", closed_on=DAY, amount=100.0, stage="Won", owner_id="U")
    known = then(held(opportunity=[row]), "opportunity")
    assert (known["status"], known["closed_on"]) == ("won", DAY)
    # What it was worth was settled with it; who looks after it now, was not.
    assert (known["amount"], known["stage"], known["owner_id"]) == (100.0, "Won", None)


STAGES = [
    {"pipeline": "x", "stage": each, "position": at, "status": status}
    for at, (each, status) in enumerate(
        [("Talk", "open"), ("Lost", "lost"), ("Won", "won")]
    )
]


@pytest.mark.parametrize(
    ("now", "closed_on", "stage"),
    [("open", None, "Talk"), ("won", LATER, "Won"), ("lost", LATER, "Lost")],
)
def test_what_was_opened_again_later_was_lost_then(
    now: str, closed_on: date | None, stage: str
) -> None:
    row = deal(
        status=now, closed_on=closed_on, stage=stage, pipeline="x", loss_reason="new"
    )
    row |= {"amount": 9.0, "competitor": "later"}
    lost = date(2025, 4, 1)
    changes = [change(lost, "stage", "Talk", "Lost")]
    changes.append(change(date(2026, 1, 15), "stage", "Lost", "Talk"))
    if stage != "Talk":
        changes.append(change(LATER, "stage", "Talk", stage))
    book = held(opportunity=[row], opportunity_change=changes, stage=STAGES)
    known = then(book, "opportunity")
    assert (known["status"], known["closed_on"], known["stage"]) == (
        "lost",
        lost,
        "Lost",
    )
    # Those were overwritten when it was opened again, and nobody kept what they said.
    assert [known[name] for name in ("amount", "loss_reason", "competitor")] == [
        None
    ] * 3
    before = then(book, "opportunity", date(2025, 3, 31))
    assert (before["status"], before["closed_on"]) == ("open", None)


def test_of_what_was_opened_again_it_stands_what_the_changes_tell() -> None:
    row = deal(status="open", stage="Talk", amount=9.0, loss_reason=None)
    changes = [
        change(date(2025, 4, 1), "stage", "Talk", "Lost"),
        change(date(2025, 4, 1), "loss_reason", None, "price"),
        change(LATER, "stage", "Lost", "Talk"),
        change(LATER, "loss_reason", "price", None),
        change(date(2025, 4, 1), "amount", "5", "7"),
        change(LATER, "amount", "7", "9"),
    ]
    book = held(opportunity=[row], opportunity_change=changes, stage=STAGES)
    known = then(book, "opportunity")
    assert (known["status"], known["loss_reason"], known["amount"]) == (
        "lost",
        "price",
        7.0,
    )


def test_its_own_day_of_closing_counts_while_it_stays_closed() -> None:
    row = deal(status="won", stage="Won", closed_on=date(2025, 4, 2), amount=9.0)
    changes = [change(date(2025, 4, 5), "stage", "Talk", "Won")]
    book = held(opportunity=[row], opportunity_change=changes, stage=STAGES)
    assert then(book, "opportunity")["closed_on"] == date(2025, 4, 2)
    # Until its stage said so, nobody knew.
    assert then(book, "opportunity", date(2025, 4, 3))["status"] == "open"


def test_a_stage_that_means_two_things_tells_nothing() -> None:
    both = {"pipeline": "y", "stage": "Lost", "position": 1, "status": "open"}
    changes = [change(date(2025, 4, 1), "stage", "Talk", "Lost")]
    changes.append(change(LATER, "stage", "Lost", "Talk"))
    book = held(
        opportunity=[deal(stage="Talk", closed_on=None)],
        opportunity_change=changes,
        stage=[*STAGES, both],
    )
    assert then(book, "opportunity")["status"] == "open"


def test_why_something_was_lost_on_a_day_nobody_knows_was_not_known_then() -> None:
    row = deal(status="lost", closed_on=None, loss_reason="price", competitor="X")
    book = held(opportunity=[row | {"closed_on": None}, deal("P", closed_on=DAY)])
    known = then(book, "opportunity")
    assert (known["status"], known["loss_reason"], known["competitor"]) == (
        "lost",
        None,
        None,
    )


def test_an_invoice_paid_later_is_open_with_its_whole_amount() -> None:
    invoice: Row = {"account_id": "A", "issued_on": date(2025, 11, 1), "amount": 120.0}
    rows = [
        {"invoice_id": "1", "paid_on": DAY, "open_amount": 0.0, **invoice},
        {"invoice_id": "2", "paid_on": LATER, "open_amount": 0.0, **invoice},
        {"invoice_id": "3", "open_amount": 20.0, "is_cancelled": True, **invoice},
    ]
    known = held(invoice=rows).at(DAY).arrow("invoice")
    assert known["paid_on"].to_pylist() == [DAY, None, None]
    assert known["open_amount"].to_pylist() == [0.0, 120.0, 120.0]
    assert known["is_cancelled"].null_count == 3


def test_a_ticket_settled_later_is_open_and_nobody_was_satisfied_yet() -> None:
    ticket = {
        "ticket_id": "t",
        "opened_at": datetime(2025, 12, 31, 23, tzinfo=UTC),
        "closed_at": datetime(2026, 1, 1, tzinfo=UTC),
        "first_response_at": datetime(2025, 12, 31, 23, 59, 59, tzinfo=UTC),
        "satisfaction": 5.0,
        "is_escalated": True,
    }
    known = then(held(ticket=[ticket]), "ticket")
    assert (known["closed_at"], known["satisfaction"]) == (None, None)
    assert (known["first_response_at"], known["is_escalated"]) == (
        ticket["first_response_at"],
        None,
    )


def test_a_contract_that_began_later_was_not_known_and_its_end_only_when_it_came() -> (
    None
):
    rows = [
        {"contract_id": "1", "starts_on": date(2025, 1, 1), "ends_on": DAY},
        {"contract_id": "2", "starts_on": date(2025, 1, 1), "ends_on": LATER},
        {"contract_id": "3", "starts_on": LATER},
    ]
    book = held(contract=[row | {"account_id": "A"} for row in rows])
    assert book.at(DAY).arrow("contract")["ends_on"].to_pylist() == [DAY, None]
    assert book.row_counts["contract"] == 3


def test_an_enquiry_has_not_turned_into_what_was_born_later() -> None:
    born = datetime(2025, 12, 1, tzinfo=UTC)
    enquiries = [
        {
            "enquiry_id": name,
            "created_at": born,
            "opportunity_id": of,
            "account_id": "A",
        }
        for name, of in (("1", "soon"), ("2", "late"), ("3", None))
    ]
    deals = [
        deal("soon", created_at=born),
        deal("late", created_at=datetime(2026, 1, 5, tzinfo=UTC)),
    ]
    known = held(enquiry=enquiries, opportunity=deals).at(DAY).arrow("enquiry")
    assert known["opportunity_id"].to_pylist() == ["soon", None, None]
    assert known["account_id"].to_pylist() == ["A", None, None]


def test_a_record_that_was_entered_afterwards_but_closed_by_then_is_known() -> None:
    """Records moved from another CRM are all born, and all first told of, at the move."""
    moved = datetime(2026, 3, 1, 12, tzinfo=UTC)
    row = deal(created_at=moved, status="won", closed_on=date(2025, 6, 1), amount=7.0)
    changes = [
        change(moved.date(), "amount", None, "5"),
        change(date(2026, 4, 1), "amount", "5", "7"),
    ]
    book = held(opportunity=[row], opportunity_change=changes)
    known = then(book, "opportunity")
    assert (known["status"], known["amount"]) == ("won", 5.0)
    assert book.at(date(2025, 5, 31)).row_counts["opportunity"] == 0


# --- rebuilt from changes --------------------------------------------------------------


def test_the_last_change_up_to_the_day_says_it_else_what_the_next_one_replaced() -> (
    None
):
    row = deal(amount=9.0, stage="Won", probability=1.0, expected_close_on=LATER)
    changes = [
        change(date(2025, 4, 1), "amount", "5", "6.5"),
        change(DAY, "amount", "6.5", "8"),
        change(LATER, "amount", "8", "9"),
        change(date(2025, 4, 1), "stage", None, "Talk", name="other"),
        change(LATER, "stage", "Offer", "Won"),
        change(date(2025, 4, 1), "probability", None, "0.25"),
        change(date(2025, 4, 1), "expected_close_on", None, "2026-02-28"),
        change(LATER, "expected_close_on", "2026-02-28", "2026-02-01"),
    ]
    book = held(opportunity=[row, deal("other")], opportunity_change=changes)
    known = then(book, "opportunity")
    assert (known["amount"], known["stage"], known["probability"]) == (
        8.0,
        "Offer",
        0.25,
    )
    assert known["expected_close_on"] == date(2026, 2, 28)
    kept = book.at(DAY).arrow("opportunity_change")
    assert len(kept) == 5
    # Until when the last one holds, nobody knew.
    assert kept["until_at"].null_count == 4


def test_what_nobody_changed_stands_where_changes_were_kept_by_then() -> None:
    deals = [deal(owner_id="U1", stage="Talk"), deal("other", owner_id="U2")]
    changes = [change(DAY, "owner_id", "U9", "U2", name="other")]
    book = held(opportunity=deals, opportunity_change=changes)
    known = then(book, "opportunity")
    assert (known["owner_id"], known["stage"]) == ("U1", None)
    assert told(book.at(DAY), "not_known_then") == ["opportunity.stage"]
    # A day earlier nobody could tell kept from never changed.
    before = book.at(date(2025, 12, 30))
    assert before.arrow("opportunity")["owner_id"].null_count == 2


def test_changes_of_one_moment_are_taken_in_their_order() -> None:
    row = deal(stage="A", probability=0.5)
    changes = [
        change(DAY, "stage", "C", "A"),
        change(DAY, "stage", "B", "C"),
        change(DAY, "stage", "Z", "B"),
        change(date(2025, 4, 1), "probability", None, "0.9"),
        change(LATER, "probability", "0.1", "0.5"),
        change(LATER, "probability", "0.9", "0.1"),
    ]
    book = held(opportunity=[row], opportunity_change=changes)
    known = then(book, "opportunity")
    assert (known["stage"], known["probability"]) == ("A", 0.9)
    standing = [
        row["new"]
        for row in book.arrow("opportunity_change").to_pylist()
        if row["field"] == "stage" and row["until_at"] is None
    ]
    assert standing == ["A"]


def test_an_amount_of_another_currency_is_worth_what_it_was_then() -> None:
    rates = [
        {"currency": "USD", "base": "EUR", "from_on": day, "rate": rate}
        for day, rate in ((date(2020, 1, 1), 0.5), (LATER, 0.8))
    ]
    deals = [deal(original_amount=300.0, currency="USD"), deal("own", amount=1.0)]
    changes = [
        change(date(2025, 4, 1), "original_amount", "100", "200"),
        change(LATER, "original_amount", "200", "300"),
        change(LATER, "amount", "1.005", "1", name="own"),
    ]
    book = held(opportunity=deals, opportunity_change=changes, exchange_rate=rates)
    assert book.arrow("opportunity")["amount"].to_pylist() == [240.0, 1.0]
    known = book.at(DAY).arrow("opportunity")
    assert known["original_amount"].to_pylist() == [200.0, 1.005]
    assert known["amount"].to_pylist() == [100.0, 1.0]


def test_a_past_value_that_cannot_be_read_is_null_and_told() -> None:
    row = deal(amount=9.0, probability=0.5)
    changes = [
        change(date(2025, 4, 1), "amount", None, "much"),
        change(date(2025, 4, 1), "probability", None, "50"),
        change(date(2025, 4, 1), "expected_close_on", None, "2025-02-29"),
    ]
    row["expected_close_on"] = LATER
    book = held(opportunity=[row], opportunity_change=changes).at(DAY)
    known = book.arrow("opportunity").to_pylist()[0]
    names = ("amount", "expected_close_on", "probability")
    assert [known[name] for name in names] == [None] * 3
    assert told(book, "unreadable_change") == [
        "opportunity_change.amount",
        "opportunity_change.expected_close_on",
        "opportunity_change.probability",
    ]


# --- what nobody can know --------------------------------------------------------------


@pytest.mark.parametrize("spec", TABLES.values(), ids=list(TABLES))
def test_what_a_column_says_only_now_is_null_then_and_its_fault_names_it(
    spec: Any,
) -> None:
    examples: Row = {
        "id": "A", "text": "x", "code": "EUR", "integer": 1, "number": 1.0, "share": 0.5,
        "money": 1.0, "boolean": True, "day": date(2024, 1, 1),
        "moment": datetime(2024, 1, 1, tzinfo=UTC),
    }  # fmt: skip
    row = {
        column.name: column.choices[0] if column.choices else examples[column.type]
        for column in spec.columns
        if not column.is_derived
    }
    if spec.name == "exchange_rate":
        row |= {"currency": "USD"}
    if spec.name in ("opportunity", "revenue_line", "invoice", "cost"):
        row["original_amount"] = None
    rows = {"account": [{"account_id": "A"}], spec.name: [row]}
    book = held(**rows).at(date(2025, 1, 1))
    known = book.arrow(spec.name).to_pylist()[0]
    lost = [
        column.name
        for column in spec.columns
        if column.when == "now_only" and not column.is_derived
    ]
    assert all(known[name] is None for name in lost)
    assert all(known[name] is not None for name in spec.required)
    faults = told(book, "not_known_then")
    assert {f"{spec.name}.{name}" for name in lost} <= set(faults)


def test_rows_that_nobody_dates_stay_and_are_told_of() -> None:
    book = held(account=[{"account_id": "A", "name": "x"}]).at(DAY)
    assert book.row_counts["account"] == 1
    assert told(book, "not_dated") == ["account.created_on"]


def test_what_came_later_is_no_fault_of_that_day() -> None:
    line: Row = {"account_id": "A", "amount": 1.0}
    lines = [
        {"line_id": "1", "booked_on": DAY, **line},
        {"line_id": "2", "booked_on": LATER, **line},
    ]
    late = {"account_id": "B", "created_on": LATER}
    accounts = [{"account_id": "A", "created_on": DAY}, late]
    book = held(account=accounts, revenue_line=lines).at(DAY)
    assert book.row_counts["revenue_line"] == book.row_counts["account"] == 1
    assert to_arrow(book.faults).num_rows == 0
    assert to_arrow(book.balance)["kept"].to_pylist() == [100]


def test_what_was_left_out_without_a_rate_by_then_is_still_told() -> None:
    """Else its account would count as one that has no revenue at all."""
    rates = [
        {"currency": "GBP", "base": "EUR", "from_on": date(2026, 6, 1), "rate": 1.2}
    ]
    line: Row = {"account_id": "A", "amount": 9.0, "currency": "GBP"}
    lines = [
        {"line_id": "own", "booked_on": DAY, "account_id": "A", "amount": 1.0},
        {"line_id": "then", "booked_on": DAY, **line},
        {"line_id": "later", "booked_on": LATER, **line},
    ]
    won = {"status": "won", "currency": "GBP", "original_amount": 5.0}
    deals = [
        deal("then", closed_on=DAY, **won),
        deal("later", closed_on=LATER, **won),
        deal("open", currency="GBP", original_amount=5.0, created_at=None),
    ]
    now = held(revenue_line=lines, opportunity=deals, exchange_rate=rates)
    book = now.at(DAY)
    faults = to_arrow(book.faults).to_pylist()
    known = [each for each in faults if each["fault"] == "no_rate"]
    assert [(each["table"], each["row"]) for each in known] == [
        ("opportunity", None),
        ("revenue_line", None),
    ]
    assert all("then" in each["said"] for each in known)
    assert now.at(date(2026, 1, 1)).at(DAY).faults.equals(book.faults)


# --- wherever it stands ----------------------------------------------------------------


def test_a_saved_one_is_read_piece_by_piece_and_gives_the_same(tmp_path: Path) -> None:
    tables = samples.book(accounts=60, opportunities=300).tables
    now = Portfolio.from_frames(as_of=AS_OF, currency="EUR", **tables)
    now.save(tmp_path)
    saved = Portfolio.load(tmp_path)
    day = date(2025, 12, 31)
    assert saved.at(day).id == now.at(day).id
    # Nothing of what came later is kept in memory for it.
    assert saved._tables._read == {}  # type: ignore[attr-defined]


def test_a_saved_one_that_was_altered_meanwhile_is_refused(tmp_path: Path) -> None:
    samples.firm().save(tmp_path)
    saved = Portfolio.load(tmp_path)
    with (tmp_path / "opportunity.parquet").open("ab") as file:
        file.write(b"x")
    with pytest.raises(DamagedFileError, match="opportunity"):
        saved.at(DAY)


@pytest.mark.parametrize("backend", BACKENDS)
def test_whatever_frames_it_hands_out_it_is_the_same(backend: Backend) -> None:
    then = samples.firm(backend=backend).at(DAY)
    assert then.backend == backend
    assert then.id == samples.firm(backend="pyarrow").at(DAY).id


def test_what_was_known_then_can_be_saved_cut_and_added_to(tmp_path: Path) -> None:
    then = samples.firm(backend="pyarrow").at(DAY)
    then.save(tmp_path)
    assert Portfolio.load(tmp_path).id == then.id
    assert then.with_tables().id == then.id
    assert then.only(["A01"]).row_counts["account"] == 1
