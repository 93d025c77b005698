"""Do the tables say all that the design asks, and is every fault found at once?"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import get_args

import numpy as np
import pyarrow as pa
import pytest

from crm_portfolio import schema
from crm_portfolio.schema import TABLES, TableName, arrow_type, validate

ROOT = Path(__file__).resolve().parents[1]
COLUMNS = [(table, column) for table in TABLES.values() for column in table.columns]


def account(**columns: object) -> pa.Table:
    return pa.table({"account_id": ["1", "2"], **columns})


def opportunity(**columns: object) -> pa.Table:
    length = len(next(iter(columns.values()))) if columns else 2
    given = {
        "opportunity_id": [str(i) for i in range(length)],
        "status": ["open"] * length,
    }
    return pa.table({**given, **columns})


def faults(**tables: pa.Table) -> list[tuple[str, str, int | None, str | None, str]]:
    found = validate({"account": account(), **tables}).to_pylist()
    return [
        tuple(row[k] for k in ("table", "column", "row", "value", "fault"))
        for row in found
    ]


def test_every_table_name_has_a_table_and_a_constant() -> None:
    assert tuple(TABLES) == get_args(TableName)
    assert all(getattr(schema, name.upper()) is table for name, table in TABLES.items())


def test_what_design_requires_is_required() -> None:
    required = {name: table.required for name, table in TABLES.items()}
    assert required["account"] == ("account_id",)
    assert required["opportunity"] == ("opportunity_id", "status")
    assert required["revenue_line"] == ("line_id", "account_id", "booked_on", "amount")
    assert required["decision"] == (
        "account_id",
        "action",
        "decided_by",
        "decided_on",
        "reason",
    )
    assert required["exchange_rate"] == ("currency", "base", "from_on", "rate")


@pytest.mark.parametrize(
    ("table", "column"), COLUMNS, ids=[f"{t.name}.{c.name}" for t, c in COLUMNS]
)
def test_a_column_keeps_the_rules_of_its_name_and_says_what_it_means(
    table: schema.Table, column: schema.Column
) -> None:
    types = {"_id": "id", "_on": "day", "_at": "moment", "_share": "share"}
    for ending, type_ in types.items():
        if column.name.endswith(ending):
            assert column.type == type_
    assert (column.type == "boolean") == column.name.startswith(("is_", "auto_"))
    assert column.meaning.endswith(".")
    assert (column.dated_by is not None) == (column.when == "dated_by")
    assert column.dated_by is None or column.dated_by in table
    # An earlier day may leave it null, and a required one cannot be.
    may_be_lost = column.when in {"now_only", "from_changes"} and not column.is_derived
    assert not (column.required and may_be_lost)
    assert column.settled_by is None or column.when == "from_changes"
    assert column.settled_by is None or table[column.settled_by].type == "day"
    assert column.refers_to is None or column.refers_to in TABLES
    assert isinstance(arrow_type(column), pa.DataType)
    if column.type in {"money", "share", "integer"}:
        assert column.unit or table.name in {"account", "stage"}


@pytest.mark.parametrize("table", TABLES.values(), ids=list(TABLES))
def test_keys_and_the_days_that_steer_a_table_are_columns_of_it(
    table: schema.Table,
) -> None:
    steering = [*table.key, table.born, table.begins, table.closes, table.rate_day]
    assert table.born is None or table.begins is None
    assert all(name in table for name in steering if name is not None)
    assert len(set(table.names)) == len(table.names)
    assert set(table.key) <= set(table.required)


def test_the_account_table_holds_every_managed_and_human_field() -> None:
    for field in (*schema.MANAGED["account"], *schema.HUMAN["account"]):
        column = schema.ACCOUNT[field.column]
        assert column.type == field.type
        assert column.when == "now_only"
        # What a person typed must come through as it is.
        assert column.choices == ()
    assert {field.column for field in schema.MANAGED["account"]} == {
        "tier",
        "tier_since_on",
        "portfolio_rank",
        "revenue_share",
        "dependence",
        "rising",
        "risk_level",
        "risk_reasons",
        "decision",
        "decided_on",
        "decision_review_on",
        "portfolio_stamp",
    }


def test_the_reference_page_is_current() -> None:
    page = (ROOT / "docs" / "reference" / "tables.md").read_text(encoding="utf-8")
    assert page == schema.reference_markdown(), (
        "docs/reference/tables.md is old: write schema.reference_markdown() to it"
    )


def test_a_clean_table_has_no_faults() -> None:
    assert faults(opportunity=opportunity(amount=["1250.50", None])) == []


def test_every_fault_of_every_table_is_told_at_once() -> None:
    found = faults(
        account=pa.table({"account_id": ["1", "1", None], "nme": ["x", "y", "z"]}),
        opportunity=pa.table(
            {
                "opportunity_id": ["a", "b", "c"],
                "status": ["won", "closed", None],
                "amount": ["12x", "1,5", "7"],
                "closed_on": ["2020-02-30", "2020-02-29", "1202-01-01"],
                "currency": ["EUR", "EURO", "eur"],
            }
        ),
        stage=pa.table({"pipeline": ["p"], "stage": ["s"], "position": ["1"]}),
    )
    assert found == [
        ("account", "account_id", 1, "1", "duplicate_id"),
        ("account", "account_id", 2, None, "missing_value"),
        ("account", "nme", None, None, "unknown_column"),
        ("opportunity", "amount", 0, "12x", "wrong_type"),
        ("opportunity", "amount", 1, "1,5", "wrong_type"),
        ("opportunity", "closed_on", 0, "2020-02-30", "wrong_type"),
        ("opportunity", "closed_on", 2, "1202-01-01", "absurd_date"),
        ("opportunity", "currency", 1, "EURO", "unknown_currency"),
        ("opportunity", "currency", 2, "eur", "unknown_currency"),
        ("opportunity", "status", 1, "closed", "unknown_status"),
        ("opportunity", "status", 2, None, "missing_value"),
        ("stage", "status", None, None, "missing_column"),
    ]


def test_a_misspelt_table_or_column_is_asked_back() -> None:
    found = validate(
        {"acount": account(), "account": account(segmnt=["x", "y"])}  # type: ignore[dict-item]
    )
    hints = dict(
        zip(found["fault"].to_pylist(), found["hint"].to_pylist(), strict=True)
    )
    assert hints["unknown_table"].endswith("did you mean 'account'?")
    assert hints["unknown_column"].endswith("did you mean 'segment'?")


def test_faults_of_an_older_book_get_the_columns_that_came_since() -> None:
    old = schema.faults_of("revenue_line", "currency", "no_rate", rows=[3])
    joined = schema.join_faults([old.drop_columns(["said"])])
    assert joined.schema == schema.fault_table().schema
    assert joined["said"].to_pylist() == [None]


def test_without_an_account_table_nothing_can_be_said() -> None:
    found = validate({"opportunity": opportunity()})
    assert found["fault"].to_pylist() == ["missing_table"]


def test_a_column_that_stands_twice_is_told() -> None:
    twice = pa.table([pa.array(["1"])] * 2, names=["account_id", "account_id"])
    assert ("account", "account_id", None, None, "unknown_column") in faults(
        account=twice
    )


@pytest.mark.parametrize("name", sorted(schema.FAULTS))
def test_a_fault_says_what_follows_and_what_to_do(name: str) -> None:
    kind = schema.FAULTS[name]
    assert kind.code == name
    assert kind.effect in {"stops", "left_out", "kept"}
    assert kind.hint
    assert kind.meaning.endswith(".")


def test_every_bad_cell_among_many_good_ones_is_found() -> None:
    amounts = [f"{i}.25" for i in range(5_000)]
    bad = [0, 17, 2_500, 4_999]
    for place in bad:
        amounts[place] = "n/a"
    days = ["2020-01-31"] * 5_000
    days[4_321] = "2021-02-29"
    found = faults(opportunity=opportunity(amount=amounts, closed_on=days))
    assert [row[2] for row in found if row[1] == "amount"] == bad
    assert [row[2] for row in found if row[1] == "closed_on"] == [4_321]


def test_a_probability_in_per_cent_is_refused() -> None:
    found = faults(opportunity=opportunity(probability=[0.6, 60.0]))
    assert found == [("opportunity", "probability", 1, "60.0", "out_of_bounds")]


def test_an_unknown_value_in_an_optional_choice_is_kept_as_unknown() -> None:
    raw = {"account": account(), "opportunity": opportunity(kind=["new", "Upsell"])}
    typed, found = schema.read(raw)
    assert found["fault"].to_pylist() == ["unknown_choice"]
    assert found["effect"].to_pylist() == ["kept"]
    assert typed["opportunity"]["kind"].to_pylist() == ["new", None]


READINGS = [
    ("id", pa.array([1.0, None]), ["1", None]),
    ("id", pa.array([12, 0]), ["12", "0"]),
    ("id", pa.array(["", "x"]), [None, "x"]),
    ("text", pa.array(["", "NA", " é\n"]), ["", "NA", " é\n"]),
    ("code", pa.array(["a", "b"]).dictionary_encode(), ["a", "b"]),
    ("code", pa.array(["a"], pa.large_string()), ["a"]),
    ("code", pa.array([1.5]), ["1.5"]),
    ("integer", pa.array(["12", "+7", "-3", "4.0", ""]), [12, 7, -3, 4, None]),
    ("integer", pa.array([3.0, float("nan")]), [3, None]),
    ("number", pa.array(["1e3", ".5", "5.", "-0.25"]), [1000.0, 0.5, 5.0, -0.25]),
    ("number", pa.array([Decimal("1.015")]), [1.015]),
    ("number", pa.array([7]), [7.0]),
    ("boolean", pa.array(["true", "False", ""]), [True, False, None]),
    ("boolean", pa.array([1, 0]), [True, False]),
    ("day", pa.array(["2024-02-29"]), [date(2024, 2, 29)]),
    ("day", pa.array(["2024-02-29T23:30:00Z"]), [date(2024, 3, 1)]),
    ("day", pa.array(["2024-02-29 23:30:00"]), [date(2024, 2, 29)]),
    ("day", pa.array([datetime(2024, 2, 29, 23)]), [date(2024, 2, 29)]),
    ("day", pa.array([date(2024, 2, 29)], pa.date64()), [date(2024, 2, 29)]),
]
UNREADABLE = [
    ("id", pa.array([1.5])),
    ("id", pa.array([["x"]])),
    ("integer", pa.array(["1.5", "1e3", "12a"])),
    ("integer", pa.array([1.5])),
    ("integer", pa.array(["99999999999999999999"])),
    (
        "number",
        pa.array(["1 234", "1,5", "nan", "inf", "0x1F", " 5", "5\n", "€5", "--5"]),
    ),
    ("number", pa.array([float("inf")])),
    ("number", pa.array([True])),
    ("boolean", pa.array(["yes", "1"])),
    ("boolean", pa.array([2])),
    ("day", pa.array(["31.12.2024", "2023-02-29", "2024-1-5", "20240105", "soon"])),
    ("day", pa.array([20240105])),
    ("day", pa.array([2**60], pa.timestamp("s"))),
    ("moment", pa.array(["2024-01-05T25:00:00Z", "5 January 2024"])),
    ("moment", pa.array([2**60], pa.timestamp("ms", "UTC"))),
]


def column(type_: schema.ColumnType) -> schema.Column:
    return schema.Column("it", type_, "It.")


@pytest.mark.parametrize(("type_", "given", "meant"), READINGS)
def test_a_cell_is_read_as_its_column_means_it(
    type_: schema.ColumnType, given: pa.Array, meant: list[object]
) -> None:
    from crm_portfolio.schema._cast import cast

    values, unreadable = cast(column(type_), pa.chunked_array([given]), "Europe/Paris")
    assert values.to_pylist() == meant
    assert values.type == arrow_type(column(type_))
    assert not any(unreadable.to_pylist())


@pytest.mark.parametrize(("type_", "given"), UNREADABLE)
def test_what_cannot_be_read_is_said_never_guessed(
    type_: schema.ColumnType, given: pa.Array
) -> None:
    from crm_portfolio.schema._cast import cast

    values, unreadable = cast(column(type_), pa.chunked_array([given]), "UTC")
    assert values.null_count == len(given)
    assert all(unreadable.to_pylist())


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("2024-03-31T02:30:00+02:00", "2024-03-31 00:30:00+00:00"),
        ("2024-03-31T00:30:00.000+0000", "2024-03-31 00:30:00+00:00"),
        ("2024-03-31 00:30:00.123456789Z", "2024-03-31 00:30:00.123456+00:00"),
        ("2024-03-31T00:30:00", "2024-03-31 00:30:00+00:00"),  # without a zone: UTC
        ("2024-03-31", "2024-03-30 23:00:00+00:00"),  # its first moment in Paris
        ("2024-07-01", "2024-06-30 22:00:00+00:00"),
    ],
)
def test_a_moment_is_read_into_utc(given: str, meant: str) -> None:
    from crm_portfolio.schema._cast import cast

    values, _ = cast(column("moment"), pa.chunked_array([[given]]), "Europe/Paris")
    assert str(values[0]) == meant


def test_a_day_that_has_no_midnight_begins_at_its_first_moment() -> None:
    from crm_portfolio.schema._cast import cast

    days = pa.chunked_array([["2018-11-04"]])  # clocks went from 00:00 to 01:00
    values, _ = cast(column("moment"), days, "America/Sao_Paulo")
    assert str(values[0]) == "2018-11-04 03:00:00+00:00"


def test_an_unreadable_cell_is_not_called_empty_too() -> None:
    line = pa.table(
        {
            "line_id": ["1"],
            "account_id": ["1"],
            "booked_on": ["2026-01-01"],
            "amount": ["12x"],
        }
    )
    found = faults(revenue_line=line)
    assert found == [("revenue_line", "amount", 0, "12x", "wrong_type")]


def test_batches_and_empty_tables_are_read_alike() -> None:
    parts = pa.chunked_array([["1"], [], ["2"]], pa.string())
    typed, found = schema.read({"account": pa.table({"account_id": parts})})
    assert typed["account"]["account_id"].to_pylist() == ["1", "2"]
    empty = pa.table({"account_id": pa.array([], pa.null())})
    typed, found = schema.read({"account": empty})
    assert typed["account"].schema.field("account_id").type == pa.string()
    assert not len(found)


def test_the_minor_unit_is_that_of_iso_4217() -> None:
    digits = {code: schema.minor_digits(code) for code in ("EUR", "JPY", "KWD", "CLF")}
    assert digits == {"EUR": 2, "JPY": 0, "KWD": 3, "CLF": 4}
    assert len(schema.MINOR_DIGITS) > 170
    assert all(len(code) == 3 and code.isupper() for code in schema.MINOR_DIGITS)


def test_half_a_million_cells_with_numpy_types_are_read() -> None:
    values = pa.array(np.arange(500_000, dtype=np.int32))
    typed, found = schema.read({"account": pa.table({"account_id": values})})
    assert typed["account"]["account_id"][499_999].as_py() == "499999"
    assert not len(found)
