"""Is a portfolio read where it lies in a store, and no more of it than is asked for?"""

from __future__ import annotations

import secrets
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import Any, ClassVar

import fsspec
import numpy as np
import pyarrow as pa
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from shelves import BUCKET, READS

from crm_portfolio import analyse, analysis, samples
from crm_portfolio._frames import Backend, nw, to_arrow
from crm_portfolio.errors import (
    DamagedFileError,
    RightMissingError,
    SettingsError,
    TransientError,
)
from crm_portfolio.portfolio import Portfolio

PARTS = {"opportunity": "closed_on", "revenue_line": "booked_on"}
HERE: tuple[Backend, ...] = (
    *("pandas", "polars", "pyarrow"),
    *("duckdb", "polars_lazy", "ibis"),
)
LINES = 60_000
END = 1 << 16
LONG_AGO = date(2021, 1, 1)
pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table.. is deprecated")


@pytest.fixture(scope="module")
def firm() -> Portfolio:
    return samples.firm(backend="pyarrow")


@pytest.fixture(scope="module")
def folder(firm: Portfolio, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("stored") / "book"
    firm.save(place, partitioned=PARTS)
    return place


def copied(folder: Path, address: str) -> str:
    """A folder in a store, as whoever keeps one there puts it there."""
    client, root = client_of(address)
    for each in folder.rglob("*"):
        if each.is_file():
            name = each.relative_to(folder).as_posix()
            client.pipe_file(f"{root}/{name}", each.read_bytes())
    return address


def client_of(address: str) -> tuple[Any, str]:
    if not address.startswith("s3:"):
        return fsspec.core.url_to_fs(address)
    from obstore.fsspec import FsspecStore

    store = FsspecStore("s3", skip_instance_cache=True)
    return store, address.removeprefix("s3://")


@pytest.fixture(params=["memory", "s3"])
def address(request: pytest.FixtureRequest, folder: Path) -> str:
    if request.param == "s3":
        return copied(folder, request.getfixturevalue("s3"))
    return copied(folder, f"memory://{secrets.token_hex(6)}/lake/book")


@pytest.mark.parametrize("backend", HERE)
def test_what_lies_in_a_store_says_the_same_in_every_kind_of_frame(
    firm, address, backend
):
    loaded = Portfolio.load(address, backend=backend)
    assert (loaded.id, loaded.row_counts) == (firm.id, firm.row_counts)
    for name in firm:
        order = [(each, "ascending") for each in firm[name].column_names[:1]]
        assert to_arrow(loaded[name]).sort_by(order).equals(firm[name].sort_by(order))
    found, known = (analyse(each, only=("tiers",)) for each in (loaded, firm))
    assert found["tiers"].to_dict() == known["tiers"].to_dict()


def test_from_a_store_it_can_be_taken_into_a_folder(firm, address, tmp_path):
    loaded = Portfolio.load(address)
    loaded.save(tmp_path / "here")
    firm.save(tmp_path / "known")
    for each in (tmp_path / "known").iterdir():
        assert (tmp_path / "here" / each.name).read_bytes() == each.read_bytes()
    assert loaded.at(date(2025, 11, 30)).id == firm.at(date(2025, 11, 30)).id


def test_a_folder_of_this_machine_may_be_told_as_an_address(firm, folder):
    assert Portfolio.load(folder.as_uri(), backend="duckdb").id == firm.id


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("owner.parquet", None, "missing"),
        ("owner.parquet", b"PAR1", "cut or altered"),
        ("portfolio.json", b"{", "cannot be read"),
        ("revenue_line/booked_on_year=2025/part-00000.parquet", None, "missing"),
    ],
)
def test_a_file_in_a_store_that_is_not_the_one_that_was_saved_is_named(
    address, name, content, said
):
    client, root = client_of(address)
    if content is None:
        client.rm_file(f"{root}/{name}")
    else:
        client.pipe_file(f"{root}/{name}", content)
    with pytest.raises(DamagedFileError, match=said) as caught:
        Portfolio.load(address)
    assert caught.value.file == f"{client.unstrip_protocol(root)}/{name}"


def test_a_place_without_a_portfolio_is_told_as_such(address):
    with pytest.raises(SettingsError, match=r"there is no folder .*/gone: "):
        Portfolio.load(f"{address}/gone")
    with pytest.raises(SettingsError, match=r"has no portfolio.json"):
        Portfolio.load(f"{address}/revenue_line")


def test_what_cannot_be_reached_says_what_to_mend(s3, monkeypatch):
    with pytest.raises(SettingsError, match="there is no such bucket"):
        Portfolio.load("s3://nobody-has-this/book")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    with pytest.raises(RightMissingError, match=r"refuses this login.*list and read"):
        Portfolio.load(s3)


def test_a_store_that_does_not_answer_is_asked_again_later(folder, monkeypatch):
    address = f"memory://{secrets.token_hex(6)}/book"
    copied(folder, address)

    def gone(*_: object, **__: object) -> None:
        raise ConnectionError(104, "reset by peer")

    loaded = Portfolio.load(address)
    monkeypatch.setattr(MemoryFileSystem, "find", gone)
    with pytest.raises(TransientError, match="reset by peer"):
        Portfolio.load(address)
    monkeypatch.setattr(MemoryFileSystem, "_open", gone)
    with pytest.raises(TransientError, match="reset by peer"):
        loaded.arrow("account")


def test_a_login_that_may_only_read_is_enough(firm, folder, s3, monkeypatch):
    copied(folder, s3)
    for name, value in READS.items():
        monkeypatch.setenv(name, value)
    loaded = Portfolio.load(s3, backend="duckdb")
    assert to_arrow(loaded["account"]).equals(firm["account"])


@pytest.mark.parametrize(
    ("address", "said"),
    [
        (f"s3://key:secret@{BUCKET}/book", "must not hold a login"),
        ("nothing-known://a/book", "fsspec does not know nothing-known://"),
    ],
)
def test_an_address_that_cannot_be_is_refused(address, said):
    with pytest.raises(SettingsError, match=said) as caught:
        Portfolio.load(address)
    assert "secret" not in str(caught.value)


def test_a_portfolio_is_not_written_to_a_store(firm):
    with pytest.raises(SettingsError, match="copy the folder there whole"):
        firm.save("memory://somewhere/book")


class Counting(MemoryFileSystem):
    """A store that knows how much of each file was read, but for its end.

    There it is told where its rows are, which engines read in one go with what is near.
    """

    protocol = "counting"
    read: ClassVar[Counter[str]] = Counter()

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        return super()._strip_protocol(path.replace("counting://", "memory://", 1))

    def _open(self, path: str, *args: Any, **how: Any) -> Any:
        file, counted = super()._open(path, *args, **how), self.read

        class Told:
            def read(self, *size: int) -> bytes:
                left = len(file.getbuffer()) - END - file.tell()
                content = file.read(*size)
                counted[path] += max(0, min(len(content), left))
                return content

            def __getattr__(self, name: str) -> Any:
                return getattr(file, name)

            def __enter__(self) -> Any:
                return self

            def __exit__(self, *_: object) -> None:
                file.close()

        return Told()


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Five years of revenue, in a store that counts."""
    place = tmp_path_factory.mktemp("long") / "book"
    at = np.arange(LINES)
    lines = pa.table(
        {
            "line_id": [f"L{each * 7 % LINES:06}" for each in at.tolist()],
            "account_id": ["A"] * LINES,
            "booked_on": [LONG_AGO + timedelta(days=int(each)) for each in at % 1_800],
            "amount": np.sqrt(at).round(2),
        }
    )
    account = pa.table({"account_id": ["A"]})
    as_of = date(2026, 6, 30)
    made = Portfolio.from_frames(
        as_of=as_of, currency="EUR", account=account, revenue_line=lines
    )
    made.save(place, partitioned={"revenue_line": "booked_on"})
    fsspec.register_implementation("counting", Counting, clobber=True)
    return copied(place, f"counting://{secrets.token_hex(6)}/book")


@pytest.mark.parametrize("backend", ["duckdb", "polars_lazy"])
def test_who_asks_for_a_year_reads_no_rows_of_the_others(long, backend):
    loaded = Portfolio.load(long, backend=backend)
    Counting.read.clear()
    rows = nw.from_native(loaded["revenue_line"]).lazy()
    of_a_year = rows.filter(
        nw.col("booked_on") >= date(2024, 1, 1), nw.col("booked_on") < date(2025, 1, 1)
    )
    count = of_a_year.select(nw.len(), nw.col("line_id").max())
    assert to_arrow(nw.to_native(count))[0][0].as_py() > LINES // 6
    read = {path for path, count in Counting.read.items() if count}
    (only,) = read
    assert "/booked_on_year=2024/" in only
    assert Counting.read.keys() > read  # the ends of the others


def test_a_portfolio_is_loaded_without_its_rows(long):
    Counting.read.clear()
    loaded = Portfolio.load(long, backend="duckdb")
    assert loaded.row_counts["revenue_line"] == LINES
    assert len(loaded.id) == 64
    assert not any(Counting.read.values())
    to_arrow(loaded["revenue_line"])
    assert any(Counting.read.values())


SAYS = "https://store.example/?sig=not-to-be-shown"


class _Failing(MemoryFileSystem):
    """A store that, after so many files, refuses in words that nobody may see."""

    protocol = "failing"
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    left = 1_000_000
    error: type[Exception] = ConnectionError

    def _open(self, path: str, *given: Any, **named: Any) -> Any:
        _Failing.left -= 1
        if _Failing.left < 0:
            raise _Failing.error(SAYS)
        return super()._open(path, *given, **named)


@pytest.fixture
def failing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    fsspec.register_implementation("failing", _Failing, clobber=True)
    monkeypatch.setattr(_Failing, "left", 1_000_000)
    monkeypatch.setattr(_Failing, "error", ConnectionError)
    return copied(folder, f"failing://{secrets.token_hex(6)}/book")


@pytest.mark.parametrize(
    ("raised", "told", "said"),
    [
        (ConnectionError, TransientError, "cannot be read now"),
        (TimeoutError, TransientError, "cannot be read now"),
        (PermissionError, RightMissingError, "refuses this login"),
    ],
)
@pytest.mark.parametrize("backend", HERE)
def test_a_store_that_begins_to_refuse_is_told_as_such_and_not_in_its_words(
    backend: Backend,
    raised: type[Exception],
    told: type[Exception],
    said: str,
    failing: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_Failing, "error", raised)
    met = []
    for files in (0, 3, 12, 40):
        _Failing.left = 1_000_000
        book = Portfolio.load(failing, backend=backend)
        _Failing.left = files
        try:
            analysis.lost_opportunities(book)
        except told as error:
            met.append(str(error))
    assert met
    for words in met:
        assert said in words
        assert "failing://" in words or "a file of these tables" in words
        assert "None" not in words
        assert SAYS not in words


@pytest.mark.parametrize("backend", HERE)
def test_a_file_that_goes_after_the_load_is_named(
    backend: Backend, failing: str
) -> None:
    book = Portfolio.load(failing, backend=backend)
    root = failing.removeprefix("failing://")
    for path in [name for name in _Failing.store if root in name]:
        if "/opportunity" in path and path.endswith(".parquet"):
            del _Failing.store[path]
    with pytest.raises(
        DamagedFileError, match=r"opportunity.*\.parquet: it is missing"
    ):
        analysis.lost_opportunities(book)


@pytest.mark.parametrize("backend", ["duckdb", "polars_lazy", "ibis"])
def test_a_file_of_this_machine_that_goes_while_it_is_read_is_named(
    backend: Backend, firm: Portfolio, tmp_path: Path
) -> None:
    firm.save(tmp_path / "book")
    rows = Portfolio.load(tmp_path / "book", backend=backend)["opportunity"]
    (tmp_path / "book" / "opportunity.parquet").unlink()
    with pytest.raises(DamagedFileError, match=r"opportunity\.parquet: it is missing"):
        to_arrow(rows)


def test_what_is_wrong_with_a_frame_itself_stays_what_it_was() -> None:
    duckdb = pytest.importorskip("duckdb")
    with pytest.raises(duckdb.Error, match="Could not convert"):
        to_arrow(duckdb.sql("SELECT CAST('word' AS INTEGER)"))
