"""How does the page write a number, a day, a code or a sentence in its language?

All of it comes from the one catalogue; nothing is put into words anywhere else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final, Literal, TypeAlias

import attrs

from crm_portfolio._wording import CODES, Lang, Reason, ReasonValue, filled, sentence
from crm_portfolio.schema import MINOR_DIGITS

__all__ = ["Kind", "Words"]

Kind: TypeAlias = Literal["money", "share", "decimal", "count", "day"]

_CELLS: Final[Mapping[Kind, str]] = {
    "money": "cell_money",
    "share": "cell_share",
    "decimal": "cell_decimal",
    "count": "cell_count",
    "day": "cell_day",
}
_WHOLE: Final = 1_000  # from here on, nobody reads the cents
# French sets a narrow blank there, on a page that can show one; not before a colon.
_BLANK: Final = re.compile("\N{NO-BREAK SPACE}(?!:)")


@attrs.frozen
class Words:
    """The words of one page.

    Attributes:
        names: Of accounts, by id.
    """

    lang: Lang
    currency: str
    names: Mapping[str, str] = attrs.field(factory=dict, repr=False)

    def say(self, code: str, **values: ReasonValue) -> str:
        """The sentence of this code, amounts in the page's currency and not in cents."""
        whole = {name: _rounded(value) for name, value in values.items()}
        return self.told(Reason(code, {"currency": self.currency, **whole}))

    def told(self, reason: Reason) -> str:
        """The reason as a sentence, with the names of accounts where it has ids."""
        return self.fine(sentence(reason, self.lang, names=self.names))

    def parts(self, reason: Reason) -> tuple[str, ...]:
        """Its pattern, with a mark for each value, and the values as they are written."""
        pattern, values = filled(reason, self.lang, names=self.names)
        return self.fine(pattern), *map(self.fine, values)

    def cell(self, kind: Kind, value: object) -> str:
        """A value on its own; money in whole units from 1,000 on, else to the cent."""
        if kind == "day" and not isinstance(value, date | str):
            value = None
        if kind == "money" and isinstance(value, float):
            value = round(value, MINOR_DIGITS.get(self.currency, 2))
        return self.say(_CELLS[kind], value=value)  # type: ignore[arg-type]

    def label(self, prefix: str, code: object) -> str:
        """The word for a code, or the code where it has none; unknown is said so."""
        if code is None:
            return self.unknown
        known = f"{prefix}{str(code).lower()}"
        return self.say(known) if known in CODES else str(code)

    @property
    def unknown(self) -> str:
        return self.say("cell_decimal", value=None)

    def listed(self, said: Sequence[str]) -> str:
        """One, another, and the last."""
        if len(said) < 2:
            return "".join(said)
        return self.say("both", one=", ".join(said[:-1]), other=said[-1])

    def called(self, account_id: str) -> str:
        return self.names.get(account_id) or account_id

    def fine(self, said: str) -> str:
        if self.lang != "fr":
            return said
        return _BLANK.sub("\N{NARROW NO-BREAK SPACE}", said)


def _rounded(value: ReasonValue) -> ReasonValue:
    if isinstance(value, float) and abs(value) >= _WHOLE:
        return float(round(value))
    return value
