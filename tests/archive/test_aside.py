"""Where there is no room for what is put aside, it is said where that is, and what to do."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such limit")

# The kernel refuses to let a file grow beyond so many bytes, as a full disk does.
PUT_ASIDE = """
    import resource, signal, sys
    from crm_portfolio.archive import Entry, Spool, Standing
    from crm_portfolio.errors import SettingsError
    from crm_portfolio.protocols import Change
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    def lines():
        spool = Spool()
        for _ in range(2_000):
            spool.add(bytes(1_000))

    def changes():
        standing = Standing()
        for number in range(60_000):
            entry = Entry(Change(f"{number:018}", "tier", None, "A" * 99), "written")
            standing.entries[entry.key] = entry
        standing.told()

    try:
        {"lines": lines, "changes": changes}[sys.argv[1]]()
    except SettingsError as error:
        print(error)
"""

NAMES = {"SQLITE_TMPDIR", "TMPDIR", "TEMP", "TMP"}
# Where what came of changes is put, and what is told when there is no room for more.
IN_USE = """
    import resource, signal
    from pathlib import Path
    from crm_portfolio.archive import Entry, Standing
    from crm_portfolio.errors import SettingsError
    from crm_portfolio.protocols import Change

    def put(numbers):
        for number in numbers:
            entry = Entry(Change(f"{number:018}", "tier", None, "A" * 99), "written")
            standing.entries[entry.key] = entry
        standing.told()

    standing = Standing()
    put(range(20_000))
    names = (str(each.readlink()) for each in Path("/proc/self/fd").iterdir()
             if each.is_symlink())
    print(next(Path(name).parent for name in names if "etilqs_" in name))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
    try:
        put(range(20_000, 60_000))
    except SettingsError as error:
        print(error)
"""


@pytest.mark.parametrize("what", ["lines", "changes"])
def test_it_is_said_where_room_is_to_be_made(what: str) -> None:
    command = [sys.executable, "-c", textwrap.dedent(PUT_ASIDE), what]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.startswith("temporary files cannot be written in '")
    assert "Make room there, or name another folder in TMPDIR" in done.stdout


# Two kinds of temporary files, each of which has its own way to look for a folder.
@pytest.mark.parametrize("named", ["TMPDIR", "TEMP", "SQLITE_TMPDIR"])
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="only Linux tells")
def test_the_folder_that_is_named_is_the_one_that_is_full(
    named: str, tmp_path: Path
) -> None:
    others = {key: value for key, value in os.environ.items() if key not in NAMES}
    command = [sys.executable, "-c", textwrap.dedent(IN_USE)]
    done = subprocess.run(
        command,
        check=True,
        capture_output=True,
        text=True,
        env={**others, named: str(tmp_path)},
    )
    folder, message = done.stdout.splitlines()
    assert message.startswith(f"temporary files cannot be written in '{folder}'")


ROOM_IS_MADE = """
    import resource, signal
    from crm_portfolio.archive import Spool
    from crm_portfolio.errors import SettingsError
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, resource.RLIM_INFINITY))
    spool, lines = Spool(), [b"%05d" % number + bytes(995) for number in range(2_000)]
    refused = 0
    for line in lines:
        try:
            spool.add(line)
        except SettingsError:
            refused += 1
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
    print(refused > 1, [*spool.lines(0, 2_000)] == lines)
"""


def test_once_there_is_room_all_lines_are_there_once() -> None:
    command = [sys.executable, "-c", textwrap.dedent(ROOM_IS_MADE)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout == "True True\n"
