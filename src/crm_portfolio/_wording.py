"""Why, as code and values: which sentence does a reason make, and in which language?

The sentences stand in ``locales/en.po`` and ``locales/fr.po``, by code. A placeholder
says how its value is shown: ``{edge:money}`` in the currency the reason carries,
``{share:share}`` in per cent, ``{since_on:day}``, ``{rank:ordinal}``, ``{group_id:name}``
as the account's name where one is given, ``{n:account|accounts}`` as the word that fits
the number, ``{step:label_step_}`` a code as the sentence ``label_step_`` + code. Without
a word after the colon, numbers get their thousands separated.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Mapping
from datetime import date
from functools import cache
from importlib import resources
from typing import Final, Literal, get_args

import attrs

__all__ = [
    "CODES",
    "LANGS",
    "Lang",
    "Reason",
    "ReasonValue",
    "filled",
    "number",
    "placeholders",
    "read_po",
    "sentence",
]

Lang = Literal["en", "fr"]
LANGS: Final[tuple[Lang, ...]] = get_args(Lang)
ReasonValue = str | int | float | date | None


def _own(values: Mapping[str, ReasonValue]) -> dict[str, ReasonValue]:
    return dict(values)


@attrs.frozen(hash=False)
class Reason:
    """Why something is as it is: a code of the catalogue and the values it names.

    Values are ids, numbers, days and codes, never names. Money is in whole currency units
    and the currency travels with it as ``currency``.
    """

    code: str
    values: Mapping[str, ReasonValue] = attrs.field(factory=dict, converter=_own)

    def to_dict(self) -> dict[str, object]:
        """The reason as JSON-able values; days as ISO text, which `sentence` reads too."""
        return {
            "code": self.code,
            "values": {
                key: value.isoformat() if isinstance(value, date) else value
                for key, value in sorted(self.values.items())
            },
        }


@attrs.frozen
class _Tongue:
    """How one language writes numbers and days."""

    decimal: str
    thousands: str
    unknown: str
    little: str
    months: tuple[str, ...]
    symbols: Mapping[str, str]


# U+00A0 rather than U+202F: a Windows console on code page 1252 can print it.
_NBSP = "\N{NO-BREAK SPACE}"
_TONGUES: Final[Mapping[Lang, _Tongue]] = {
    "en": _Tongue(
        decimal=".",
        thousands=",",
        unknown="unknown",
        little="less than 0.1",
        months=(
            *("January", "February", "March", "April", "May", "June", "July"),
            *("August", "September", "October", "November", "December"),
        ),
        symbols={},
    ),
    "fr": _Tongue(
        decimal=",",
        thousands=_NBSP,
        unknown="inconnu",
        little="moins de 0,1",
        months=(
            *("janvier", "février", "mars", "avril", "mai", "juin", "juillet"),
            *("août", "septembre", "octobre", "novembre", "décembre"),
        ),
        symbols={"EUR": "€"},
    ),
}


def sentence(
    reason: Reason, lang: Lang = "en", *, names: Mapping[str, str] | None = None
) -> str:
    """The reason as one sentence, with ids or, where ``names`` has them, names beside.

    Names are for pages made for people; nothing that is archived gets them.
    """
    pattern, values = filled(reason, lang, names=names)
    literals = pattern.split(_HERE)
    parts = (part for pair in zip(literals, values, strict=False) for part in pair)
    return "".join((*parts, literals[-1]))


def filled(
    reason: Reason, lang: Lang = "en", *, names: Mapping[str, str] | None = None
) -> tuple[str, tuple[str, ...]]:
    """The sentence in two: with a null sign for each value, and the values in turn.

    Put together they are `sentence`; apart, a page that tells thousands of accounts the
    same says it once.
    """
    words = _Words(lang, reason, names or {})
    pattern, fields = _template(reason.code, lang)
    return pattern, tuple(words.field(name, how) for name, how in fields)


_HERE: Final = "\0"


@cache
def _template(code: str, lang: Lang) -> tuple[str, tuple[tuple[str, str], ...]]:
    """What is said around the values, and which value goes where, and how."""
    pieces = list(string.Formatter().parse(_catalogue(lang)[code]))
    pattern = "".join(
        literal + ("" if name is None else _HERE) for literal, name, _, _ in pieces
    )
    fields = tuple((name, how or "") for _, name, how, _ in pieces if name is not None)
    return pattern, fields


def number(value: float, lang: Lang = "en", *, digits: int = 0) -> str:
    """A number with its thousands separated, as the language writes it."""
    tongue = _TONGUES[lang]
    text = f"{value:z,.{digits}f}".replace("-", "−")  # z: no zero has a sign
    swap = {",": tongue.thousands, ".": tongue.decimal}
    return re.sub("[,.]", lambda found: swap[found[0]], text)


def placeholders(code: str, lang: Lang) -> tuple[str, ...]:
    """The placeholders of one sentence with how they are shown, sorted."""
    return tuple(
        sorted(
            f"{name}:{'plural' if '|' in (spec or '') else spec or ''}"
            for _, name, spec, _ in string.Formatter().parse(_catalogue(lang)[code])
            if name is not None
        )
    )


class _Words(string.Formatter):
    """Fills a template the way one language writes."""

    def __init__(self, lang: Lang, reason: Reason, names: Mapping[str, str]) -> None:
        self.lang, self.reason, self.names = lang, reason, names
        self.tongue = _TONGUES[lang]

    def field(self, name: str, how: str) -> str:
        """One value of the reason; how it is shown may itself hold values."""
        if "{" in how:
            how = self.vformat(how, (), self.reason.values)
        return self.format_field(self.reason.values[name], how)

    def format_field(self, value: ReasonValue, format_spec: str) -> str:
        if value is None:
            return self.tongue.unknown
        if "|" in format_spec:
            return self._plural(value, format_spec)
        if isinstance(value, date) or format_spec == "day":
            return self._day(value)
        if format_spec == "name":
            return self._name(str(value))
        if isinstance(value, str):
            return self._word(value, format_spec)
        return self._numeric(value, format_spec)

    def _numeric(self, value: float, how: str) -> str:
        match how:
            case "money":
                return self._money(value)
            case "share":
                return self._share(value)
            case "limit":
                return self._limit(value)
            case "ordinal":
                return _ordinal(int(value), self.lang)
            case "decimal":
                return self._decimal(value)
            case "":
                return number(
                    value, self.lang, digits=0 if isinstance(value, int) else 2
                )
            case _:
                message = f"{self.reason.code}: nothing is shown as {how!r}"
                raise ValueError(message)

    def _money(self, value: float) -> str:
        # Three digits only where the value has them: the dinars of five countries.
        digits = next((d for d in (0, 2) if round(value, d) == value), 3)
        currency = str(self.reason.values.get("currency") or "")
        unit = self.tongue.symbols.get(currency, currency)
        return (number(value, self.lang, digits=digits) + _NBSP + unit).rstrip(_NBSP)

    def _share(self, value: float) -> str:
        per_cent = 100 * value
        if 0 < per_cent < 0.05:
            return f"{self.tongue.little}{_NBSP}%"
        digits = self._share_digits(value)
        return (
            f"{number(round(per_cent, digits) + 0.0, self.lang, digits=digits)}{_NBSP}%"
        )

    def _limit(self, value: float) -> str:
        digits = next((d for d in (0, 1) if round(100 * value, d) == 100 * value), 2)
        return f"{number(100 * value, self.lang, digits=digits)}{_NBSP}%"

    def _decimal(self, value: float) -> str:
        digits = next((d for d in range(4) if round(value, d) == value), 4)
        return number(value, self.lang, digits=digits)

    def _share_digits(self, value: float) -> int:
        """As many as tell the share from the limit it is held against, one at least."""
        limit = self.reason.values.get("threshold", self.reason.values.get("cut"))
        if not isinstance(limit, float) or limit == value:
            return 1
        told = (
            d for d in range(1, 6) if round(100 * value, d) != round(100 * limit, d)
        )
        return next(told, 6)

    def _day(self, value: ReasonValue) -> str:
        day = value if isinstance(value, date) else date.fromisoformat(str(value))
        number = "1er" if self.lang == "fr" and day.day == 1 else str(day.day)
        return f"{number} {self.tongue.months[day.month - 1]} {day.year}"

    def _name(self, record_id: str) -> str:
        name = self.names.get(record_id)
        return f"{name} ({record_id})" if name else record_id

    def _word(self, value: str, prefix: str) -> str:
        """A code in the words of the catalogue, where the template names their prefix."""
        if not prefix.startswith("label_"):
            return value
        return _catalogue(self.lang).get(prefix + value.lower(), value)

    def _plural(self, value: ReasonValue, forms: str) -> str:
        one, many = forms.split("|")
        count = abs(float(value)) if isinstance(value, int | float) else 2.0
        is_one = count < 2 if self.lang == "fr" else count == 1
        return one if is_one else many


def _ordinal(number: int, lang: Lang) -> str:
    if lang == "fr":
        return f"{number}er" if number == 1 else f"{number}e"
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{'th' if number % 100 in (11, 12, 13) else ending}"


@cache
def _catalogue(lang: Lang) -> Mapping[str, str]:
    file = resources.files("crm_portfolio") / "locales" / f"{lang}.po"
    return read_po(file.read_text(encoding="utf-8"))


_PO_LINE = re.compile(r'^(?:(msgid|msgstr) )?"((?:[^"\\]|\\["\\n])*)"$')


def read_po(text: str) -> Mapping[str, str]:
    """Code → sentence of a ``.po`` file; plain entries only, all else is refused."""
    entries: dict[str, str] = {}
    for code, said in _entries(text):
        if code in entries or not said:
            message = f"the catalogue says {code!r} twice, or says nothing"
            raise ValueError(message)
        entries[code] = said
    entries.pop("", None)
    return entries


def _entries(text: str) -> Iterator[tuple[str, str]]:
    parts: list[tuple[str, str]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        found = _PO_LINE.match(line)
        if not found or (not found[1] and not parts):
            message = f"line {number} of the catalogue is no msgid, msgstr or text"
            raise ValueError(message)
        piece = re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], found[2])
        if found[1]:
            parts.append((found[1], piece))
        else:
            parts[-1] = (parts[-1][0], parts[-1][1] + piece)
    kinds = [kind for kind, _ in parts]
    if kinds != ["msgid", "msgstr"] * (len(parts) // 2):
        message = "the catalogue needs one msgstr after each msgid"
        raise ValueError(message)
    for at in range(0, len(parts), 2):
        yield parts[at][1], parts[at + 1][1]


CODES: Final[frozenset[str]] = frozenset(_catalogue("en"))
