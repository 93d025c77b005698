"""In an object store a run is as safe as on a disk, whatever is lost on the way to it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import pytest
from shelves import (
    BEGIN,
    BUCKET,
    LOGIN,
    READS,
    Answer,
    Asked,
    Between,
    Shelf,
    environment,
)

from crm_portfolio.archive import Archive, Journal, Lease
from crm_portfolio.archive._lease import folder_name, take
from crm_portfolio.errors import (
    CrmPortfolioError,
    LockHeldError,
    RightMissingError,
    SettingsError,
    TransientError,
)
from crm_portfolio.protocols import Org

ORG = Org("salesforce", "00D1", True, "EUR", "UTC")
RUN = "0a1b2c3d4e5f"
ShortRun = Callable[..., None]
Written = Callable[..., None]
posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")


@pytest.fixture
def archive(between: Between, s3: str) -> Archive:
    """In the store, through what stands between."""
    return Archive(s3)


@pytest.fixture
def direct(archive: Archive, s3_server, monkeypatch: pytest.MonkeyPatch) -> Archive:
    """The same archive, of a worker that nothing stands between."""
    for name, value in environment(s3_server.port).items():
        monkeypatch.setenv(name, value)
    return Archive(str(archive))


def lost(between: Between, *keys: str) -> list[str]:
    """Lose the answer to the first put of each key that ends so; all, if none is named."""
    hit: list[str] = []

    def act(asked: Asked, true: Callable[[], Answer]) -> Answer | None:
        answer = true()
        is_first = asked.key not in hit
        if asked.method == "PUT" and is_first and asked.key.endswith(keys or ("",)):
            hit.append(asked.key)
            return None
        return answer

    between.act = act
    return hit


class TestAnAnswerThatIsLost:
    def test_to_any_put_leaves_the_run_as_it_was_meant(
        self, archive: Archive, between: Between, short_run: ShortRun
    ) -> None:
        hit = lost(between)
        with archive.lock(ORG, RUN) as lease:
            short_run(archive, RUN)
            lease.check()
        names = Counter(key.rpartition("/")[2] for key in hit)
        assert names["index.jsonl"] == names["chain.jsonl"] == names["plan.jsonl"] == 1
        assert {f"{number:06}.json" for number in range(1, 7)} <= names.keys()
        between.act = lambda _, true: true()
        report = archive.verify()
        assert [(run.state, run.segments) for run in report.runs] == [("whole", 6)]
        assert archive.journal(RUN).counts == {
            "not_sent": 1,
            "rejected": 1,
            "written": 2,
        }

    def test_is_not_taken_for_ours_where_another_one_was_quicker(
        self, archive: Archive, between: Between, written: Written, direct: Archive
    ) -> None:
        written(archive, *BEGUN)
        after = archive.segments(RUN)[-1]
        theirs = {"send": [], "left": [], "who": "another"}

        def act(asked: Asked, true: Callable[[], Answer]) -> Answer | None:
            if asked.method == "PUT" and asked.key.endswith("000002.json"):
                between.act = lambda _, true: true()
                direct.append(RUN, "intent", theirs, after=after)
                return None
            return true()

        between.act = act
        with pytest.raises(LockHeldError, match="in the hands of another"):
            archive.append(RUN, "intent", {"send": [], "left": []}, after=after)
        assert archive.segments(RUN)[-1].content == theirs

    def test_for_good_is_found_to_have_arrived_by_the_next_try(
        self, archive: Archive, between: Between, written: Written
    ) -> None:
        written(archive, *BEGUN)
        after, content = archive.segments(RUN)[-1], {"send": [], "left": []}

        def act(asked: Asked, true: Callable[[], Answer]) -> Answer | None:
            if "conditions" not in asked.key and asked.method in ("PUT", "GET"):
                true()
                return None
            return true()

        between.act = act
        with pytest.raises(TransientError):
            archive.append(RUN, "intent", content, after=after)
        between.act = lambda _, true: true()
        # What the run says next has no place there: it is no other run that took it.
        with pytest.raises(TransientError, match="is there after all"):
            archive.append(RUN, "end", {"interrupted": "gone"}, after=after)
        found = archive.segments(RUN)
        assert [segment.kind for segment in found] == ["begin", "intent"]
        # Nobody listed it: who goes on begins anew.
        begun = archive.append(RUN, "begin", BEGIN, after=found[-1])
        archive.append(RUN, "end", {"interrupted": ""}, after=begun)
        assert archive.verify().exit_code == 0

    @pytest.mark.parametrize("file", ["chain.jsonl", "index.jsonl"])
    def test_for_good_to_a_log_does_not_stop_the_next_try_of_the_same_process(
        self, archive: Archive, between: Between, written: Written, file: str
    ) -> None:
        written(archive, *BEGUN)
        after = archive.segments(RUN)[-1]

        def act(asked: Asked, true: Callable[[], Answer]) -> Answer | None:
            answer = true()
            is_lost = asked.key.endswith(file) and asked.method in ("PUT", "GET")
            return None if is_lost else answer

        between.act = act
        with pytest.raises(TransientError):
            archive.append(RUN, "end", {"interrupted": "gone"}, after=after)
        between.act = lambda _, true: true()
        last = archive.segments(RUN)[-1]
        assert last.kind == "end"
        last = archive.append(RUN, "begin", BEGUN[0][1], after=last)
        archive.append(RUN, "end", {"interrupted": ""}, after=last)
        (run,) = archive.verify().runs
        assert (run.state, run.segments) == ("whole", 4)


BEGUN = (("begin", BEGIN),)


class TestTwoAtOnce:
    def test_one_gets_a_number(self, archive: Archive, written: Written) -> None:
        written(archive, *BEGUN)
        after = archive.segments(RUN)[-1]
        several = [Archive(str(archive)) for _ in range(6)]

        def append(at: int) -> bool:
            content = {"send": [], "left": [], "who": at}
            try:
                several[at].append(RUN, "intent", content, after=after)
            except LockHeldError:
                return False
            return True

        with ThreadPoolExecutor(len(several)) as threads:
            got = list(threads.map(append, range(len(several))))
        assert got.count(True) == 1
        segments = archive.segments(RUN)
        assert segments[1].content["who"] == got.index(True)
        assert archive.verify().exit_code == 0

    def test_lose_no_line_of_the_index_that_orgs_share(self, archive: Archive) -> None:
        several = [Archive(str(archive)) for _ in range(4)]

        def rest(at: int) -> None:
            for night in range(4):
                told = {"as_of": date(2026, 7, 1 + night), "population": at}
                several[at].note_quiet(f"night-{at}-{night}", ORG, **told)

        with ThreadPoolExecutor(len(several)) as threads:
            list(threads.map(rest, range(len(several))))
        nights = {run.run_id for run in archive.index()}
        assert nights == {f"night-{at}-{n}" for at in range(4) for n in range(4)}
        assert archive.verify().quiet_nights == 16


class TestWhatItCosts:
    def test_a_journal_is_read_with_one_request_for_each_segment_and_three_more(
        self, archive: Archive, between: Between, short_run: ShortRun
    ) -> None:
        for run in (RUN, "ffff", "eeee"):
            short_run(archive, run)
        between.asked.clear()
        journal: Journal = Archive(str(archive)).journal(RUN)
        assert journal.exit_code == 3
        told = Counter(each.key.rpartition("/")[2] for each in between.asked)
        segments = [f"{number:06}.json" for number in range(1, 7)]
        assert told == dict.fromkeys([*segments, "plan.jsonl", "chain.jsonl", ""], 1)
        assert {each.method for each in between.asked} == {"GET"}

    def test_the_runs_are_listed_with_one_request(
        self, archive: Archive, between: Between, short_run: ShortRun
    ) -> None:
        for run in (RUN, "ffff", "eeee"):
            short_run(archive, run)
        between.asked.clear()
        assert len(archive.runs()) == 3
        assert [each.key.rpartition("/")[2] for each in between.asked] == [
            "index.jsonl"
        ]

    def test_a_segment_is_two_puts_and_a_check_of_the_lease_two_looks(
        self, archive: Archive, between: Between, written: Written
    ) -> None:
        with archive.lock(ORG, RUN) as lease:
            written(archive, *BEGUN)
            after = archive.segments(RUN)[-1]
            between.asked.clear()
            for number in range(2, 7):
                lease.check()
                told = {"send": [], "left": []}
                after = archive.append(RUN, "intent", told, after=after)
                assert between.counted("PUT", f"{number:06}.json") == 1
            found = Counter(each.method for each in between.asked)
        # And one look into the index, for what follows a segment that it tells of.
        assert found == {"PUT": 2 * 5, "GET": 5 + 1, "HEAD": 5}

    def test_every_put_but_a_renewed_lease_is_under_a_condition(
        self, archive: Archive, between: Between, short_run: ShortRun
    ) -> None:
        with archive.lock(ORG, RUN):
            short_run(archive, RUN)
        bare = [e.key for e in between.asked if e.method == "PUT" and not e.conditions]
        assert bare
        assert all("/locks/" in key for key in bare)


class TestAHolder:
    def test_that_stood_still_loses_the_org_though_the_list_is_old(
        self, archive: Archive, between: Between, direct: Archive
    ) -> None:
        folder = archive.root / "locks" / folder_name(ORG)
        stopped: Lease = take(folder, ORG, "0a1b", seconds=0.2)
        known: list[Answer] = []

        def act(asked: Asked, true: Callable[[], Answer]) -> Answer:
            if asked.method == "GET" and not asked.key:
                known[:] = known or [true()]
                return known[0]
            return true()

        between.act = act
        stopped.check()
        time.sleep(0.25)
        with (
            direct.lock(ORG, "ffff"),
            pytest.raises(LockHeldError, match="run ffff") as caught,
        ):
            stopped.check()
        assert caught.value.has_begun
        assert known

    def test_that_cannot_reach_the_store_writes_nothing_more(
        self, archive: Archive, between: Between
    ) -> None:
        with archive.lock(ORG, RUN) as lease:
            between.act = lambda *_: None
            with pytest.raises(TransientError) as caught:
                lease.check()
            between.act = lambda _, true: true()
            lease.check()
        assert caught.value.exit_code == 5

    def test_that_ended_leaves_the_org_free_at_once(self, archive: Archive) -> None:
        began = time.monotonic()
        for _ in range(3):
            with archive.lock(ORG, RUN):
                pass
        assert time.monotonic() - began < 10
        assert len(Shelf(archive, "locks").files()) == 1


# Writes a run; what it is asked to hold is held between it and the store.
WRITES = """
    import sys
    from crm_portfolio.archive import Archive
    from crm_portfolio.protocols import Org
    org = Org("salesforce", "00D1", True, "EUR", "UTC")
    begin = {
        "org": {"vendor": "salesforce", "org_id": "00D1", "is_sandbox": True,
                "currency": "EUR", "time_zone": "UTC"},
        "as_of": "2026-06-30", "portfolio_id": "p1", "settings_digest": "s1",
        "library_version": "1", "population": 10, "undoes": "", "change_count": 1,
    }
    send = {"send": [["001A", "tier", None, "A"]], "left": []}
    archive = Archive(sys.argv[1])
    with archive.lock(org, "0a1b2c3d4e5f", lease_seconds=0.6):
        archive.keep_plan("0a1b2c3d4e5f", b"the plan")
        last = archive.append("0a1b2c3d4e5f", "begin", begin, after=None)
        last = archive.append("0a1b2c3d4e5f", "intent", send, after=last)
        told = {"intent": 2, "results": [["written", ""]]}
        archive.append("0a1b2c3d4e5f", "outcome", told, after=last)
        print("not reached")
"""


@posix
@pytest.mark.parametrize(
    ("key", "has_arrived", "kinds"),
    [
        ("000002.json", False, ["begin"]),
        ("000002.json", True, ["begin", "intent"]),
        ("chain.jsonl", False, ["begin"]),  # of the first segment
        ("index.jsonl", True, ["begin"]),
        ("000003.json", True, ["begin", "intent", "outcome"]),
    ],
)
def test_a_worker_killed_in_the_middle_of_a_put_leaves_a_run_to_go_on_with(
    archive: Archive,
    between: Between,
    direct: Archive,
    key: str,
    has_arrived: bool,
    kinds: list[str],
) -> None:
    is_held, is_killed = threading.Event(), threading.Event()

    def act(asked: Asked, true: Callable[[], Answer]) -> Answer | None:
        if asked.method == "PUT" and asked.key.endswith(key):
            if has_arrived:
                true()
            is_held.set()
            is_killed.wait(30)
            return None
        return true()

    between.act = act
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(WRITES), str(archive)],
        env={**os.environ, **environment(between.port)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert is_held.wait(30)
    process.send_signal(signal.SIGKILL)
    told, _ = process.communicate()
    is_killed.set()
    assert process.returncode == -signal.SIGKILL
    assert "not reached" not in told
    assert direct.verify().exit_code == 0
    time.sleep(0.7)
    with direct.lock(ORG, RUN) as lease:
        known = direct.segments(RUN)
        assert [segment.kind for segment in known] == kinds
        lease.check()
        begun = direct.append(RUN, "begin", BEGUN[0][1], after=known[-1])
        direct.append(RUN, "end", {"interrupted": ""}, after=begun)
    (run,) = direct.verify().runs
    assert (run.state, run.segments) == ("whole", len(kinds) + 2)
    assert direct.runs() == (RUN,)


class TestWhatTheStoreRefuses:
    def test_a_login_that_only_reads_is_told_so_before_anything_is_written(
        self, archive: Archive, short_run: ShortRun, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        short_run(archive, RUN)
        for name, value in READS.items():
            monkeypatch.setenv(name, value)
        reads = Archive(str(archive))
        assert reads.verify().exit_code == 0
        with pytest.raises(RightMissingError, match="403 AccessDenied") as caught:
            reads.lock(ORG).__enter__()
        assert caught.value.exit_code == 2
        assert str(archive) in str(caught.value)

    @pytest.mark.parametrize("wrong", [*LOGIN])
    def test_a_wrong_login_is_told_without_a_word_of_it(
        self, archive: Archive, monkeypatch: pytest.MonkeyPatch, wrong: str
    ) -> None:
        monkeypatch.setenv(wrong, "SECRETwJalrXUtnFEMI")
        with pytest.raises(RightMissingError) as caught:
            Archive(str(archive)).runs()
        assert caught.value.exit_code == 2
        told = "".join(traceback.format_exception(caught.value))
        for secret in ("wJalr", *LOGIN.values()):
            assert secret not in told

    def test_what_a_store_quotes_of_a_request_is_not_repeated(
        self, archive: Archive, between: Between
    ) -> None:
        quoted = (
            b"<Error><Code>SignatureDoesNotMatch</Code><AWSAccessKeyId>AKIDEXAMPLE"
            b"</AWSAccessKeyId><SignatureProvided>5d8f6c</SignatureProvided></Error>"
        )
        between.act = lambda *_: (403, [("content-type", "application/xml")], quoted)
        for call in (archive.runs, archive.lock(ORG).__enter__):
            with pytest.raises(RightMissingError, match="SignatureDoesNotM") as caught:
                call()
            told = "".join(traceback.format_exception(caught.value))
            assert "AKID" not in told
            assert "5d8f6c" not in told

    def test_a_bucket_that_is_not_there_is_named(self, between: Between) -> None:
        for call in (Archive.runs, lambda archive: archive.lock(ORG).__enter__()):
            with pytest.raises(SettingsError, match="'s3://no-such-one/crm' cannot be"):
                call(Archive("s3://no-such-one/crm"))

    @pytest.mark.parametrize("status", [500, 503, 429, None])
    def test_a_store_that_is_down_is_to_be_waited_for(
        self, archive: Archive, between: Between, status: int | None
    ) -> None:
        between.act = lambda *_: (status, [], b"") if status else None
        with pytest.raises(TransientError) as caught:
            archive.runs()
        assert caught.value.exit_code == 5
        assert caught.value.source == str(archive)
        between.act = lambda _, true: true()
        assert archive.runs() == ()

    def test_a_hiccup_is_not_noticed(
        self, archive: Archive, between: Between, short_run: ShortRun
    ) -> None:
        seen: set[tuple[str, str]] = set()

        def act(asked: Asked, true: Callable[[], Answer]) -> Answer:
            if (asked.method, asked.key) in seen:
                return true()
            seen.add((asked.method, asked.key))
            return 503, [], b""

        between.act = act
        short_run(archive, RUN)
        assert archive.verify().exit_code == 0

    @pytest.mark.parametrize("condition", ["if-none-match", "if-match"])
    def test_a_store_that_does_not_mind_conditions_is_not_used(
        self, archive: Archive, between: Between, condition: str
    ) -> None:
        def act(asked: Asked, true: Callable[[], Answer]) -> Answer:
            status, headers, content = true()
            if status == 412 and condition in asked.conditions:
                return 200, [("etag", '"x"')], b""
            return status, headers, content

        between.act = act
        with pytest.raises(SettingsError, match="If-None-Match and If-Match") as caught:
            archive.lock(ORG).__enter__()
        assert caught.value.exit_code == 2
        assert between.counted("PUT", "/locks/") == 0

    def test_http_without_its_setting_says_which(
        self, between: Between, s3: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("AWS_ALLOW_HTTP")
        with pytest.raises(SettingsError, match="AWS_ALLOW_HTTP"):
            Archive(s3).runs()

    def test_no_login_at_all_is_told_as_such(
        self, between: Between, s3: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in LOGIN:
            monkeypatch.delenv(name)
        where = f"http://127.0.0.1:{between.port}"
        monkeypatch.setenv("AWS_METADATA_ENDPOINT", where)
        with pytest.raises(CrmPortfolioError, match="no login in the environment"):
            Archive(s3).runs()


def test_its_files_are_those_of_a_folder(
    archive: Archive, short_run: ShortRun, tmp_path: Path
) -> None:
    """So it can be copied out of the store, and verified where it lies then."""
    short_run(archive, RUN)
    for file in Shelf(archive).files():
        there = tmp_path / file.path
        there.parent.mkdir(parents=True, exist_ok=True)
        there.write_bytes(file.read_bytes())
    copied = Archive(tmp_path)
    assert copied.verify().exit_code == 0
    assert copied.journal(RUN) == archive.journal(RUN)


@pytest.fixture
def many(archive: Archive) -> list[str]:
    """More objects in one place than a store lists at once."""
    names = [f"{number:06}.json" for number in range(1, 1_101)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda name: archive.root.replace(name, b"x"), names))
    return names


def test_a_list_is_read_to_its_end(archive: Archive, many: list[str]) -> None:
    assert archive.root.files() == many
    assert BUCKET not in many
