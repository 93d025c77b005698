"""How do the settings look on their page of the documentation?

The tables of keys are made from the classes, between marks; what a person wrote around
them stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final, get_args

import attrs

from crm_portfolio._kinds import parts
from crm_portfolio.portfolio import Period
from crm_portfolio.settings import _toml
from crm_portfolio.settings._keys import Key, first_line, keys_at_the_top, keys_of
from crm_portfolio.settings._schema import node_of
from crm_portfolio.settings._settings import LAYERS
from crm_portfolio.settings._structure import METHODS
from crm_portfolio.settings._wording import allowed, marked

__all__ = ["renewed", "tables_of_keys"]

_MARKED: Final = re.compile(
    r"<!-- keys of ([\w.]+) -->\n.*?<!-- end -->", re.DOTALL | re.MULTILINE
)


def renewed(page: str) -> str:
    """The page with its tables of keys as the classes have them now."""
    tables = tables_of_keys()
    return _MARKED.sub(
        lambda met: f"<!-- keys of {met[1]} -->\n{tables[met[1]]}\n<!-- end -->", page
    )


def tables_of_keys() -> dict[str, str]:
    """Each table of the file as one of Markdown; ``top`` is what stands above all."""
    found = {"top": _table(keys_at_the_top())}
    for name, layer in LAYERS.items():
        found.update(_inside(name, layer))
    return found | {"tiers.method": _methods()}


def _methods() -> str:
    rows = []
    for name, method in METHODS.items():
        keys = keys_of(method)
        each = [f"`{key.name}`{_by_default(key)}: {_may_be(key)}" for key in keys]
        told = marked(first_line(method))
        rows.append(f"| `{name}` | {'; '.join(each)} | {told} |")
    return "\n".join(("| method | its keys | tiers |", "| --- " * 3 + "|", *rows))


def _by_default(key: Key) -> str:
    return "" if key.default is attrs.NOTHING else f" = {_toml.value(key.default)}"


def _inside(at: str, layer: type[Any], like: Any = None) -> Iterator[tuple[str, str]]:
    keys = keys_of(layer, like)
    yield at, _table(keys)
    for key in keys:
        (kind, *_) = parts(key.kind)
        inner = next((k for k in (kind, *get_args(kind)) if attrs.has(k)), Period)
        if inner is not Period and key.name != "method":
            made = key.default if isinstance(key.default, inner) else None
            yield from _inside(f"{at}.{key.name}", inner, made)


def _table(keys: tuple[Key, ...]) -> str:
    rows = (_row(key) for key in keys)
    return "\n".join(
        ("| key | default | may be | meaning |", "| --- " * 4 + "|", *rows)
    )


def _row(key: Key) -> str:
    cells = (f"`{key.name}`", _default(key), _may_be(key), marked(key.meaning))
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _may_be(key: Key) -> str:
    if key.name == "method":
        return ", ".join(f"`{name}`" for name in METHODS)
    return re.sub(r'("[^"]*")', r"`\1`", allowed(key.name, node_of(key)))


def _default(key: Key) -> str:
    if key.name == "method":
        return '`"slices"`'
    if key.default is attrs.NOTHING:
        return "must be said"
    if key.default is None:
        return ""
    (kind, *_) = parts(key.kind)
    is_table = attrs.has(kind) and kind is not Period
    return "see below" if is_table else f"`{_toml.value(key.default)}`"
