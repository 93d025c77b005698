"""What is learnt from what was lost, and does the list of what waits blame nobody?"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest

from crm_portfolio._frames import BACKENDS, from_arrow, to_arrow
from crm_portfolio._wording import LANGS
from crm_portfolio.analysis import LostOpportunitiesSettings, lost_opportunities
from crm_portfolio.portfolio import Portfolio

AS_OF = date(2026, 6, 30)
MOMENT = pa.timestamp("us", "UTC")
KINDS = {
    "created_at": MOMENT,
    "occurred_at": MOMENT,
    "first_response_at": MOMENT,
    "closed_on": pa.date32(),
    "expected_close_on": pa.date32(),
    "amount": pa.float64(),
    "is_active": pa.bool_(),
}
TABLES = ("learning", "loss_reasons", "rates", "missed_by_month", "responses")


def at(day, hour=9, month=6, year=2026):
    return datetime(year, month, day, hour, tzinfo=UTC)


def table(rows, *names):
    names = {*names, *(name for row in rows for name in row)}
    return pa.table(
        {
            name: pa.array(
                [row.get(name) for row in rows], KINDS.get(name, pa.string())
            )
            for name in sorted(names)
        }
    )


def sale(name, status, **more):
    """Of a Monday morning, by someone whose activities are kept."""
    usual = {
        "opportunity_id": name,
        "account_id": "A",
        "owner_id": "u1",
        "status": status,
        "created_at": at(1),
        "amount": 100.0,
        "next_step": "call",
        "closed_on": None if status == "open" else date(2026, 6, 20),
    }
    return usual | more


def contact(name, when, direction="out", kind="call"):
    return {
        "opportunity_id": name,
        "occurred_at": when,
        "direction": direction,
        "kind": kind,
    }


def book(sales, contacts=None, enquiries=None, *, backend="pyarrow", **more):
    tables = {"account": pa.table({"account_id": ["A", "B"], "segment": ["x", "y"]})}
    tables["opportunity"] = table(sales)
    if contacts is not None:
        rows = [{"activity_id": f"T{at}", **row} for at, row in enumerate(contacts)]
        tables["activity"] = table(rows)
    if enquiries is not None:
        tables["enquiry"] = table(enquiries)
    return Portfolio.from_frames(
        as_of=AS_OF,
        currency="EUR",
        **{name: from_arrow(each, backend) for name, each in (tables | more).items()},
    )


WON = [sale(f"W{at}", "won") for at in range(6)]
KEPT = [contact(f"W{n}", at(2 + n)) for n in range(6)]


def waiting(portfolio, **settings):
    chosen = LostOpportunitiesSettings(**settings)
    rows = to_arrow(lost_opportunities(portfolio, chosen).waiting()).to_pylist()
    return {row["record_id"]: row["causes"] for row in rows}


def test_each_thing_that_waits_says_for_what():
    sales = [
        sale("fine", "open", created_at=at(26)),
        sale("unanswered", "open", created_at=at(24, 9)),
        sale("silent", "open"),
        sale("lost step", "open", created_at=at(26), next_step=None),
        sale("overdue", "open", expected_close_on=date(2026, 6, 29)),
        sale("nobody's", "open", created_at=at(26), owner_id=None),
    ]
    contacts = [
        contact("fine", at(29)),
        contact("silent", at(1, 10, month=5)),
        contact("lost step", at(29)),
        contact("overdue", at(29)),
        contact("nobody's", at(29)),
    ]
    found = waiting(book([*WON, *sales], [*KEPT, *contacts]), silence_days=29)
    assert found == {
        "unanswered": "unanswered",
        "silent": "silent",
        "lost step": "no_next_step",
        "overdue": "overdue",
        "nobody's": "unassigned",
    }


@pytest.mark.parametrize(("hours", "waits"), [(32, False), (31, True)])
def test_an_answer_is_due_within_the_working_hours_of_the_settings(hours, waits):
    """From Thursday 9 o'clock to the end of Tuesday are four working days: exactly met is
    not late."""
    portfolio = book([*WON, sale("O", "open", created_at=at(25))], KEPT)
    found = waiting(portfolio, response_hours=hours)
    assert found == ({"O": "unanswered"} if waits else {})


@pytest.mark.parametrize(("days", "waits"), [(12, True), (13, False)])
def test_silence_of_exactly_as_many_days_is_too_long(days, waits):
    portfolio = book([*WON, sale("O", "open")], [*KEPT, contact("O", at(18))])
    found = waiting(portfolio, silence_days=days)
    assert found == ({"O": "silent"} if waits else {})


def test_an_automatic_reply_is_no_answer():
    contacts = [*KEPT, contact("O", at(2), kind="auto_reply")]
    portfolio = book([*WON, sale("O", "open")], contacts)
    assert waiting(portfolio) == {}
    assert waiting(portfolio, automatic_kinds=("auto_reply",)) == {"O": "unanswered"}


def test_where_activities_are_not_kept_nobody_is_blamed_for_silence():
    """Half of the won ones have none: what we did is not known."""
    late = {"created_at": at(1, month=2), "next_step": None}
    portfolio = book([*WON, sale("O", "open", **late)], KEPT[:2])
    assert waiting(portfolio) == {"O": "no_next_step"}


def test_what_belongs_to_someone_who_has_left_belongs_to_nobody():
    owners = pa.table({"owner_id": ["u1", "u2"], "is_active": [True, False]})
    sales = [*WON, sale("O", "open", created_at=at(26), owner_id="u2")]
    portfolio = book(sales, [*KEPT, contact("O", at(29))], owner=owners)
    assert waiting(portfolio) == {"O": "unassigned"}


def test_without_the_column_nobody_is_said_to_lack_a_next_step():
    sales = [*WON, sale("O", "open", created_at=at(26))]
    sales = [{k: v for k, v in row.items() if k != "next_step"} for row in sales]
    portfolio = book(sales, [*KEPT, contact("O", at(29))])
    result = lost_opportunities(portfolio)
    assert "next_steps_unknown" in [each.code for each in result.warnings]
    assert waiting(portfolio) == {}


def enquiry(name, created, answered=None, **more):
    usual = {"enquiry_id": name, "created_at": created, "owner_id": "u1"}
    return usual | {"first_response_at": answered} | more


def test_enquiries_past_their_time_come_first_and_the_oldest_of_them_at_the_top():
    enquiries = [
        enquiry("E1", at(10), at(10, 10)),
        enquiry("E2", at(12)),
        enquiry("E3", at(11)),
        enquiry("E4", at(29)),
        enquiry("E5", at(1), at(2), opportunity_id="O1"),
    ]
    sales = [*WON, sale("O1", "open"), sale("O2", "open", amount=900.0)]
    result = lost_opportunities(book(sales, KEPT, enquiries))
    rows = to_arrow(result.waiting()).to_pylist()
    assert [row["record_id"] for row in rows] == ["E3", "E2", "O2", "O1"]
    assert rows[0]["record"] == "enquiry"
    assert rows[0]["waited_hours"] == 14 * 8
    assert rows[0]["amount"] is None
    shortened = to_arrow(result.waiting(limit=1))["record_id"].to_pylist()
    assert shortened == ["E3", "O2"]
    (told, _) = to_arrow(result.responses).to_pylist()
    assert (told["answered_count"], told["unanswered_count"]) == (2, 3)
    assert told["overdue_count"] == 2
    assert told["median_hours"] == 4.5
    assert (told["within_1h_share"], told["within_24h_share"]) == (1 / 5, 1 / 2)


def lost(name, reason, *, by=None, **more):
    return sale(name, "lost", loss_reason=reason, loss_reason_by=by, **more)


def codes(portfolio, **settings):
    result = lost_opportunities(portfolio, LostOpportunitiesSettings(**settings))
    return [warning.code for warning in result.warnings]


def test_too_many_unknown_reasons_are_said_before_the_ranking():
    some = [lost(f"L{n}", "price" if n < 6 else "Other") for n in range(10)]
    result = lost_opportunities(book(some))
    warning = next(w for w in result.warnings if w.code == "unknown_reasons_high")
    assert warning.values == {"n": 4, "of": 10, "share": 0.4, "threshold": 0.3}
    first = to_arrow(result.loss_reasons).to_pylist()[0]
    assert (first["reason"], first["is_unknown"]) == ("Other", True)
    assert "unknown_reasons_high" not in codes(book(some), unknown_reasons_share=0.4)
    assert "unknown_reasons_high" not in codes(book(some), unknown_reasons=())


def test_that_there_are_no_reasons_at_all_is_said():
    assert "loss_reasons_absent" in codes(book([sale("L", "lost")]))
    assert "loss_reasons_absent" not in codes(book([lost("L", "price")]))


def test_working_hours_without_holidays_are_warned_of():
    assert "no_calendar" in codes(book(WON))
    assert "no_calendar" not in codes(book(WON), holidays=(date(2026, 7, 14),))


def test_a_probable_duplicate_is_in_no_reason_and_no_rate():
    """It was won under another id two days later, for about as much."""
    pair = [lost("L1", "price"), sale("W1", "won", closed_on=date(2026, 6, 22))]
    far = lost("L2", "late", account_id="B")
    result = lost_opportunities(book([*pair, far]))
    assert to_arrow(result.loss_reasons)["reason"].to_pylist() == ["late"]
    rates = to_arrow(result.rates).to_pylist()
    told = {
        r["group"]: (r["count"], r["of_count"]) for r in rates if r["rate"] == "lost"
    }
    assert told == {"x": (0, 1), "y": (1, 1)}


def months_of_misses():
    """Half a year of which all were left unanswered, and one where few were."""
    sales, contacts = [*WON], [*KEPT]
    for at_month in range(12):
        year, month = divmod(2025 * 12 + 6 + at_month, 12)
        for n in range(10):
            name = f"L{at_month:02}{n}"
            closed = date(year, month + 1, 20)
            begun = datetime(year, month + 1, 1, 9, tzinfo=UTC)
            sales.append(
                lost(name, "price", created_at=begun, closed_on=closed, account_id="B")
            )
            if at_month >= 6 and n:
                contacts.append(contact(name, begun + timedelta(hours=1)))
    return book(sales, contacts)


def test_a_cause_that_no_longer_comes_is_told_to_be_mended():
    result = lost_opportunities(months_of_misses())
    (cause,) = [e for e in result.learning["causes"] if e["cause"] == "missed_unseen"]
    assert (cause["before_count"], cause["before_of"]) == (60, 60)
    assert (cause["last_count"], cause["last_of"]) == (6, 60)
    assert (cause["trend"], cause["is_fixed"]) == ("fell", True)
    by_month = to_arrow(result.missed_by_month).to_pylist()
    assert [row["count"] for row in by_month] == [10] * 6 + [1] * 6
    assert by_month[0]["month"] == "2025-07"
    assert by_month[0]["amount"] == 1000.0
    said = result.lessons()
    assert "the cause is being mended" in said
    assert "la cause se corrige" in result.lessons(lang="fr")
    assert "u1" not in said


def test_a_loss_that_did_not_last_counts_in_the_month_it_came():
    """Lost in April, opened again in May, lost for good in June: two losses."""
    changes = pa.table(
        {
            "opportunity_id": ["L", "L"],
            "changed_at": pa.array([at(10, month=4), at(11, month=5)], MOMENT),
            "field": ["status", "status"],
            "old": ["open", "lost"],
            "new": ["lost", "open"],
        }
    )
    sales = [*WON, lost("L", "price", account_id="B", created_at=at(1, month=3))]
    result = lost_opportunities(book(sales, KEPT, opportunity_change=changes))
    rows = to_arrow(result.missed_by_month).to_pylist()
    assert [(r["record"], r["month"], r["count"]) for r in rows] == [
        ("opportunity", "2026-04", 1),
        ("opportunity", "2026-06", 1),
    ]


def owners_of_two_loads():
    sales = []
    for at_owner in range(6):
        owner, load = f"u{at_owner}", 2 if at_owner < 3 else 9
        sales += [sale(f"O{owner}{n}", "open", owner_id=owner) for n in range(load)]
        sales += [
            lost(f"L{owner}{n}", "price", owner_id=owner, account_id="B")
            for n in range(3 if load > 5 else 1)
        ]
    return book([*WON, *sales], KEPT)


def test_load_is_told_of_groups_of_owners_and_of_no_owner():
    result = lost_opportunities(owners_of_two_loads())
    assert result.learning["owner_loads"] == [
        {"load": "2", "owner_count": 3, "open_count": 6},
        {"load": "9", "owner_count": 3, "open_count": 27},
    ]
    rates = to_arrow(result.rates).to_pylist()
    assert not {"owner_id"} & {row["by"] for row in rates}
    lost_by_load = {
        row["group"]: (row["count"], row["of_count"])
        for row in rates
        if (row["rate"], row["by"]) == ("lost", "owner_load")
    }
    assert lost_by_load == {"2": (3, 9), "9": (9, 9)}
    groups = {row["group"] for row in rates}
    assert not {f"u{n}" for n in range(6)} & groups


@pytest.fixture(scope="module")
def told():
    return {}


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_engine_learns_the_same(backend, told):
    enquiries = [enquiry("E1", at(10), at(10, 10)), enquiry("E2", at(12))]
    sales = [
        *WON,
        lost("L1", "price", by="client"),
        lost("L2", None),
        sale("O", "open"),
    ]
    result = lost_opportunities(book(sales, KEPT, enquiries, backend=backend))
    found = {name: result.to_dict()[name] for name in TABLES}
    found["waiting"] = to_arrow(result.waiting()).to_pylist()
    assert repr(told.setdefault("first", found)) == repr(found)


def test_no_table_is_made_before_it_is_asked_for():
    result = lost_opportunities(months_of_misses())
    made = vars(result._learning)
    assert not {"rates", "causes", "responses", "_records", "_open"} & made.keys()
    result.loss_reasons
    assert "_records" not in made
    result.missed_by_month
    assert {"causes", "_records"} <= made.keys()


def test_a_book_with_nothing_in_it_has_nothing_to_learn():
    result = lost_opportunities(book([sale("O", "open", next_step="call")]))
    assert to_arrow(result.loss_reasons).num_rows == 0
    assert to_arrow(result.missed_by_month).num_rows == 0
    assert result.learning["causes"] == []
    for lang in LANGS:
        result.lessons(lang=lang)
        assert result.plot_reasons(lang=lang).texts[0].get_text()
        assert result.plot_missed(lang=lang).texts[0].get_text()


def test_pictures_say_who_gave_the_reasons_and_in_which_unit():
    pytest.importorskip("matplotlib")
    sales = [lost(f"L{n}", "price", by="client", account_id="B") for n in range(4)]
    sales += [lost("M", "late", by="seller")]
    ax = lost_opportunities(book(sales)).plot_reasons()
    assert [each.get_text() for each in ax.get_xticklabels()] == [
        "none noted",
        "client: price",
        "seller: late",
    ]
    assert ax.get_ylabel() == "Share (%)"
    ax = lost_opportunities(months_of_misses()).plot_missed(lang="fr")
    assert ax.get_ylabel() == "Montant manqué (EUR)"
    assert len(ax.get_xticklabels()) == 12
