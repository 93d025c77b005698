"""Is what nobody knows asked of who could say it, and does the answer come back unchanged?"""

from __future__ import annotations

import sys
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from exit_books import AS_OF, OWNERS, book, rating, ratings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm_portfolio import analysis, read_answers
from crm_portfolio._frames import to_arrow
from crm_portfolio.analysis._exit._ask_sheet import (
    COLUMNS,
    ask_sheet,
    id_of,
    shown_id,
)
from crm_portfolio.analysis._exit._criteria import CODES, CRITERIA, VETOES
from crm_portfolio.analysis._exit._measures import MeasureRules, Measures, measures
from crm_portfolio.analysis._exit._questions import nearness, question_table
from crm_portfolio.analysis._exit._recorded import with_ratings
from crm_portfolio.analysis._facts import revenue_facts
from crm_portfolio.errors import DamagedFileError, MissingExtraError, SchemaError
from crm_portfolio.portfolio import Period, Portfolio

openpyxl = pytest.importorskip("openpyxl")

ALIKE = np.full(13, 1 / 13)
ANSWERED = ("value", "rated_by", "rated_on", "comment")


def measured(portfolio: Portfolio) -> Measures:
    facts = revenue_facts(
        portfolio, Period.last_months(12), None, needed_by="exit_review"
    )
    return measures(
        portfolio,
        facts,
        MeasureRules(),
        profitability=analysis.profitability(portfolio),
        concentration=analysis.concentration(portfolio),
        tiers=analysis.tiers(portfolio),
    )


def asked(
    portfolio: Portfolio, weights: Any = ALIKE, near: Any = None, **more: Any
) -> list[dict[str, Any]]:
    found = measured(portfolio)
    near = np.ones(found.values.shape[0]) if near is None else np.array(near)
    return question_table(found, np.array(weights), near, **more).to_pylist()


def saved(portfolio: Portfolio, path: Path, **more: Any) -> Path:
    found = measured(portfolio)
    table = question_table(found, ALIKE, np.ones(found.values.shape[0]))
    kinds = {"file": path.name, "accounts": None, "lang": "en"} | more
    path.write_bytes(ask_sheet(table, found.people, **kinds))
    return path


def lines_of(path: Path) -> list[dict[str, Any]]:
    sheet = openpyxl.load_workbook(path)["ask"]
    return [
        dict(zip(COLUMNS, (cell.value for cell in line), strict=True))
        for line in sheet.iter_rows(min_row=2)
        if line[0].value is not None
    ]


def filled(path: Path, answers: dict[tuple[str, str], dict[str, Any]]) -> Path:
    """The sheet with answers typed into its cells, by account and criterion."""
    workbook = openpyxl.load_workbook(path)
    sheet = workbook["ask"]
    for line in sheet.iter_rows(min_row=2):
        key = (line[0].value, line[2].value)
        for name, value in answers.get(key, {}).items():
            line[COLUMNS.index(name)].value = value
    workbook.save(path)
    return path


def test_only_what_nobody_knows_is_asked_and_of_whom_it_concerns():
    rows = asked(book(rating=ratings(rating("A", "vision", 4.0))))
    single = [row for row in rows if row["answer"] == "rating"]
    assert ("A", "F10") not in {(row["account_id"], row["criterion"]) for row in single}
    assert ("A", "F7") not in {(row["account_id"], row["criterion"]) for row in single}
    found = {(row["account_id"], row["criterion"]): row for row in single}
    assert found["B", "F10"]["owner_id"] == "U1"
    assert found["B", "F10"]["ask"] == "owner"
    assert found["B", "F8"]["ask"] == "delivery"
    assert found["D", "F10"]["owner_id"] is None
    assert found["D", "F7"]["rated_as"] == "complexity"
    assert {row["place"] for row in rows} == set(range(1, len(rows) + 1))


def test_a_table_that_would_answer_for_all_is_asked_for_once():
    rows = asked(book())
    shared = {row["criterion"]: row for row in rows if row["answer"] == "table"}
    # F1, F2, F7 and F11 are known of some; nothing measures the others.
    assert set(shared) == {"F3", "F4", "F9", "F12", "F13", None}
    assert shared["F3"]["table"] == "invoice"
    assert shared["F3"]["ask"] == "finance"
    assert shared["F3"]["account_count"] == 4
    assert shared[None]["table"] == "contract"
    judged = {"F5", "F6", "F8", "F10"}
    assert not judged & set(shared)


def test_what_matters_most_comes_first_by_weight_and_nearness_then_size():
    weights = np.zeros(13)
    weights[[CODES.index("F5"), CODES.index("F8")]] = 0.75, 0.25
    rows = asked(book(), weights, near=[0.5, 0.5, 0.9, 0.0])
    single = [row for row in rows if row["answer"] == "rating"]
    assert [(row["account_id"], row["criterion"]) for row in single] == [
        ("C", "F5"),
        ("B", "F5"),
        ("A", "F5"),
        ("C", "F8"),
        ("B", "F8"),
        ("A", "F8"),
        ("D", "F5"),
        ("D", "F8"),
    ]
    matter = [row["matter"] for row in rows]
    assert matter == sorted(matter, reverse=True)
    assert single[0]["matter"] == 0.675
    # What weighs nothing is not asked for.
    assert {row["criterion"] for row in rows} == {"F5", "F8", None}


def test_an_account_no_answer_could_move_is_not_near():
    score = np.array([0.9, 0.5, 0.45, np.nan, 0.41])
    low = np.array([0.7, 0.2, 0.39, 0.0, 0.405])
    high = np.array([1.0, 0.9, 0.5, 1.0, 0.5])
    assert nearness(score, low, high, (0.4, 0.6)).tolist() == [
        0.0,
        0.9,
        0.95,
        0.5,
        0.0,
    ]


@pytest.mark.parametrize(("lang", "word"), [("en", "Which"), ("fr", "Quelles")])
def test_questions_are_put_in_two_languages(lang, word):
    rows = asked(book(), lang=lang)
    (invoices,) = [row for row in rows if row["table"] == "invoice"]
    assert invoices["question"].startswith(word)
    assert all(row["question"] for row in rows)


def test_the_sheet_teaches_asks_and_says_what_the_ends_of_the_scale_mean(tmp_path):
    path = saved(book(), tmp_path / "ask.xlsx")
    workbook = openpyxl.load_workbook(path)
    assert workbook.sheetnames == ["read me", "ask", "criteria", "tables", "people"]
    teach = " ".join(str(line[0].value) for line in workbook["read me"].iter_rows())
    assert "an empty cell stays unknown, it never counts as 0" in teach
    assert 'read_answers("ask.xlsx")' in teach
    meant = [line[0].value for line in workbook["criteria"].iter_rows(min_row=2)]
    assert meant == [*(each.name for each in CRITERIA.values()), *VETOES]
    people = [line[0].value for line in workbook["people"].iter_rows(min_row=2)]
    assert people == OWNERS["owner_id"].to_pylist()
    rules = {
        str(each.sqref)[0]: (each.type, each.formula1, each.formula2)
        for each in workbook["ask"].data_validations.dataValidation
    }
    letter = {name: "ABCDEFGHIJ"[at] for at, name in enumerate(COLUMNS)}
    assert rules[letter["value"]] == ("decimal", "0", "10")
    assert rules[letter["criterion"]][1] == "criteria!$A$2:$A$18"
    assert rules[letter["rated_by"]][1] == "people!$A$2:$A$4"
    assert rules[letter["rated_on"]][0] == "date"
    assert all(row[name] is None for row in lines_of(path) for name in ANSWERED)


def test_a_sheet_can_be_kept_to_the_accounts_that_matter_most(tmp_path):
    path = saved(book(), tmp_path / "ask.xlsx", accounts=1)
    assert {row["account_id"] for row in lines_of(path)} == {"B"}


def test_nothing_filled_in_is_no_answer_and_above_all_no_nought(tmp_path):
    portfolio = book()
    path = saved(portfolio, tmp_path / "ask.xlsx")
    found = read_answers(path, backend="pyarrow")
    assert found.num_rows == 0
    before, after = measured(portfolio), measured(with_ratings(portfolio, found))
    assert np.array_equal(before.values, after.values, equal_nan=True)


def test_an_answer_comes_back_as_a_rating_with_who_when_and_why(tmp_path):
    path = saved(book(), tmp_path / "ask.xlsx")
    filled(
        path,
        {
            ("A", "vision"): {
                "value": 7,
                "rated_by": "U2",
                "rated_on": datetime(2026, 6, 5),
                "comment": " asked for a pilot ",
            },
            ("B", "ethics"): {"value": "2,5", "rated_on": "2026-06-06"},
            ("B", "vision"): {"value": 0},
        },
    )
    found = read_answers(path, backend="pyarrow")
    assert sorted(found.to_pylist(), key=str) == sorted(
        [
            {
                "account_id": "A",
                "criterion": "vision",
                "value": 7.0,
                "rated_by": "U2",
                "rated_on": date(2026, 6, 5),
                "comment": "asked for a pilot",
            },
            {
                "account_id": "B",
                "criterion": "ethics",
                "value": 2.5,
                "rated_by": None,
                "rated_on": date(2026, 6, 6),
                "comment": None,
            },
            {
                "account_id": "B",
                "criterion": "vision",
                "value": 0.0,
                "rated_by": None,
                "rated_on": None,
                "comment": None,
            },
        ],
        key=str,
    )
    assert type(read_answers(path)).__module__.startswith("pandas")


def test_every_cell_that_cannot_be_read_is_named_at_once(tmp_path):
    path = saved(book(), tmp_path / "ask.xlsx")
    wrong = {
        2: {"value": 11},
        3: {"value": "many"},
        4: {"value": "=1+1"},
        5: {"value": 5, "rated_on": "soon"},
        6: {"value": 5, "criterion": "visoin"},
        7: {"value": 5, "account_id": None},
        8: {"value": -1, "rated_on": "2026-13-01"},
        9: {"value": True},
        10: {"value": 3, "rated_by": 4.5},
    }
    workbook = openpyxl.load_workbook(path)
    for line, cells in wrong.items():
        for name, value in cells.items():
            workbook["ask"].cell(line, COLUMNS.index(name) + 1).value = value
    workbook.save(path)
    with pytest.raises(SchemaError) as caught:
        read_answers(path)
    faults = caught.value.faults.to_pylist()
    value, day = "G", "I"
    assert [(row["column"], row["fault"]) for row in faults] == [
        (f"{value}2", "out_of_bounds"),
        (f"{value}3", "wrong_type"),
        (f"{value}4", "formula_or_error"),
        (f"{day}5", "wrong_type"),
        ("C6", "unknown_criterion"),
        ("A7", "missing_value"),
        (f"{value}8", "out_of_bounds"),
        (f"{day}8", "wrong_type"),
        (f"{value}9", "wrong_type"),
        ("H10", "wrong_type"),
    ]
    assert {row["table"] for row in faults} == {"ask"}
    assert all(row["hint"] for row in faults)
    assert "did you mean 'vision'?" in str(caught.value)


def test_one_who_signs_twice_says_the_same_twice(tmp_path):
    path = saved(book(), tmp_path / "ask.xlsx", accounts=1)
    workbook = openpyxl.load_workbook(path)
    last = len(lines_of(path)) + 1
    for at, value in enumerate((4, 6, 6), 1):
        for name, each in (
            ("account_id", "A"),
            ("criterion", "vision"),
            ("value", value),
            ("rated_by", "U1"),
        ):
            workbook["ask"].cell(last + at, COLUMNS.index(name) + 1).value = each
    workbook.save(path)
    with pytest.raises(SchemaError, match=f"G{last + 1} says something else"):
        read_answers(path)


def test_what_is_no_sheet_of_questions_is_refused(tmp_path):
    other = tmp_path / "other.xlsx"
    openpyxl.Workbook().save(other)
    with pytest.raises(DamagedFileError, match="no sheet 'ask'"):
        read_answers(other)
    (tmp_path / "text.xlsx").write_text("account_id,criterion")
    with pytest.raises(DamagedFileError, match="no workbook"):
        read_answers(tmp_path / "text.xlsx")
    path = saved(book(), tmp_path / "ask.xlsx")
    workbook = openpyxl.load_workbook(path)
    workbook["ask"].delete_cols(3)
    workbook.save(path)
    with pytest.raises(DamagedFileError, match="lacks the column criterion"):
        read_answers(path)


def test_columns_may_stand_in_another_order_and_beside_others(tmp_path):
    workbook = openpyxl.Workbook()
    workbook.active.title = "ask"
    workbook.active.append(["note", "Value", "criterion", "account_id"])
    workbook.active.append(["x", 6, " Vision ", 17])
    path = tmp_path / "own.xlsx"
    workbook.save(path)
    (row,) = read_answers(path, backend="pyarrow").to_pylist()
    assert (row["account_id"], row["criterion"], row["value"]) == ("17", "vision", 6.0)


@pytest.mark.parametrize(
    ("heads", "told"),
    [
        (["account_id", "criterion", "value", "rated by"], "did you mean 'rated_by'"),
        (["account_id", "criterion", "value", "value"], "has the column value twice"),
    ],
)
def test_a_renamed_or_doubled_column_loses_no_answer_in_silence(tmp_path, heads, told):
    workbook = openpyxl.Workbook()
    workbook.active.title = "ask"
    workbook.active.append(heads)
    workbook.active.append(["A", "vision", 6, "U1"])
    path = tmp_path / "own.xlsx"
    workbook.save(path)
    with pytest.raises(DamagedFileError, match=told):
        read_answers(path)


def test_a_comment_without_a_value_is_pointed_out_not_lost(tmp_path):
    path = saved(book(), tmp_path / "ask.xlsx")
    filled(path, {("A", "vision"): {"comment": "they said no", "rated_by": "U1"}})
    with pytest.raises(SchemaError, match="value that is commented on") as caught:
        read_answers(path)
    (fault,) = caught.value.faults.to_pylist()
    assert fault["fault"] == "missing_value"
    assert fault["column"].startswith("G")


HOSTILE = [
    '=HYPERLINK("http://x","y")',
    "+1",
    "-2",
    "@SUM(A1)",
    "\ta",
    "007",
    " lead",
    'q"uote',
    '"quoted"',
    "a\nb",
    "1e5",
    "ünï",
    "\u202edrib",
]


def test_hostile_names_and_ids_do_nothing_and_come_back_as_they_were(tmp_path):
    accounts = pa.table({"account_id": HOSTILE, "name": HOSTILE[::-1]})
    lines = pa.table(
        {
            "line_id": HOSTILE,
            "account_id": HOSTILE,
            "booked_on": [date(2026, 1, 1)] * len(HOSTILE),
            "amount": [100.0] * len(HOSTILE),
        }
    )
    portfolio = Portfolio.from_frames(
        as_of=AS_OF, currency="EUR", account=accounts, revenue_line=lines
    )
    path = saved(portfolio, tmp_path / "ask.xlsx")
    workbook = openpyxl.load_workbook(path)
    for sheet in workbook:
        for line in sheet.iter_rows():
            assert {cell.data_type for cell in line} <= {"s", "n"}
    for line in workbook["ask"].iter_rows(min_row=2):
        if line[2].value == "vision":
            line[6].value = 5
        assert "\u202e" not in str(line[1].value)
    workbook.save(path)
    found = read_answers(path, backend="pyarrow")
    assert sorted(found["account_id"].to_pylist()) == sorted(HOSTILE)
    after = measured(with_ratings(portfolio, found))
    assert after.column("F10").tolist() == [5.0] * len(HOSTILE)


@given(st.text(min_size=1))
def test_any_id_comes_back_from_a_cell(record_id):
    shown = shown_id(record_id)
    assert id_of(shown) == record_id
    assert shown == shown.strip()


SAID = st.dictionaries(
    st.tuples(
        st.sampled_from("ABCD"),
        st.sampled_from([each.name for each in CRITERIA.values()]),
    ),
    st.tuples(
        st.floats(0, 10).map(lambda value: round(value, 2)),
        st.sampled_from(["U1", "U2", None]),
        st.sampled_from([date(2026, 1, 1), date(2026, 6, 30), None]),
    ),
    max_size=12,
)


@given(said=SAID)
@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_what_is_saved_filled_and_read_back_is_as_if_given_directly(tmp_path, said):
    portfolio = book()
    path = saved(portfolio, tmp_path / "ask.xlsx")
    shown = {(row["account_id"], row["criterion"]) for row in lines_of(path)}
    said = {key: each for key, each in said.items() if key in shown}
    names = ("value", "rated_by", "rated_on")
    filled(
        path,
        {key: dict(zip(names, each, strict=True)) for key, each in said.items()},
    )
    by_sheet = with_ratings(portfolio, read_answers(path))
    direct = [rating(*key, *each) for key, each in said.items()]
    given_ones = book(rating=ratings(*direct)) if direct else portfolio
    one, other = measured(by_sheet), measured(given_ones)
    assert np.array_equal(one.values, other.values, equal_nan=True)
    assert np.array_equal(one.sources, other.sources)
    assert np.array_equal(one.said_on, other.said_on, equal_nan=True)


def test_reading_a_sheet_twice_adds_nothing_and_earlier_ratings_stay(tmp_path):
    portfolio = book(rating=ratings(rating("C", "vision", 1.0)))
    path = saved(portfolio, tmp_path / "ask.xlsx")
    filled(path, {("A", "vision"): {"value": 7, "rated_by": "U1"}})
    once = with_ratings(portfolio, read_answers(path))
    twice = with_ratings(once, read_answers(path))
    assert once.row_counts["rating"] == 2
    assert twice.id == once.id


def test_ratings_of_nobody_and_of_tomorrow_are_refused_together():
    wrong = ratings(
        rating("Z", "vision", 5.0),
        rating("A", "vision", 5.0, "Somebody"),
        rating("A", "vision", 5.0, on=date(2026, 7, 1)),
        rating("A", "vision", 50.0),
        rating("A", "etics", 5.0),
        rating("A", "our own yardstick", 5.0),
    )
    with pytest.raises(SchemaError) as caught:
        with_ratings(book(), wrong)
    found = {(row["row"], row["fault"]) for row in caught.value.faults.to_pylist()}
    assert found == {
        (0, "unknown_account"),
        (1, "unknown_person"),
        (2, "after_as_of"),
        (3, "out_of_bounds"),
        (4, "unknown_criterion"),
    }


def test_the_sheet_says_which_package_it_needs(monkeypatch):
    table = question_table(measured(book()), ALIKE, np.ones(4))
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(MissingExtraError, match="excel"):
        ask_sheet(table, [], file="ask.xlsx", accounts=None, lang="en")
    with pytest.raises(MissingExtraError, match="excel"):
        read_answers("ask.xlsx")


def test_all_of_it_is_to_be_had_from_the_package_itself():
    for name in ("with_ratings", "with_decisions"):
        assert name in analysis.__all__
    assert to_arrow(analysis.with_ratings(book(), ratings())["rating"]).num_rows == 0
