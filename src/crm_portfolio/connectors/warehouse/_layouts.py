"""How does a loader lay a CRM down in tables?

Each layout is data, in a file of its name; what it stands on is said there.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final, Literal

import attrs

from crm_portfolio.connectors.warehouse._settings import LayoutName

__all__ = ["Layout", "Linked", "OfOrg", "Replica", "Rooted", "Stages", "layout_of"]

_WORD: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_DIGIT: Final = re.compile(r"(?<=[a-z])(?=[0-9])")


@attrs.frozen
class Rooted:
    """A table whose rows take what is nested in them into the past.

    Attributes:
        row: The column by which one of its rows is named.
        by: Columns of the nested table that may name it, the likeliest first.
    """

    table: str
    row: str
    by: tuple[str, ...]


@attrs.frozen
class Linked:
    """The table that says which records belong together.

    Attributes:
        primary: Column and value that mark the one link which counts most.
        rooted: Where it is nested in another table.
    """

    table: str
    own: str
    other: str
    primary: Mapping[str, int] = attrs.field(factory=dict)
    rooted: Rooted | None = None


@attrs.frozen
class Replica:
    """The table of one kind of record.

    Attributes:
        names: The CRM's name → column, where the rule for names does not tell.
        only: Column → value that a record must have, where there is that column.
        without: Columns that must not be true.
        known: Columns that must say something.
    """

    table: str
    names: Mapping[str, str] = attrs.field(factory=dict)
    only: Mapping[str, str] = attrs.field(factory=dict)
    without: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    links: Mapping[str, Linked] = attrs.field(factory=dict)


@attrs.frozen
class Stages:
    """The two tables that name pipelines and their stages.

    Attributes:
        pipeline_row: By what a stage names its pipeline; empty: by its id.
    """

    pipelines: str
    pipeline_id: str
    stages: str
    pipeline_of: str
    stage_id: str
    probability: str
    is_won: str
    is_closed: str
    pipeline_row: str = ""


@attrs.frozen
class OfOrg:
    """Where a replica tells which org it is a copy of.

    Attributes:
        table: The one that tells of the org; empty: each row tells the org that it is of.
        sandbox: Columns that may say whether the org is a sandbox.
    """

    id: str
    table: str = ""
    sandbox: tuple[str, ...] = ()


@attrs.frozen
class Layout:
    """How one loader lays one CRM down.

    Attributes:
        stamp: The column that says when a row was last loaded.
        deleted: Columns any of which says that the record is gone.
        active: Where it is false the row is of the past.
        valid_to: Where it names a moment the row is of the past.
        prefix: What stands before the names of properties.
    """

    name: str
    vendor: Literal["salesforce", "hubspot"]
    stamp: str
    stamp_is: Literal["moment", "seconds"]
    deleted: tuple[str, ...]
    objects: Mapping[str, Replica]
    active: str = ""
    valid_to: str = ""
    merged_into: str = ""
    prefix: str = ""
    stages: Stages | None = None
    org: OfOrg | None = None

    def spellings(self, kind: str, name: str) -> tuple[str, ...]:
        """The columns that may hold a field of the CRM, in lower case, the likeliest first."""
        own = self.objects[kind].names.get(name, "")
        if name[0] == "$":
            return (own,)
        snake = re.sub("__+", "_", _WORD.sub("_", name)).lower()
        split = _DIGIT.sub("_", snake)
        ruled = (f"{self.prefix}{snake}", f"{self.prefix}{split}", name.lower())
        return tuple(dict.fromkeys(filter(None, (own, *ruled))))


@cache
def layout_of(name: LayoutName) -> Layout:
    """The layout of that name."""
    text = files(__package__).joinpath(f"{name}.toml").read_text(encoding="utf-8")
    said = tomllib.loads(text)
    said["deleted"] = tuple(said["deleted"])
    said["objects"] = {kind: _replica(one) for kind, one in said["objects"].items()}
    if "stages" in said:
        said["stages"] = Stages(**said["stages"])
    if "org" in said:
        sandbox = tuple(said["org"].pop("sandbox", ()))
        said["org"] = OfOrg(**said["org"], sandbox=sandbox)
    return Layout(name=name, **said)


def _replica(said: dict[str, Any]) -> Replica:
    links = {to: _linked(link) for to, link in said.pop("links", {}).items()}
    for key in ("without", "known"):
        said[key] = tuple(said.get(key, ()))
    return Replica(**said, links=links)


def _linked(said: dict[str, Any]) -> Linked:
    if rooted := said.pop("rooted", None):
        said["rooted"] = Rooted(rooted["table"], rooted["row"], tuple(rooted["by"]))
    return Linked(**said)
