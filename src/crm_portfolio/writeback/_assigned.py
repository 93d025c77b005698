"""What do the results, taken together, want in which field of which account?"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import attrs

from crm_portfolio._managed import FIELDS, OPT_IN, VALUES, canonical
from crm_portfolio._storage import canonical_json, digest
from crm_portfolio._wording import Reason
from crm_portfolio.errors import SettingsError, did_you_mean
from crm_portfolio.protocols import Value
from crm_portfolio.results import Result
from crm_portfolio.schema import OptIn
from crm_portfolio.writeback._asked import must_be_opt_ins
from crm_portfolio.writeback._planned import Bordering

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Assigned"]

_OF_THE_PORTFOLIO: Final = frozenset({"as_of", "portfolio", "org"})


@attrs.frozen(eq=False)
class Assigned:
    """The values wanted by account and column; a column that is absent is not ours now.

    Attributes:
        values: By account, then by column; null clears the field.
        settings_digest: Stands for all other parameters of all results.
        org: Where the portfolio was pulled, as text; empty for frames and files.
    """

    values: Mapping[str, Mapping[str, Value]]
    as_of: date
    portfolio_id: str
    settings_digest: str
    org: str
    _owner: Mapping[str, Result]

    @classmethod
    def by(
        cls, results: Iterable[Result | str], also: Collection[OptIn] = ()
    ) -> Assigned:
        """Results merged, each column from one of them.

        Args:
            also: What is written on request only, and is asked for.
        """
        must_be_opt_ins(also)
        owner: dict[str, Result] = {}
        values: dict[str, dict[str, Value]] = {}
        for result in results:
            if isinstance(result, str):
                raise SettingsError(
                    f"a plan is made of results, not of their names such as {result!r}: "
                    "pass findings.values()"
                )
            table = _asked_for(result.assignments(), also)
            if table is not None:
                _claim(table, result, owner)
                _fill(values, table, result.name)
        if not owner:
            raise SettingsError(
                "none of these results assigns a field of ours that is asked for; tiers and "
                "concentration do"
            )
        params = {result.name: result.params for result in owner.values()}
        settings = {
            name: {key: told[key] for key in told.keys() - _OF_THE_PORTFOLIO}
            for name, told in params.items()
        }
        return cls(
            values,
            date.fromisoformat(_shared(params, "as_of")),
            _shared(params, "portfolio"),
            digest(canonical_json(settings)),
            _shared(params, "org", default=""),
            owner,
        )

    @property
    def columns(self) -> Collection[str]:
        """The columns that any of the results assigns."""
        return self._owner.keys()

    def reasons(
        self, record_id: str, columns: Sequence[str]
    ) -> Mapping[str, tuple[Reason, ...]]:
        """Why the account gets its value in each of these columns."""
        # Two columns of one result have the same reasons, and they are dear to make.
        told: dict[str, tuple[Reason, ...]] = {}
        for column in columns:
            owner = self._owner[column]
            if owner.name not in told:
                told[owner.name] = owner.assigned_because(record_id)
        return {column: told[self._owner[column].name] for column in columns}

    def borders(self, ids: Container[str]) -> Iterator[Bordering]:
        """Those of these accounts that stand near a border, of each result in turn."""
        for result in dict.fromkeys(self._owner.values()):
            for record_id, reason in result.borders():
                if record_id in ids:
                    yield Bordering(record_id, reason)


def _asked_for(table: pa.Table | None, also: Collection[OptIn]) -> pa.Table | None:
    """What is assigned, without what nobody asked to have written; None: nothing is."""
    if table is None:
        return None
    names = table.column_names
    unasked = [c for c in names if c in OPT_IN and FIELDS[c].opt_in not in also]
    if not unasked:
        return table
    return table.drop_columns(unasked) if len(unasked) < len(names) - 1 else None


def _claim(table: pa.Table, result: Result, owner: dict[str, Result]) -> None:
    for column in table.column_names:
        if column == result.key:
            continue
        if column not in VALUES:
            raise SettingsError(
                f"{result.name} assigns {column!r}, which is no field we write"
                + did_you_mean(column, VALUES)
            )
        if column in owner:
            raise SettingsError(
                f"{owner[column].name} and {result.name} both assign {column!r}: "
                "plan one of them"
            )
        owner[column] = result


def _fill(values: dict[str, dict[str, Value]], table: pa.Table, name: str) -> None:
    columns: dict[str, Any] = {
        column: table[column].to_pylist() for column in table.column_names
    }
    ids = columns.pop("account_id")
    if len(set(ids)) != len(ids) or None in ids:
        raise SettingsError(f"{name} assigns to one account twice, or to none")
    for column, wanted in columns.items():
        for record_id, value in zip(ids, wanted, strict=True):
            try:
                values.setdefault(record_id, {})[column] = canonical(column, value)
            except ValueError as error:
                raise SettingsError(
                    f"{name} assigns to {column} of {record_id} what that field cannot "
                    f"hold: {error}"
                ) from error


def _shared(
    params: Mapping[str, Mapping[str, Any]], key: str, *, default: str | None = None
) -> str:
    """The one value all results agree on; the default stands for null."""
    told = {
        str(each[key] if default is None else each.get(key) or default)
        for each in params.values()
    }
    if len(told) > 1:
        raise SettingsError(
            f"these results come from different portfolios: {key} is "
            + " and ".join(sorted(told))
        )
    return told.pop()
