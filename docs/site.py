"""What do the pages show that only the code knows? MkDocs asks at each build.

`<!-- names: MODULE -->` in a page becomes the reference of all public names of the module,
`<!-- table: WHAT -->` a table of codes.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module, resources
from typing import Any, Final, get_args

import griffe

_ASKED: Final = re.compile(r"<!-- (names|table): ([\w.]+) -->")
# Words of the report and of tables: sentences of no result.
_WORDS: Final = re.compile(
    r"(ask|cell|heading|label|means|next|part|parts|period|qty|question|report|table|term"
    r"|title)_"
)
_SECTION: Final = re.compile(r"^# --- (.+?) -*$", re.MULTILINE)
_CODE: Final = re.compile(r'^msgid "(\w+)"$', re.MULTILINE)
_Row = tuple[str, ...]


class Examples(griffe.Extension):
    """What a docstring shows as an example is one: the reference knows the plural only."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = re.sub(
                r"^Example:$", "Examples:", obj.docstring.value, flags=re.MULTILINE
            )


def on_page_markdown(markdown: str, **_: Any) -> str:
    """The page with what the code knows, where it asks for it."""
    return _ASKED.sub(lambda asked: _KINDS[asked[1]](asked[2]), markdown)


def names(module: str) -> str:
    """A reference entry for each public name that is no module of its own."""
    found = import_module(module)
    public = [n for n in found.__all__ if not inspect.ismodule(getattr(found, n))]
    functions = [n for n in public if inspect.isroutine(getattr(found, n))]
    ordered = [*functions, *(n for n in public if n not in functions)]
    return "\n\n".join(f"::: {module}.{name}" for name in ordered)


def codes(what: str) -> str:
    """A table of the codes of that kind."""
    return _TABLES[what]()


def sentences() -> dict[str, list[tuple[str, str, str]]]:
    """Each code of the catalogue in both languages, under the heading it stands under."""
    from crm_portfolio._wording import read_po

    english, french = (read_po(_catalogue(lang)) for lang in ("en", "fr"))
    found: dict[str, list[tuple[str, str, str]]] = {}
    for heading, code in _headed():
        if not is_word_of_a_page(code):
            found.setdefault(heading, []).append((code, english[code], french[code]))
    return found


def is_word_of_a_page(code: str) -> bool:
    """A label, a heading, a definition: what no result says as a reason."""
    return _WORDS.match(code) is not None


def _headed() -> Iterator[tuple[str, str]]:
    """The codes in the order of the catalogue, each with its heading."""
    heading = ""
    for line in _catalogue("en").splitlines():
        if section := _SECTION.match(line):
            heading = section[1]
        elif code := _CODE.match(line):
            yield heading, code[1]


def _catalogue(lang: str) -> str:
    file = resources.files("crm_portfolio") / "locales" / f"{lang}.po"
    return file.read_text(encoding="utf-8")


def _reasons() -> str:
    head = ("code", "English", "French")
    return "\n\n".join(
        f"### {heading or 'Others'}\n\n{_table(head, rows)}"
        for heading, rows in sentences().items()
    )


def _faults() -> str:
    from crm_portfolio.schema import FAULTS

    rows = [(kind.code, kind.effect, kind.meaning) for kind in FAULTS.values()]
    return _table(("code", "what follows", "meaning"), rows)


def _errors() -> str:
    from crm_portfolio import errors

    kinds = [getattr(errors, name) for name in errors.__all__]
    rows = [
        (kind.__name__, str(kind.exit_code), (kind.__doc__ or "").partition("\n")[0])
        for kind in kinds
        if inspect.isclass(kind)
    ]
    return _table(("error", "exit code", "meaning"), rows)


def _states() -> str:
    from crm_portfolio.archive import PERMANENT, ChangeState

    states = [state for kind in get_args(ChangeState) for state in get_args(kind)]
    rows = [(state, "yes" if state in PERMANENT else "") for state in states]
    return _table(("state", "failed for good"), rows)


def _table(head: _Row, rows: list[_Row]) -> str:
    lines = [head, ("---",) * len(head)]
    lines += [(f"`{first}`", *map(_cell, rest)) for first, *rest in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    return re.sub(r"([|<>{}])", r"\\\1", text).replace("\n", " ")


_KINDS: Final[Mapping[str, Callable[[str], str]]] = {"names": names, "table": codes}
_TABLES: Final[Mapping[str, Callable[[], str]]] = {
    "errors": _errors,
    "faults": _faults,
    "reasons": _reasons,
    "states": _states,
}
