"""Which fields of ours were set since when, to what, and by whom?

AccountHistory, and OpportunityFieldHistory, have a row for each change of a field whose history the org tracks. Most of
them are ours, so those of others are asked for first: mostly there are none, and that one
call is all it costs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Final

import attrs
import pyarrow as pa

from crm_portfolio.connectors import _assumptions
from crm_portfolio.connectors._mapping import edits_table
from crm_portfolio.connectors.salesforce._fields import OUR_FIELDS
from crm_portfolio.connectors.salesforce._refusals import unreadable
from crm_portfolio.connectors.salesforce._rest import Query, Record, Rest
from crm_portfolio.connectors.salesforce._soql import listed, literal
from crm_portfolio.errors import ConnectorError, RightMissingError
from crm_portfolio.schema import WritableTable

__all__ = ["Edits"]

_Edit = tuple[str, str, datetime, str | None, str | None]
# vendor docs: the history of opportunities has its own name, OpportunityHistory being
# that of their stages.
_HISTORIES: Final[Mapping[WritableTable, tuple[str, str]]] = {
    "account": ("AccountHistory", "AccountId"),
    "opportunity": ("OpportunityFieldHistory", "OpportunityId"),
}
_AT: Final = "CreatedDate"
_BY: Final = "CreatedById"
# Ids that one address can name: about 27 characters each, quotes and comma included.
_IDS_AT_ONCE: Final = 300


@attrs.define
class Edits:
    """Asks the field history of one table, as long as there is one.

    Attributes:
        user: Whom this login runs as, once it has been asked; None: it is not told.
    """

    rest: Rest
    table: WritableTable = "account"
    user: str | None = None
    knows_user: bool = False
    _is_kept: bool = True

    def since(
        self, ids: Sequence[str], columns: Sequence[str], *, since: datetime
    ) -> pa.Table:
        """What was set, oldest first.

        Of a record that nobody but this login has written, nothing is told.

        Args:
            since: By our clock. Where the org's is behind, it is the org's that counts.
        """
        if not self._is_kept or not ids or not columns:
            return edits_table(())
        here = self.rest.server_time
        if here is not None:
            reach = timedelta(seconds=_assumptions.EDITS_REACH_SECONDS)
            since = min(since, here - reach)
        fields = {OUR_FIELDS[self.table][column]: column for column in columns}
        where = f"Field IN {listed(fields)} AND {_AT} >= {literal(since)}"
        try:
            whose = self._of_others(where, ids)
            rows = [row for part in self._by_id(where, whose) for row in part]
        except RightMissingError:
            self._is_kept = False  # the org keeps none, or shows none
            return edits_table(())
        except ConnectorError as error:
            if error.code not in _assumptions.NO_HISTORY_CODES:
                raise
            self._is_kept = False
            return edits_table(())
        given = {record_id[:15]: record_id for record_id in ids}
        rows.sort(key=itemgetter(_AT, "Id"))
        return edits_table([self._edit(row, given, fields) for row in rows])

    @property
    def _history(self) -> str:
        return _HISTORIES[self.table][0]

    @property
    def _of(self) -> str:
        """The field that names the record whose history it is."""
        return _HISTORIES[self.table][1]

    def _of_others(self, where: str, ids: Sequence[str]) -> list[str]:
        """Those of the records that somebody else wrote as well."""
        user = self._who_we_are()
        if user is None:
            return list(dict.fromkeys(ids))
        others = f"{where} AND {_BY} != {literal(user)}"
        query = Query(self._history, ("Id", self._of), others)
        pages = self.rest.pages(query)
        theirs = {str(row[self._of])[:15] for page in pages for row in page}
        return [one for one in dict.fromkeys(ids) if one[:15] in theirs]

    def _who_we_are(self) -> str | None:
        if not self.knows_user:
            try:
                found = self.rest.user_id()
            except RightMissingError:  # then all rows are read, our own too
                found = ""
            self.user = found if found.isalnum() else None
            self.knows_user = True
        return self.user

    def _by_id(self, where: str, ids: Sequence[str]) -> Iterator[list[Record]]:
        for start in range(0, len(ids), _IDS_AT_ONCE):
            part = listed(ids[start : start + _IDS_AT_ONCE])
            selected = ("Id", self._of, "Field", "NewValue", _AT, _BY)
            query = Query(self._history, selected, f"{where} AND {self._of} IN {part}")
            yield from self.rest.pages(query)

    def _edit(
        self, row: Record, given: dict[str, str], fields: dict[str, str]
    ) -> _Edit:
        try:
            at = datetime.fromisoformat(str(row[_AT]))
            record_id, column = (
                given[str(row[self._of])[:15]],
                fields[str(row["Field"])],
            )
        except (KeyError, ValueError):
            raise unreadable(f"reading {self._history}") from None
        value = row.get("NewValue")
        by = row.get(_BY)
        return record_id, column, at, _text(value), None if by is None else str(by)


def _text(value: object) -> str | None:
    """A value may come as JSON's own number or as text."""
    return None if value is None or value == "" else str(value)
