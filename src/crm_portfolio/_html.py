"""How does a result become a page that opens anywhere and runs nothing?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from html import escape

from crm_portfolio._inert import inert

__all__ = ["definitions", "heading", "items", "page", "table"]

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;color:#222;max-width:70rem;margin:2rem auto;
padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2rem}
table{border-collapse:collapse;font-size:.85rem}
th,td{padding:.2rem .6rem;border-bottom:1px solid #ddd;text-align:left;
vertical-align:top}
td.n{text-align:right;font-variant-numeric:tabular-nums}
dt{font-weight:600}dd{margin:0 0 .4rem 0}svg{max-width:100%;height:auto}
"""


def page(title: str, parts: Iterable[str], *, lang: str) -> str:
    """A whole page, without scripts and without anything from elsewhere."""
    body = "\n".join(parts)
    return (
        f'<!doctype html>\n<html lang="{escape(lang)}">\n<head>\n<meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">\n"
        f"<title>{text(title)}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n<h1>{text(title)}</h1>\n{body}\n</body>\n</html>\n"
    )


def heading(title: str) -> str:
    return f"<h2>{text(title)}</h2>"


def items(lines: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{text(line)}</li>" for line in lines) + "</ul>"


def definitions(pairs: Mapping[str, object]) -> str:
    """Names and values, nested ones as lists of their own."""
    rows = "".join(
        f"<dt>{text(name)}</dt><dd>{_value(value)}</dd>" for name, value in pairs.items()
    )
    return f"<dl>{rows}</dl>"


def table(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    head = "".join(f"<th>{text(column)}</th>" for column in columns)
    body = "".join(
        "<tr>" + "".join(_cell(row[column]) for column in columns) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def text(value: object) -> str:
    """Text from anywhere as text and nothing else."""
    return escape(inert(str(value)))


def _cell(value: object) -> str:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return f'<td class="n">{_plain(value)}</td>' if is_number else f"<td>{_plain(value)}</td>"


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
