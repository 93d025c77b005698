"""Does a connector write what it is told, nothing else, and say of each change what came of it?"""

from __future__ import annotations

from datetime import date
from typing import cast

import pyarrow as pa
import pytest

from crm_portfolio.errors import ConnectorError, FieldNotFoundError, SettingsError
from crm_portfolio.protocols import (
    Change,
    Connector,
    Outcome,
    Value,
    WritableTable,
)
from crm_portfolio.schema import MANAGED, TABLES, ManagedField, arrow_type
from crm_portfolio.testing.contract._given import GivenCrm, Opened, calls_of
from crm_portfolio.testing.contract._pretend import Merging, Pretend
from crm_portfolio.testing.contract._rows import differences, whole

__all__ = ["Writes", "written"]

# One value or more for each kind of managed field, and for each column with its own.
_SAMPLES: dict[str, tuple[Value, ...]] = {
    "tier": ("A", "none"),
    "dependence": ("major",),
    "risk_level": ("critical",),
    "decision": ("renegotiate",),
    "lost_class": ("pursued_lost",),
    "integer": (1, 123_456),
    "share": (0.0, 0.123456, 1.0),
    "day": (date(2024, 2, 29),),
    "text": ("v1:run-1:0a1b2c", 'Zoë “the Fox” O\'Neill, "東京"; <b>1 %</b> \\ {0}'),
    "code": ("yes",),
}


def _first(crm: Connector, table: WritableTable) -> str:
    for batch in crm.pull(table):
        if batch.rows.num_rows:
            return str(batch.rows[f"{table}_id"][0].as_py())
    pytest.skip(f"the CRM has no record of {table}: give it some")


def _has(crm: Connector, table: WritableTable, column: str) -> bool:
    try:
        crm.read(table, [], [column])
    except FieldNotFoundError:
        return False
    return True


class Writes(GivenCrm):
    """A few fields of a few records, read and written."""

    def test_it_names_one_org(self, opened: Opened, crm: Connector) -> None:
        org = crm.org()
        assert org == cast("Connector", opened()).org(), (
            "two connectors to one CRM name two orgs"
        )
        assert org.org_id, "give the org its id: a plan is bound to it"
        assert org.time_zone, "give the org's time zone: days depend on it"
        assert org.time_zone == self.time_zone, (
            f"the org is in {org.time_zone}: say so in the test's `time_zone`"
        )

    # Reading

    def test_reading_keeps_the_order_and_leaves_out_who_is_not_there(
        self, crm: Connector, pretend: Pretend, ids: list[str]
    ) -> None:
        pretend.delete(ids[1])
        rows = crm.read("account", ids[::-1], ["tier"])
        expected = [record for record in ids[::-1] if record != ids[1]]
        assert rows["account_id"].to_pylist() == expected, (
            "records come in the order in which they are asked for, all that are there"
        )
        assert rows.column_names == ["account_id", "tier"]

    def test_reading_nothing_gives_no_rows(self, crm: Connector) -> None:
        rows = crm.read("account", [], ["tier", "portfolio_rank"])
        assert rows.num_rows == 0
        assert rows.column_names == ["account_id", "tier", "portfolio_rank"]

    # Writing

    @pytest.mark.parametrize(
        "field",
        [field for fields in MANAGED.values() for field in fields],
        ids=lambda field: f"{field.table}.{field.column}",
    )
    def test_what_is_written_is_read_and_can_be_cleared(
        self, crm: Connector, ids: list[str], field: ManagedField
    ) -> None:
        table = field.table
        is_on_request = field.opt_in or table != "account"
        if is_on_request and not _has(crm, table, field.column):
            pytest.skip(f"this connector has no {field.column}, which is on request")
        record = ids[0] if table == "account" else _first(crm, table)
        before: Value = None
        for value in (*_SAMPLES.get(field.column, _SAMPLES[field.type]), None):
            change = Change(record, field.column, before, value, table)
            (outcome,) = crm.write(table, [change])
            assert outcome.state == "written", outcome
            found = crm.read(table, [record], [field.column])[field.column]
            assert found.to_pylist() == [value], (
                f"{field.column}: {value!r} was written and {found.to_pylist()} read"
            )
            model = arrow_type(TABLES[table][field.column])
            assert found.type == model, f"`read` gives {found.type}, not {model}"
            before = value

    def test_every_change_has_one_outcome(self, crm: Connector, ids: list[str]) -> None:
        changes = [
            Change(record, column, None, value)
            for record in ids
            for column, value in (("tier", "A"), ("portfolio_rank", 7))
        ]
        outcomes = list(crm.write("account", iter(changes)))
        told = sorted((o.change.record_id, o.change.column) for o in outcomes)
        assert told == sorted((c.record_id, c.column) for c in changes), (
            f"{len(changes)} changes had {len(outcomes)} outcomes: one each"
        )
        states = {outcome.state for outcome in outcomes}
        assert states == {"written"}, f"all should be written, and are {states}"

    def test_writing_nothing_asks_nothing(
        self, crm: Connector, pretend: Pretend
    ) -> None:
        crm.org()
        calls = calls_of(pretend, lambda: list(crm.write("account", [])))
        assert calls == 0, f"writing no changes made {calls} calls"

    def test_writing_twice_is_writing_once(
        self, crm: Connector, pretend: Pretend, ids: list[str]
    ) -> None:
        changes = [Change(record, "tier", None, "B") for record in ids]
        list(crm.write("account", changes))
        once = pretend.state()
        list(crm.write("account", changes))
        assert pretend.state() == once, "the second time something else was changed"

    def test_nothing_else_is_touched(self, crm: Connector, ids: list[str]) -> None:
        before = self._accounts(crm)
        steps: tuple[tuple[str, Value, list[str]], ...] = (
            ("portfolio_rank", 3, ids),
            ("tier", "C", ids[:1]),
        )
        for column, value, records in steps:
            list(
                crm.write("account", [Change(r, column, None, value) for r in records])
            )
            after = self._accounts(crm)
            others = [name for name in before.column_names if name != column]
            wrong = differences("account", after, before, columns=others)
            assert not wrong, f"writing {column} changed more: {wrong}"
            keys, values = after["account_id"].to_pylist(), after[column].to_pylist()
            pairs = zip(keys, values, strict=True)
            changed = sorted(key for key, said in pairs if said is not None)
            assert changed == records, (
                f"{column} of {len(records)} accounts was to be written, and is there "
                f"in {len(changed)}"
            )
            before = after

    @staticmethod
    def _accounts(crm: Connector) -> pa.Table:
        volatile = [c.name for c in TABLES["account"].columns if c.is_volatile]
        rows = whole(list(crm.pull("account")))
        return rows.drop_columns([c for c in rows.column_names if c in volatile])

    def test_only_managed_fields_are_written(
        self, crm: Connector, pretend: Pretend, ids: list[str]
    ) -> None:
        before = pretend.state()
        with pytest.raises((SettingsError, ConnectorError)):
            list(crm.write("account", [Change(ids[0], "name", None, "Ours Now")]))
        assert pretend.state() == before, "a field that is not ours was written"

    def test_gone_refused_and_written_are_told_apart(
        self, crm: Connector, pretend: Pretend, ids: list[str]
    ) -> None:
        pretend.delete(ids[2])
        changes = [
            Change(record, "tier", None, "Purple" if record == ids[1] else "A")
            for record in ids
        ]
        found = {o.change.record_id: o for o in crm.write("account", changes)}
        assert sorted(found) == ids, "every change has one outcome"
        gone, refused = found.pop(ids[2]), found.pop(ids[1])
        assert gone.state == "gone", f"of a deleted account it says {gone}"
        assert refused.state == "rejected", f"of a value that cannot be: {refused}"
        assert refused.code, "give a rejected outcome the vendor's code"
        others = {outcome.state for outcome in found.values()}
        assert others == {"written"}, f"one refusal stopped others: {others}"
        rows = crm.read("account", [ids[1], ids[3]], ["tier"])
        assert rows["tier"].to_pylist() == [None, "A"], (
            "what was told of the changes is not what the CRM holds"
        )

    def test_the_loser_of_a_merge_is_gone(
        self, crm: Connector, merging: Merging, ids: list[str]
    ) -> None:
        merging.merge(ids[3], ids[0])
        outcome = written(crm, [ids[0], ids[3]], "A")[ids[3]]
        assert outcome.state == "gone", (
            f"of an account merged away it says {outcome}: a result with another id "
            "than was sent is `gone`"
        )


def written(crm: Connector, ids: list[str], tier: str) -> dict[str, Outcome]:
    changes = [Change(record, "tier", None, tier) for record in ids]
    return {o.change.record_id: o for o in crm.write("account", changes)}
