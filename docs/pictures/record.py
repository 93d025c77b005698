"""How does the demonstration look in a terminal? Run it, and draw what it printed.

    python docs/pictures/record.py

writes `demo.svg` beside this file: the real output of `crm-portfolio demo`, with its
colours, scrolling. What differs from run to run (a port, an id, a moment) is drawn the same
each time, so that the picture changes only when the demonstration does.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

from rich.cells import cell_len
from rich.color import Color
from rich.style import Style
from rich.terminal_theme import DIMMED_MONOKAI as COLOURS
from rich.text import Text

PICTURE: Final = Path(__file__).with_name("demo.svg")
COMMAND: Final = ("crm-portfolio", "demo", "--keep", "demo-files")
COLUMNS: Final = 80
_ROWS: Final = 34  # as many as are seen at once
_STEP_ROWS, _STEP_SECONDS, _HOLD_SECONDS = 6, 1.6, 6.0
_CELL, _LINE, _EDGE, _BAR = 8.4, 18, 16, 34
_PAPER, _INK, _FAINT = "#101418", "#e4e7ea", 0.62
_CHANGING: Final = (
    (re.compile(r"127\.0\.0\.1:\d{4,5}"), "127.0.0.1:41793"),
    (re.compile(r"\b(Plan|Run) [0-9a-f]{12}\b"), r"\1 2cdd050b6137"),
    (re.compile(r"\b\d{4}-\d\d-\d\d \d\d:\d\d UTC"), "2026-07-01 02:00 UTC"),
)


def environment() -> dict[str, str]:
    """The program is on the path and the screen has 80 columns."""
    places = (str(Path(sys.executable).parent), os.environ["PATH"])
    kept = {name: v for name, v in os.environ.items() if name != "NO_COLOR"}
    return {
        **kept,
        "COLUMNS": str(COLUMNS),
        "PATH": os.pathsep.join(places),
        "PYTHONUTF8": "1",
        "TERM": "xterm-256color",
    }


def steady(printed: str) -> list[str]:
    """The lines, with what changes from run to run made the same."""
    for changing, same in _CHANGING:
        printed = changing.sub(same, printed)
    return [line.rstrip() for line in printed.splitlines()]


def at_a_terminal() -> str:
    """What the demonstration prints to somebody who watches, colours and all."""
    import pty

    ours, theirs = pty.openpty()
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(
            COMMAND,
            cwd=folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=subprocess.DEVNULL,  # bars would be drawn over each other
        ) as process,
    ):
        os.close(theirs)
        told = b"".join(_pieces(ours))
    os.close(ours)
    if process.returncode:
        raise SystemExit(f"the demonstration ended with {process.returncode}")
    return told.decode().replace("\r\n", "\n")


def _pieces(ours: int) -> list[bytes]:
    pieces = []
    while True:
        try:
            piece = os.read(ours, 65_536)
        except OSError:  # Linux says so when the other end is closed
            return pieces
        if not piece:
            return pieces
        pieces.append(piece)


def drawn(lines: Sequence[str]) -> str:
    """The lines as one picture; it scrolls where the reader has nothing against it."""
    width = COLUMNS * _CELL + 2 * _EDGE
    height = _ROWS * _LINE + _BAR + _EDGE
    prompt = f"$ {' '.join(COMMAND[:2])}"
    rows = [Text(prompt, style="bold"), Text(), *map(Text.from_ansi, lines)]
    text = "\n".join(_row(row, at) for at, row in enumerate(rows))
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height}" role="img">
<title>crm-portfolio demo, in a terminal</title>
<style>
text {{ font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; white-space: pre; fill: {_INK} }}
@media (prefers-reduced-motion: no-preference) {{ .roll {{ animation: roll {_seconds(len(rows)):g}s step-end infinite }} }}
@keyframes roll {{ {_keyframes(len(rows))} }}
</style>
<rect width="100%" height="100%" rx="8" fill="{_PAPER}"/>
<circle cx="20" cy="17" r="5" fill="#e8695f"/><circle cx="38" cy="17" r="5" fill="#e5b94e"/><circle cx="56" cy="17" r="5" fill="#63b966"/>
<svg x="{_EDGE}" y="{_BAR}" width="{COLUMNS * _CELL:g}" height="{_ROWS * _LINE}">
<g class="roll">
{text}
</g>
</svg>
</svg>
"""


def _offsets(count: int) -> list[int]:
    """How far the lines have moved up, step by step."""
    last = max(0, count - _ROWS)
    return [*range(0, last, _STEP_ROWS), last]


def _seconds(count: int) -> float:
    return len(_offsets(count)) * _STEP_SECONDS + _HOLD_SECONDS


def _keyframes(count: int) -> str:
    share = 100 * _STEP_SECONDS / _seconds(count)
    return " ".join(
        f"{at * share:.2f}% {{ transform: translateY({-rows * _LINE}px) }}"
        for at, rows in enumerate(_offsets(count))
    )


def _row(row: Text, at: int) -> str:
    """A line; each column of it has its own place, whichever way its text is written."""
    pieces, column = [], 0
    for piece in row.divide(sorted({p for s in row.spans for p in (s.start, s.end)})):
        style = _style(piece)
        for words in re.finditer(r"[^ ]+(?: [^ ]+)*", piece.plain):
            x = (column + cell_len(piece.plain[: words.start()])) * _CELL
            pieces.append(f'<tspan x="{x:g}"{style}>{escape(words[0])}</tspan>')
        column += cell_len(piece.plain)
    return f'<text y="{(at + 1) * _LINE - 4}">{"".join(pieces)}</text>'


def _style(piece: Text) -> str:
    found = Style.combine(
        [Style.parse(str(s.style)) for s in piece.spans] or [Style.null()]
    ) + (piece.style if isinstance(piece.style, Style) else Style.parse(piece.style))
    told = ' font-weight="bold"' if found.bold else ""
    told += f' opacity="{_FAINT}"' if found.dim else ""
    return told + (f' fill="{_hex(found.color)}"' if found.color else "")


def _hex(colour: Color) -> str:
    return colour.get_truecolor(COLOURS).hex


def text_of(picture: str) -> list[str]:
    """The lines that a picture shows, below the command."""
    rows = re.findall(r"<text y=\"\d+\">(.*?)</text>", picture)
    return [_plain(row) for row in rows][2:]


def _plain(row: str) -> str:
    """The runs of a row at their columns."""
    line = ""
    for x, said in re.findall(r'<tspan x="([\d.]+)"[^>]*>(.*?)</tspan>', row):
        piece = said.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
        line += " " * (round(float(x) / _CELL) - cell_len(line)) + piece
    return line.rstrip()


if __name__ == "__main__":
    PICTURE.write_text(drawn(steady(at_a_terminal())), encoding="utf-8")
