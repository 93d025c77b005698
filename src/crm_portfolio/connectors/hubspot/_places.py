"""Where does the pull of a table stand, in words that another process understands?"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias

import attrs
import orjson

from crm_portfolio.errors import CursorLostError, SettingsError
from crm_portfolio.protocols import Cursor
from crm_portfolio.schema import TableName

__all__ = ["Place", "Way"]

_VERSION: Final = 1
Way: TypeAlias = Literal[
    "list", "search", "archived", "export", "fresh", "bin", "sweep", "done"
]


@attrs.frozen
class Place:
    """Where a pull of one table stands.

    Attributes:
        way: What is under way; ``done`` behind the last batch.
        part: Which of the table's kinds of record.
        after: Of a list, its own word for where it goes on.
        last: The highest id so far.
        began: The server's clock when the pull began.
        since: Where the increment begins; None: a whole pull.
        count: Records of all parts when they were last read whole.
        seen: Records of this part so far.
        task: The export that is being read, by HubSpot's number.
        extra: Ids of the few that are not in its file and were handed out besides.
        left: Ids of the few that are in its file and are gone.
        binned: Pages of the recycle bin, when it was last read; 0: it never was.
    """

    way: Way = "list"
    part: int = 0
    after: str = ""
    last: int = 0
    began: datetime | None = None
    since: datetime | None = None
    count: int = 0
    seen: int = 0
    task: str = ""
    extra: tuple[int, ...] = ()
    left: tuple[int, ...] = ()
    binned: int = 0

    @classmethod
    def of(cls, cursor: Cursor) -> Place:
        """The place that a cursor names.

        Raises:
            CursorLostError: Not a cursor of this connector, or of another version.
        """
        try:
            said = orjson.loads(cursor.token)
            moments = {
                name: datetime.fromisoformat(said[name]) if said[name] else None
                for name in ("began", "since")
            }
            version = said.pop("version")
            ids = {
                name: tuple(int(one) for one in said[name])
                for name in ("extra", "left")
            }
            place = cls(**{**said, **moments, **ids})
        except (ValueError, TypeError, KeyError, AttributeError):
            raise CursorLostError(
                "hubspot", "this cursor is not one of ours; pull anew"
            ) from None
        if version != _VERSION:
            raise CursorLostError(
                "hubspot", "this cursor is of another version; pull anew"
            )
        return place

    @property
    def is_by_export(self) -> bool:
        return self.way in ("export", "fresh", "bin", "sweep")

    def increment(self) -> Place:
        """Where what has changed since this pull is to be found.

        Raises:
            SettingsError: The pull that this place is of did not come to its end.
        """
        if self.way != "done":
            raise SettingsError(
                "hubspot: since takes the cursor of a pull's last batch; this one goes on"
            )
        start = self.began or datetime.fromtimestamp(0, UTC)
        return Place(way="search", since=start, count=self.count, binned=0)

    def cursor(self, table: TableName, *, began: datetime | None = None) -> Cursor:
        """The place in a cursor's words; ``began`` is said where it does not know."""
        began = self.began or began
        said = {name: getattr(self, name) for name in _NAMES} | {"began": began}
        token = orjson.dumps({"version": _VERSION, **said}).decode()
        return Cursor(table, token, began or datetime.fromtimestamp(0, UTC))


_NAMES: Final = tuple(field.name for field in attrs.fields(Place))
