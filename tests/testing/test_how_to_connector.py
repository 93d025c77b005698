"""Does the connector that the how-to page writes work, as it stands on the page?"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

CONNECTOR = "crm_pebble/__init__.py"
IDLE = (
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
)


def test_the_connector_of_the_page_keeps_the_contract(
    written: Callable[[Path], Path], run_pytest: Callable[..., Any], tmp_path: Path
) -> None:
    done = run_pytest(written(tmp_path), "-rs")
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.search(r"(\d+) passed", done.stdout)
    assert found is not None
    assert int(found[1]) > 70
    reasons = re.findall(r"SKIPPED \[\d+\] .*?\.py:\d+: (.*)", done.stdout)
    # Of what is written on request it need not have a field.
    others = {each for each in reasons if not each.endswith("which is on request")}
    assert others <= {
        "this connector does not inspect its set-up",
        "this connector does not say in what portions it is written",
    }


def test_it_is_shorter_than_three_hundred_lines_of_code(
    page: Mapping[str, str],
) -> None:
    read = io.StringIO(page[CONNECTOR]).readline
    lines: set[int] = set()
    for token in tokenize.generate_tokens(read):
        is_docstring = (
            token.type == tokenize.STRING and token.line.lstrip()[:3] == '"""'
        )
        if token.type not in IDLE and not is_docstring:
            lines |= {*range(token.start[0], token.end[0] + 1)}
    assert 200 < len(lines) < 300


def test_it_is_built_from_public_names_alone(page: Mapping[str, str]) -> None:
    for text in page.values():
        assert not re.search(r"crm_portfolio[.\w]*\._|import _", text)
