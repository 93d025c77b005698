"""How does a result become a page that opens anywhere and asks nobody for anything?

A page forbids itself all but its own style, script and pictures, by their hashes.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import cache
from html import escape
from importlib import resources

from crm_portfolio._inert import inert

__all__ = [
    "definitions",
    "disclosure",
    "document",
    "heading",
    "items",
    "page",
    "paragraph",
    "picture",
    "style",
    "table",
    "text",
]


@cache
def style() -> str:
    """What all our pages look like, in the light, in the dark and on paper."""
    file = resources.files("crm_portfolio") / "_html" / "page.css"
    return file.read_text(encoding="utf-8")


def page(title: str, parts: Iterable[str], *, lang: str) -> str:
    """A whole page, without scripts."""
    head = f"<header><h1>{text(title)}</h1></header>"
    body = "\n".join(parts)
    return document(title, f"{head}\n<main>\n{body}\n</main>", lang=lang)


def document(title: str, body: str, *, lang: str, script: str = "") -> str:
    """The page around a body; a script stands at its end and is the only one to run."""
    allowed = f"style-src {_hash(style())}"
    if script:
        allowed += f"; script-src {_hash(script)}"
        body += f"\n<script>{script}</script>"
    return (
        f'<!doctype html>\n<html lang="{escape(lang)}">\n<head>\n<meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" '
        f"content=\"default-src 'none'; {allowed}; base-uri 'none'; "
        "form-action 'none'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{text(title)}</title>\n<style>{style()}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def _hash(content: str) -> str:
    digest = hashlib.sha256(content.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def heading(title: str) -> str:
    return f"<h2>{text(title)}</h2>"


def paragraph(said: str, kind: str = "") -> str:
    role = f' class="{escape(kind)}"' if kind else ""
    return f"<p{role}>{text(said)}</p>"


def items(lines: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{text(line)}</li>" for line in lines) + "</ul>"


def picture(drawn: str) -> str:
    """A picture of ours in its frame; nothing where there is none."""
    return f"<figure>{drawn}</figure>" if drawn else ""


def disclosure(title: str, content: str, kind: str = "behind") -> str:
    """What is there on demand: by mouse, by keyboard, without a script."""
    return (
        f'<details class="{escape(kind)}"><summary>{text(title)}</summary>'
        f"{content}</details>"
    )


def definitions(pairs: Mapping[str, object]) -> str:
    """Names and values, nested ones as lists of their own."""
    rows = "".join(
        f"<dt>{text(name)}</dt><dd>{_value(value)}</dd>"
        for name, value in pairs.items()
    )
    return f"<dl>{rows}</dl>"


def table(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    head = "".join(f'<th scope="col">{text(column)}</th>' for column in columns)
    body = "".join(
        "<tr>" + "".join(_cell(row[column]) for column in columns) + "</tr>"
        for row in rows
    )
    rows_told = f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
    return f'<div class="wide" tabindex="0"><table>{rows_told}</table></div>'


def text(value: object) -> str:
    """Text from anywhere as text and nothing else."""
    return escape(inert(str(value)))


def _cell(value: object) -> str:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return (
        f'<td class="n">{_plain(value)}</td>'
        if is_number
        else f"<td>{_plain(value)}</td>"
    )


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return definitions(value)
    if isinstance(value, list | tuple) and any(isinstance(v, Mapping) for v in value):
        return "".join(_value(each) for each in value)
    if isinstance(value, list | tuple):
        return ", ".join(_plain(each) for each in value)
    return _plain(value)


def _plain(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.12g}"
    if isinstance(value, date):
        return value.isoformat()
    return text(value)
