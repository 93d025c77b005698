"""Which number does each cell of a column mean?

``1 234,50 €``, ``$1,234.50`` and ``(1.234,50)`` are clear; ``1,234`` is not. So every cell
is read both ways, and the cells that allow only one decide for the whole column. What comes
out is decimal text, exact to the last digit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio.connectors.files._currencies import codes
from crm_portfolio.connectors.files._proposal import Confidence
from crm_portfolio.connectors.files._reading import (
    Conventions,
    Reading,
    all_true,
    blank_as_null,
    examples,
    plain,
    tidied,
)
from crm_portfolio.connectors.files._settings import Decimal

__all__ = ["Percent", "numbers"]

# Which cells are hundredths: none, those with a percent sign, all.
Percent = Literal["never", "signed", "always"]

_SIGN: Final = r"(?P<{0}>[-+])?"
_CURRENCY: Final = r"(?P<{0}>[A-Za-z]{{0,3}}\p{{Sc}}|\p{{L}}{{1,4}}\.?)?"
_CELL: Final = " ?".join(
    (
        r"^(?P<open>\()?",
        _SIGN.format("first"),
        _CURRENCY.format("before"),
        _SIGN.format("second"),
        r"(?P<core>[0-9.,](?:[0-9.,' ]*[0-9.,])?)",
        "(?P<percent>%)?",
        _CURRENCY.format("after"),
        _SIGN.format("last"),
        r"(?P<close>\))?$",
    )
)
_NO_CENTS: Final = r"([0-9])([.,])-{1,2}( ?[\p{L}\p{Sc}]*\.?\)?)$"
_CANONICAL: Final = r"^\s*[-+]?[0-9]+(\.[0-9]+)?\s*$"
_HINT: Final = (
    'write a number, such as 1234.50; symbols={"kr": "SEK"} names a currency sign'
)
_NOTHING: Final = pa.scalar(None, pa.string())


@attrs.frozen(eq=False)
class _Parts:
    """The pieces of each cell; ``core`` is null where it is no number at all."""

    core: pa.Array
    is_negative: pa.Array
    is_percent: pa.Array
    currency: pa.Array
    assumed_signs: str

    def under(self, decimal: Decimal) -> pa.Array:
        """True where the core is a number with this decimal mark."""
        mark, other = (r"\.", ",") if decimal == "." else (",", r"\.")
        grouped = "|".join(
            rf"[1-9][0-9]{{0,2}}(?:{by}[0-9]{{3}})+" for by in (other, " ", "'")
        )
        pattern = rf"^(?:(?:[0-9]+|{grouped})(?:{mark}[0-9]*)?|{mark}[0-9]+)$"
        return pc.match_substring_regex(self.core, pattern).fill_null(fill_value=False)


@attrs.frozen
class _Decision:
    """The decimal mark of a column, or what to ask a person."""

    decimal: Decimal
    confidence: Confidence
    question: str = ""


def numbers(
    cells: pa.Array,
    conventions: Conventions,
    *,
    percent: Percent = "never",
    is_whole: bool = False,
    is_money: bool = False,
) -> Reading:
    """Decimal text for each cell, and the currency the cells name.

    Where only whole numbers make sense, a lone mark groups thousands; only money may name
    a currency.
    """
    filled = blank_as_null(cells)
    parts = _parts(
        filled, conventions.symbols, has_percent=percent != "never", is_money=is_money
    )
    if (
        conventions.is_canonical
        and percent != "always"
        and _is_canonical(filled, parts)
    ):
        return plain(pc.utf8_trim_whitespace(filled))
    choice = _decided(filled, parts, conventions.decimal, is_whole=is_whole)
    core = pc.if_else(parts.under(choice.decimal), parts.core, _NOTHING)
    values = _text(core, choice.decimal, parts.is_negative)
    if percent != "never":
        is_hundredth = pc.or_(parts.is_percent, percent == "always")
        values = pc.if_else(is_hundredth, _hundredth(values), values)
    if is_whole:
        values = pc.replace_substring_regex(values, r"\.0*$", "")
        values = pc.if_else(pc.match_substring(values, "."), _NOTHING, values)
    return Reading(
        values,
        pc.and_(filled.is_valid(), values.is_null()),
        how=_described(choice.decimal, parts),
        confidence="likely" if parts.assumed_signs else choice.confidence,
        hint=_HINT,
        question=choice.question,
        currency=parts.currency if parts.currency.null_count < len(cells) else None,
    )


def _is_canonical(cells: pa.Array, parts: _Parts) -> bool:
    """Whether reading in other conventions has nothing to add; the rest is judged later."""
    is_odd = pc.invert(pc.match_substring_regex(cells, _CANONICAL)).fill_null(
        fill_value=False
    )
    is_number = pc.or_(parts.under("."), parts.under(","))
    return not pc.any(pc.and_(is_odd, is_number)).as_py()


def _parts(
    cells: pa.Array, symbols: Mapping[str, str], *, has_percent: bool, is_money: bool
) -> _Parts:
    # "1.234,-" has no cents, and no minus either.
    whole = pc.replace_substring_regex(tidied(cells), _NO_CENTS, r"\1\20\3")
    found = pc.extract_regex(whole, pattern=_CELL)
    part = {field.name: pc.struct_field(found, field.name) for field in found.type}
    said = {name: pc.not_equal(text, "") for name, text in part.items()}
    signs = pc.add(
        pc.add(said["first"].cast(pa.int8()), said["second"].cast(pa.int8())),
        pc.add(said["last"].cast(pa.int8()), said["open"].cast(pa.int8())),
    )
    fits = [pc.equal(said["open"], said["close"]), pc.less_equal(signs, 1)]
    if not has_percent:
        fits.append(pc.invert(said["percent"]))
    currency, is_known, assumed_signs = codes(part["before"], part["after"], symbols)
    fits.append(
        is_known if is_money else pc.invert(pc.or_(said["before"], said["after"]))
    )
    is_good = all_true(fits)
    minus = pc.or_(pc.equal(part["first"], "-"), pc.equal(part["second"], "-"))
    negative = pc.or_(pc.or_(minus, pc.equal(part["last"], "-")), said["open"])
    return _Parts(
        pc.if_else(is_good, part["core"], _NOTHING),
        negative.fill_null(fill_value=False),
        said["percent"].fill_null(fill_value=False),
        pc.if_else(is_good, currency, _NOTHING),
        assumed_signs,
    )


def _decided(
    cells: pa.Array, parts: _Parts, setting: Decimal | None, *, is_whole: bool
) -> _Decision:
    dot, comma = parts.under("."), parts.under(",")
    only_dot, only_comma = pc.and_not(dot, comma), pc.and_not(comma, dot)
    is_dot, is_comma = pc.any(only_dot).as_py(), pc.any(only_comma).as_py()
    open_cells = pc.and_(
        dot, pc.match_substring_regex(parts.core, "[.,]").fill_null(fill_value=False)
    )
    open_cells = pc.and_(open_cells, comma)
    if is_dot and is_comma:
        return _Decision(
            setting or ".",
            "given",
            ""
            if setting
            else (
                f"writes decimals both ways ({examples(cells, only_dot)} and "
                f'{examples(cells, only_comma)}): say decimal="." or decimal=",", and the '
                "other cells are reported"
            ),
        )
    if is_dot or is_comma:
        return _Decision("." if is_dot else ",", "certain")
    if not pc.any(open_cells).as_py():
        return _Decision(".", "certain")
    if is_whole:
        return _grouped(cells, parts.core, open_cells)
    return _Decision(
        setting or ".",
        "given",
        ""
        if setting
        else (
            f"holds only cells such as {examples(cells, open_cells)}, thousands or "
            'decimals: say decimal="," or decimal="."'
        ),
    )


def _grouped(cells: pa.Array, core: pa.Array, open_cells: pa.Array) -> _Decision:
    """Counts have no decimals, so a lone mark can only group thousands."""
    marks = [
        pc.any(
            pc.and_(
                open_cells, pc.match_substring(core, mark).fill_null(fill_value=False)
            )
        ).as_py()
        for mark in ".,"
    ]
    if all(marks):
        shown = examples(cells, open_cells)
        return _Decision(
            ".", "given", f"groups thousands both ways ({shown}): write 1234"
        )
    return _Decision("," if marks[0] else ".", "likely")


def _text(core: pa.Array, decimal: Decimal, is_negative: pa.Array) -> pa.Array:
    digits = pc.replace_substring_regex(
        core, f"[ '{',' if decimal == '.' else '.'}]", ""
    )
    digits = pc.replace_substring(digits, decimal, ".")
    digits = _trimmed(pc.replace_substring_regex(digits, r"\.$", ""))
    sign = pc.if_else(is_negative, "-", "")
    signed = pc.binary_join_element_wise(sign, digits, "")
    return pc.replace_substring_regex(signed, r"^-(0(?:\.0*)?)$", r"\1")


def _hundredth(values: pa.Array) -> pa.Array:
    """The decimal point two places to the left: exact, however many digits."""
    padded = pc.replace_substring_regex(values, r"^(-?)([0-9]*)", r"\100\2")
    moved = pc.replace_substring_regex(
        padded, r"^(-?)([0-9]*)([0-9]{2})(?:\.([0-9]*))?$", r"\1\2.\3\4"
    )
    return _trimmed(moved)


def _trimmed(values: pa.Array) -> pa.Array:
    """One digit before the point at least, and no idle zero."""
    led = pc.replace_substring_regex(values, r"^(-?)\.", r"\10.")
    return pc.replace_substring_regex(led, r"^(-?)0+([0-9])", r"\1\2")


def _described(decimal: Decimal, parts: _Parts) -> str:
    currencies = pc.unique(parts.currency.drop_null()).sort().to_pylist()
    has_marks = pc.any(pc.match_substring_regex(parts.core, "[.,]")).as_py()
    mark = "decimal comma" if decimal == "," else "decimal point"
    assumed = f" ({parts.assumed_signs} taken for it)" if parts.assumed_signs else ""
    return ", ".join((*([mark] if has_marks else []), *currencies)) + assumed
