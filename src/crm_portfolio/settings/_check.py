"""What is wrong with a file, and what in it is allowed but odd?"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import attrs

from crm_portfolio.connectors.hubspot import HubSpotSettings
from crm_portfolio.connectors.salesforce import SalesforceSettings
from crm_portfolio.errors import SettingsError
from crm_portfolio.settings._lines import Path as Keys
from crm_portfolio.settings._lines import line_of, lines_of
from crm_portfolio.settings._orgs import orgs_of
from crm_portfolio.settings._secrets import looks_secret, place
from crm_portfolio.settings._settings import (
    LAYERS,
    Settings,
    must_be_there,
    read_file,
)

__all__ = ["Remark", "RemarkState", "check"]

RemarkState: TypeAlias = Literal["fault", "odd"]
_CRMS: Final = ("salesforce", "hubspot")
_AT_LINE: Final = re.compile(r"at line (\d+)")
_MAPPED: Final = re.compile(r"((?:fields|objects)[\w.]*):")
_NO_TIERS: Final = ("new", "none")


@attrs.frozen
class Remark:
    """One thing to know about a file.

    Attributes:
        state: ``fault``: it must be mended; ``odd``: allowed, and perhaps not meant.
        key: Such as ``limits.max_share``; empty: the whole file.
        said: What it is, and what to do; no secret is in it.
        line: Of the file; None: not in it.
    """

    state: RemarkState
    key: str
    said: str
    line: int | None = None


Look: TypeAlias = Callable[[Settings], Iterator[tuple[RemarkState, Keys, str]]]


def check(
    file: Path, *, environment: Mapping[str, str], look: tuple[Look, ...] = ()
) -> list[Remark]:
    """All faults of a file and of each of its orgs, then what is odd; by line.

    Args:
        environment: Where log-ins are looked for; values are not read.
        look: What else to ask of settings that hold no fault.

    Raises:
        SettingsError: There is no such file.
    """
    must_be_there(file)
    try:
        text, written = read_file(file)
        orgs = tuple(orgs_of(written))
    except SettingsError as error:
        met = _AT_LINE.search(str(error))
        return [Remark("fault", "", str(error), int(met[1]) if met else None)]
    lines = lines_of(text)
    found: dict[Remark, None] = {}
    for org in (None, *orgs):
        for state, keys, said in _of_org(written, lines, org, environment, look):
            own = ("orgs", org, *keys) if org is not None else keys
            is_own = own in lines or line_of(keys, lines) is None
            at = own if is_own else keys
            line = line_of(at, lines)
            found[Remark(state, ".".join(at), said, line)] = None
    return sorted(found, key=lambda each: (each.state, each.line or 0))


def _of_org(
    written: Mapping[str, Any],
    lines: Mapping[Keys, int],
    org: str | None,
    environment: Mapping[str, str],
    look: tuple[Look, ...],
) -> Iterator[tuple[RemarkState, Keys, str]]:
    settings, faults = Settings.read(written, org=org, lines=lines)
    for fault in faults:
        yield "fault", fault.path, fault.said
    if settings is None:
        return
    for table, said in _unmappable(settings):
        named = _MAPPED.match(said)
        keys = tuple(named[1].split(".")) if named else ()
        yield "fault", (table, *keys), f"[{table}] {said}"
    is_shared = org is None and "orgs" in written
    if not is_shared:  # what is odd is so for an org
        odd = (*_odd(settings, written, environment), *_percents(settings))
        for keys, said in odd:
            yield "odd", keys, said
        for ask in look:
            yield from ask(settings)
    for keys in looks_secret(written):
        said = f"{place(keys[:-1], keys[-1])} looks like a secret; none stands in this file"
        yield "odd", keys, f"{said}: if it is one, renew it and use the environment."


def _unmappable(settings: Settings) -> Iterator[tuple[str, str]]:
    """Mappings that no org could fill: a table or a column that the model lacks."""
    for name, try_it in (("salesforce", _salesforce), ("hubspot", _hubspot)):
        try:
            try_it(getattr(settings, name))
        except SettingsError as error:
            yield name, str(error)


def _salesforce(settings: SalesforceSettings) -> None:
    from crm_portfolio.connectors.salesforce._catalogue import Catalogue

    Catalogue(settings)


def _hubspot(settings: HubSpotSettings) -> None:
    from crm_portfolio.connectors.hubspot._columns import record_sources

    record_sources(settings)


def _percents(settings: Settings) -> Iterator[tuple[Keys, str]]:
    """Rates a year of which a hundredth is more likely meant."""
    own = settings.receivables
    dated = [each.rate for each in own.financing_rates]
    for key, rates in (
        ("financing_rate", [own.financing_rate or 0.0]),
        ("financing_rates", dated),
    ):
        if (rate := max(rates, default=0.0)) > 1:
            said = f"[receivables] {key}: {rate:g} is {rate * 100:g} % a year"
            yield ("receivables", key), f"{said}; {rate:g} % is {rate / 100:g}"


def _says_anything(table: object) -> bool:
    """Whether a setting stands in it, or only headers do."""
    if isinstance(table, Mapping):
        return any(map(_says_anything, table.values()))
    return table is not None


def _odd(
    settings: Settings, written: Mapping[str, Any], environment: Mapping[str, str]
) -> Iterator[tuple[Keys, str]]:
    crm, prefix = settings.sync.crm, settings.sync.environment
    for name in _CRMS:
        variable = f"{prefix}{name.upper()}_"
        if not _says_anything(written.get(name)):
            continue
        if crm and crm != name and "orgs" not in written:
            yield (name,), f"[{name}] steers nothing: sync.crm is {crm!r}"
        elif not any(each.startswith(variable) for each in environment):
            said = f"[{name}] stands here, but no log-in is in the environment"
            yield (name,), f"{said} (no variable begins with {variable})"
    if crm and settings.tiers.stability is None:
        said = (
            "a nightly job without [tiers.stability] moves an account at an edge with"
        )
        yield ("tiers",), f"{said} every order; give it a replay_from"
    for tier in settings.allocation.service:
        if tier not in (*settings.tier_names, *_NO_TIERS):
            said = f"[allocation.service.{tier}] serves nobody: the tiers are"
            there = ", ".join(settings.tier_names)
            yield ("allocation", "service", tier), f"{said} {there}"
    for name in settings.sync.analyses:
        if name not in LAYERS:
            yield ("sync", "analyses"), f"[sync] analyses: there is no {name!r}"
