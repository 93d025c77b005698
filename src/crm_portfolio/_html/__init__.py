"""How does a result become a page or a sheet that opens anywhere and runs nothing?"""

from __future__ import annotations

from crm_portfolio._html._page import (
    definitions,
    disclosure,
    document,
    heading,
    items,
    page,
    paragraph,
    picture,
    style,
    table,
    text,
)
from crm_portfolio._html._sheets import (
    Lines,
    csv,
    sheet_title,
    without_formulas,
    xlsx,
)

__all__ = [
    "Lines",
    "csv",
    "definitions",
    "disclosure",
    "document",
    "heading",
    "items",
    "page",
    "paragraph",
    "picture",
    "sheet_title",
    "style",
    "table",
    "text",
    "without_formulas",
    "xlsx",
]
