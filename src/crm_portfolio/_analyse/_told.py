"""What could not be told, and what is the best next step, in sentences?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import reduce
from typing import Final

from crm_portfolio._analyse._lacking import Unlock
from crm_portfolio._analyse._needs import Need
from crm_portfolio._wording import Lang, Reason, sentence

__all__ = ["next_step", "not_made", "unknown"]

_STEPS: Final = {
    "table": "next_table",
    "column": "next_column",
    "rows": "next_rows",
    "setting": "next_setting",
}


def not_made(skipped: Mapping[str, tuple[Need, ...]], lang: Lang) -> Iterator[str]:
    """Each analysis that could not be made, and all it lacks."""
    for name, needs in skipped.items():
        told = {"analysis": name, "lacks": _all(needs, lang)}
        yield sentence(Reason("analysis_skipped", told), lang)


def unknown(
    gaps: Mapping[str, Mapping[str, tuple[Need, ...]]], lang: Lang
) -> Iterator[str]:
    """For each analysis what it could not tell, and what that takes."""
    for name, parts in gaps.items():
        each = [
            sentence(
                Reason("part_lacks", {"part": part, "lacks": _all(needs, lang)}), lang
            )
            for part, needs in parts.items()
        ]
        told = {"analysis": name, "parts": ", ".join(each)}
        yield sentence(Reason("parts_unknown", told), lang)


def next_step(unlocks: tuple[Unlock, ...], lang: Lang) -> Iterator[str]:
    """The one thing that lets most be told, and what that is."""
    for best in unlocks[:1]:
        wanted = (*best.columns, *(f"{best.add}[{each}]" for each in best.rows))
        code = "next_table_with" if wanted else _STEPS[best.kind]
        told = {"add": best.add, "columns": _joined("both", wanted, lang)}
        yield sentence(Reason(code, told), lang)
        if best.analyses:
            told = {"analyses": ", ".join(best.analyses)}
            yield sentence(Reason("unlocks_analyses", told), lang)
        if best.parts:
            each = [
                sentence(
                    Reason(
                        "parts_of",
                        {"analysis": name, "parts": _joined("both", parts, lang)},
                    ),
                    lang,
                )
                for name, parts in best.parts.items()
            ]
            yield sentence(Reason("unlocks_parts", {"parts": "; ".join(each)}), lang)


def _all(needs: Iterable[Need], lang: Lang) -> str:
    each = (
        _joined("either", [_joined("both", way, lang) for way in n.ways], lang)
        for n in needs
    )
    return _joined("also", each, lang)


def _joined(code: str, words: Iterable[str], lang: Lang) -> str:
    listed = list(words)
    if not listed:
        return ""
    return reduce(
        lambda one, other: sentence(Reason(code, {"one": one, "other": other}), lang),
        listed,
    )
