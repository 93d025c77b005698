"""Which of the sources did a value come from?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import attrs

from crm_portfolio.settings._lines import Path, line_of, paths_in
from crm_portfolio.settings._orgs import orgs_of, with_sync
from crm_portfolio.settings._secrets import place

__all__ = ["DEFAULT", "Origin", "OriginKind", "origins_of"]

OriginKind: TypeAlias = Literal["default", "file", "period", "org"]


@attrs.frozen
class Origin:
    """Where a value comes from.

    Attributes:
        kind: ``file``; ``period``: the common one of the file, handed on; ``org``: what
            the file says of one org only; or ``default``.
        table: The table where it stands; empty at the top, and for a default.
        line: Of the file.
    """

    kind: OriginKind
    table: str = ""
    line: int | None = None

    def __str__(self) -> str:
        if self.kind == "default":
            return "default"
        where = self.table or "at the top"
        said = {"period": "the common period", "org": "the org's own"}.get(self.kind)
        told = f"{said}, {where}" if said else where
        return told if self.line is None else f"{told}, line {self.line}"


DEFAULT = Origin("default")


def origins_of(
    written: Mapping[str, Any],
    org: str | None,
    lines: Mapping[Path, int],
    with_period: frozenset[str],
) -> dict[str, Origin]:
    """What the file says, by key; every other value is a default."""
    shared = {key: value for key, value in written.items() if key != "orgs"}
    found = {
        path: Origin("file", place(path[:-1]), line_of(path, lines))
        for path in paths_in(shared)
    }
    if org is not None:
        own = orgs_of(written)[org]
        for path in paths_in(own):
            at = ("orgs", org, *path)
            found[with_sync(path)] = Origin("org", place(at[:-1]), line_of(at, lines))
    common = found.get(("period",)) or found.get(("period", "start"))
    for name in with_period:
        if common and not any(path[:2] == (name, "period") for path in found):
            found[name, "period"] = attrs.evolve(common, kind="period")
    return {".".join(path): origin for path, origin in found.items()}
