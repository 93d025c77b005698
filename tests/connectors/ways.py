"""By which ways are the two CRMs read and written?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias

import attrs

__all__ = ["EXPORT", "MAIN", "MANY_PAGES", "READING", "WRITING", "Crm", "Way"]

Crm: TypeAlias = Literal["salesforce", "hubspot"]


@attrs.frozen
class Way:
    """One way to a CRM.

    Attributes:
        page: What the name of the route of a page, or of a write, contains.
        is_increment: Reads what has changed, not all.
        cursor: The same, of a page that is asked for by a word of the service's; empty:
            none is, as a search asks for the ids behind the last one.
    """

    name: str
    crm: Crm
    page: str
    settings: Mapping[str, object] = attrs.field(factory=dict)
    is_increment: bool = False
    cursor: str = ""

    def __str__(self) -> str:
        return self.name


_REST: Final = {"bulk": "never", "page_size": 200}
_FEW: Final = {"bulk": "always", "bulk_page_rows": 200}
MANY_PAGES: Final[dict[str, Any]] = {"bulk": "always", "bulk_page_rows": 100}
_DATED: Final = {"paths": "2026-09"}
_LOCATOR: Final = "GET query/{locator}"
_RESULTS: Final = "GET jobs/query/{job}/results"
_LIST: Final = "GET objects/{kind}"
_SEARCH: Final = "POST objects/{kind}/search"
READING: Final = (
    Way("rest", "salesforce", "GET query", _REST, cursor=_LOCATOR),
    Way("bulk", "salesforce", _RESULTS, _FEW, cursor=_RESULTS),
    Way("bulk-side-by-side", "salesforce", _RESULTS, MANY_PAGES, cursor=_RESULTS),
    Way(
        "rest-increment",
        "salesforce",
        "GET query",
        _REST,
        is_increment=True,
        cursor=_LOCATOR,
    ),
    Way(
        "bulk-increment",
        "salesforce",
        _RESULTS,
        MANY_PAGES,
        is_increment=True,
        cursor=_RESULTS,
    ),
    Way("list", "hubspot", _LIST, cursor=_LIST),
    Way("list-dated", "hubspot", _LIST, _DATED, cursor=_LIST),
    Way("search", "hubspot", _SEARCH, is_increment=True),
    Way("search-dated", "hubspot", _SEARCH, _DATED, is_increment=True),
)
# Each part of each way once; the others have them in another company.
MAIN: Final = tuple(
    way for way in READING if way.name not in ("bulk", "bulk-increment", "search")
)
# A file that HubSpot writes for the first load of a large portal.
EXPORT: Final = Way("export", "hubspot", "exported/", {"exports": "always"})
WRITING: Final = (
    Way("collections", "salesforce", "PATCH composite/sobjects", {"bulk": "never"}),
    Way("ingest", "salesforce", "jobs/ingest", {"bulk": "always"}),
    Way("batch", "hubspot", "batch/update"),
    Way("batch-dated", "hubspot", "batch/update", _DATED),
)
