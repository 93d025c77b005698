r"""How is text from a CRM shown so that it can do nothing but be read?

``inert`` is for a terminal or a line of text, ``inert_cell`` for Markdown.
"""

from __future__ import annotations

import re
import unicodedata

__all__ = ["inert", "inert_cell"]

# Controls, format characters (marks that turn the direction of text or hide it),
# surrogates, line and paragraph separators.
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# Format characters that ordinary words need: the joiners of Indic scripts, Persian and
# emoji. They move nothing but the letters beside them.
_NEEDED = frozenset("\u200c\u200d")
_MARKDOWN = re.compile(r"([\\`*_\[\]<>|~&#!])")


def inert(text: str) -> str:
    r"""The text with every control, direction mark and line break made visible.

    Example:
        >>> inert("Acme\x1b[31m\nLtd")
        'Acme␛[31m␊Ltd'
    """
    return "".join(map(_visible, text))


def inert_cell(text: str) -> str:
    r"""The text fit for a cell of a Markdown table: also no markup, link or HTML.

    Example:
        >>> print(inert_cell("<b>A|B</b>"))
        \<b\>A\|B\</b\>
    """
    return _MARKDOWN.sub(r"\\\1", inert(text))


def _visible(character: str) -> str:
    if character in _NEEDED or unicodedata.category(character) not in _UNSAFE:
        return character
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    return "␡" if code == 0x7F else f"⟨{code:04X}⟩"
