"""Which words may stand here, for a shell that completes what is being typed?

A shell asks at each press of a key: only what is needed is loaded, and whatever fails
completes nothing, for the command itself will say it better.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import typer

from crm_portfolio.cli._views import VIEWS

__all__ = ["crms", "keys", "managed", "nouns", "orgs", "sources", "tables"]

_Words = Iterable[str]


def _beginning(words: Callable[[], _Words], incomplete: str) -> list[str]:
    """Those of the words that begin so; none where they cannot be had."""
    with suppress(Exception):
        return [word for word in words() if word.startswith(incomplete)]
    return []


def sources(incomplete: str) -> list[str]:
    """All that `pull` reads."""
    from importlib.metadata import entry_points

    from crm_portfolio.connectors import GROUP, REGISTRY

    def known() -> _Words:
        return sorted({*REGISTRY, *entry_points(group=GROUP).names})

    return _beginning(known, incomplete)


def crms(incomplete: str) -> list[str]:
    """What can be logged in to."""
    return [name for name in sources(incomplete) if name not in ("files", "warehouse")]


def nouns(incomplete: str) -> list[str]:
    """The analyses."""
    return _beginning(lambda: VIEWS, incomplete)


def tables(incomplete: str) -> list[str]:
    """Tables after a comma too; those that are named already are left away."""
    before, comma, begun = incomplete.rpartition(",")
    named = before.split(",")

    def known() -> _Words:
        from crm_portfolio.schema import TABLES

        every = [*TABLES] if comma else [*TABLES, "all"]
        return [table for table in every if table not in named]

    return [f"{before}{comma}{word}" for word in _beginning(known, begun)]


def managed(incomplete: str) -> list[str]:
    """The fields that plans fill."""

    def known() -> _Words:
        from crm_portfolio.schema import MANAGED

        named = (field.column for fields in MANAGED.values() for field in fields)
        return [*dict.fromkeys(named)]

    return _beginning(known, incomplete)


def keys(incomplete: str) -> list[str]:
    """Every setting, as `settings where` takes it."""

    def known() -> _Words:
        from crm_portfolio.settings import Settings, places
        from crm_portfolio.settings._keys import keys_at_the_top
        from crm_portfolio.settings._settings import LAYERS

        chosen = Settings()
        inside = [place.key for layer in LAYERS for place in places(chosen, layer)]
        return [*(key.name for key in keys_at_the_top()), *dict.fromkeys(inside)]

    return _beginning(known, incomplete)


def orgs(context: typer.Context, incomplete: str) -> list[str]:
    """The orgs of the settings file that was named before."""

    def known() -> _Words:
        from crm_portfolio.settings import Settings

        return Settings.orgs(_settings_file(context.params))

    return _beginning(known, incomplete)


def _settings_file(params: dict[str, Any]) -> Path:
    named = params.get("settings") or os.environ.get("CRM_PORTFOLIO_SETTINGS")
    return Path(str(named or "portfolio.toml"))
