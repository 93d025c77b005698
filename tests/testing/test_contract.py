"""Does the contract catch a broken connector, and by the test that is meant to?

Each fault is the connector of the how-to page with a line or two altered. The tests of the
promise that it breaks run on it; those named here, and no others, must fail.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import attrs
import pytest

from crm_portfolio.testing.contract._changes import FollowsChanges
from crm_portfolio.testing.contract._complete import Complete
from crm_portfolio.testing.contract._discreet import Discreet
from crm_portfolio.testing.contract._goes_on import GoesOn
from crm_portfolio.testing.contract._honest import Honest
from crm_portfolio.testing.contract._paced import Paced
from crm_portfolio.testing.contract._set_up import SetsUp
from crm_portfolio.testing.contract._writes import Writes

CONNECTOR = "crm_pebble/__init__.py"
TESTS = "tests/test_pebble.py"
FAILED = re.compile(
    r"^(?:FAILED|ERROR) test_(\w+)\.py::TestPebble::(\w+)", re.MULTILINE
)


@attrs.frozen
class Fault:
    """What is altered in the connector, and which tests of which promise see it."""

    promise: type
    before: str
    after: str
    seen_by: tuple[str, ...]


FAULTS: Mapping[str, Fault] = {
    "drops_a_row_at_a_page_border": Fault(
        Complete,
        'place["after"] = said["items"][-1]["id"]',
        'place["after"] = said["items"][-1]["id"] + 1',
        ("test_every_record_comes_once_and_says_what_it_holds",),
    ),
    "repeats_a_row_at_a_page_border": Fault(
        Complete,
        'place["after"] = said["items"][-1]["id"]',
        'place["after"] = said["items"][-1]["id"] - has_more',
        (
            "test_every_record_comes_once_and_says_what_it_holds",
            "test_the_model_takes_it_without_a_fault_that_stops",
        ),
    ),
    "gives_the_cursor_of_the_batch_before": Fault(
        GoesOn,
        """\
            if said["items"]:
                place["after"] = said["items"][-1]["id"]
            yield batch(table, fields, said, place)
""",
        """\
            yield batch(table, fields, said, place)
            if said["items"]:
                place["after"] = said["items"][-1]["id"]
""",
        (
            "test_it_goes_on_behind_every_batch",
            "test_behind_the_last_batch_there_is_nothing_more",
            "test_behind_its_last_batch_no_table_gives_a_row_again",
        ),
    ),
    "never_says_which_batch_is_the_last": Fault(
        Complete,
        'is_last=not said["has_more"]',
        "is_last=False",
        ("test_every_table_ends_in_one_last_batch",),
    ),
    "gives_rows_in_any_order": Fault(
        Complete,
        '[item for item in said["items"] if not item["removed_at"]], fields',
        'sorted((item for item in said["items"] if not item["removed_at"]), '
        "key=lambda _: os.urandom(8)), fields",
        ("test_two_pulls_give_the_same_rows_in_the_same_order",),
    ),
    "gives_ids_as_numbers": Fault(
        Complete,
        'Field("account_id", ("customer",), "id")',
        'Field("account_id", ("customer",), "integer")',
        ("test_every_column_is_typed_or_text",),
    ),
    "leaves_out_the_key": Fault(
        Complete,
        "[*TABLES[table].key, *columns]",
        "[*columns]",
        ("test_only_the_columns_asked_for_come_and_the_key",),
    ),
    "loses_ties_since_the_last_pull": Fault(
        FollowsChanges,
        'json.loads(since.token)["began"]\n        has_more',
        'json.loads(since.token)["began"] + "~"\n        has_more',
        (
            "test_many_changes_of_one_moment_all_come",
            "test_a_changed_account_comes_with_its_text_as_it_is",
            "test_who_was_deleted_is_told",
            "test_who_was_merged_is_told_and_into_whom",
            "test_an_increment_goes_on_behind_every_batch",
            "test_an_edit_during_a_pull_is_in_the_next_increment",
        ),
    ),
    "counts_from_the_end_of_a_pull": Fault(
        FollowsChanges,
        'place["began"] or said["now"]',
        'said["now"]',
        ("test_an_edit_during_a_pull_is_in_the_next_increment",),
    ),
    "forgets_since_when_as_it_goes_on": Fault(
        FollowsChanges,
        "place = json.loads(resume.token)",
        'place |= {**json.loads(resume.token), "since": None}',
        ("test_an_increment_goes_on_behind_every_batch",),
    ),
    "does_not_tell_who_left": Fault(
        FollowsChanges,
        "pa.Table.from_pylist(gone,",
        "pa.Table.from_pylist([],",
        (
            "test_who_was_deleted_is_told",
            "test_who_was_merged_is_told_and_into_whom",
            "test_an_increment_goes_on_behind_every_batch",
        ),
    ),
    "calls_a_merge_a_deletion": Fault(
        FollowsChanges,
        '"reason": "merged" if item["merged_into"] else "deleted"',
        '"reason": "deleted"',
        ("test_who_was_merged_is_told_and_into_whom",),
    ),
    "does_not_see_quiet_changes": Fault(
        FollowsChanges,
        "if c.is_volatile]",
        "if c.is_derived]",
        ("test_a_quiet_change_comes_to_light",),
    ),
    "reads_in_an_order_of_its_own": Fault(
        Writes,
        "[found[one] for one in ids if one in found]",
        "[*found.values()]",
        ("test_reading_keeps_the_order_and_leaves_out_who_is_not_there",),
    ),
    "writes_other_fields_too": Fault(
        Writes,
        "said = {OURS[change.column]: change.after for change in changes}",
        'said = {"x_portfolio_stamp": "ours"}\n'
        "    said |= {OURS[change.column]: change.after for change in changes}",
        ("test_nothing_else_is_touched",),
    ),
    "writes_fields_that_are_not_ours": Fault(
        Writes,
        "for field in FIELDS}",
        'for field in FIELDS} | {"name": "name"}',
        ("test_only_managed_fields_are_written",),
    ),
    "never_clears_a_field": Fault(
        Writes,
        "change.after for change in changes}",
        "change.after for change in changes if change.after is not None}",
        ("test_what_is_written_is_read_and_can_be_cleared",),
    ),
    "says_written_of_what_was_refused": Fault(
        Writes,
        'return Outcome(change, "rejected", result)',
        'return Outcome(change, "written")',
        ("test_gone_refused_and_written_are_told_apart",),
    ),
    "says_written_where_nobody_answered": Fault(
        Honest,
        'Outcome(one, "unknown", error.code)',
        'Outcome(one, "written")',
        ("test_no_answer_is_never_called_written",),
    ),
    "takes_an_empty_answer_for_nothing": Fault(
        Honest,
        'said = f"an answer without sense to {where}"',
        'return {"items": [], "has_more": False, "now": "2026-03-01T00:00:00Z"}',
        (
            "test_a_pull_outlasts_passing_trouble_at_any_call",
            "test_reading_outlasts_passing_trouble",
        ),
    ),
    "loops_on_a_401": Fault(
        Honest,
        """\
            return self._sent(verb, path, body, self._token_unless(token))
""",
        """\
            for _ in range(20):
                token = self._token_unless(token)
                try:
                    return self._sent(verb, path, body, token)
                except errors.LoginError:
                    continue
            raise
""",
        ("test_a_session_that_is_always_refused_ends_in_an_error",),
    ),
    "does_not_renew_its_session": Fault(
        Honest,
        "except errors.LoginError:",
        "except errors.RightMissingError:",
        ("test_a_session_is_renewed_once_at_any_call",),
    ),
    "goes_on_when_the_day_is_spent": Fault(
        Paced,
        "return authoring.QuotaSpentError(*said)",
        "return errors.TransientError(*said)",
        ("test_a_spent_quota_stops_at_once",),
    ),
    "ignores_the_ceiling": Fault(
        Paced,
        "ceilings=settings.ceilings",
        "ceilings=authoring.Ceilings()",
        (
            "test_a_ceiling_on_calls_is_never_crossed",
            "test_a_ceiling_holds_for_repeats_too",
        ),
    ),
    "ignores_the_pace": Fault(
        Paced,
        "settings.calls_a_second, 1.0)",
        "9_999, 1.0)",
        ("test_it_is_never_faster_than_the_crm_allows",),
    ),
    "counts_its_calls_wrongly": Fault(
        Paced,
        "return self._session.pace.calls",
        "return self._session.pace.calls // 2",
        ("test_every_call_is_counted",),
    ),
    "follows_redirects": Fault(
        Discreet,
        "allow_redirects=False",
        "allow_redirects=True",
        (
            "test_it_never_follows_to_another_host",
            "test_errors_show_no_secret",
        ),
    ),
    "leaks_the_session_in_an_error": Fault(
        Discreet,
        'f"no whole answer to {where} (',
        'f"no whole answer to {where} by {token} (',
        ("test_errors_show_no_secret",),
    ),
    "does_what_it_was_to_plan": Fault(
        SetsUp,
        "elif dry_run:",
        "elif not dry_run:",
        ("test_a_dry_run_sets_up_nothing_and_a_real_one_all",),
    ),
}


@pytest.fixture(scope="module")
def failures(
    page: Mapping[str, str],
    run_pytest: Callable[..., Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Mapping[str, set[str]]:
    """For each fault the tests of the contract that fail."""
    folder = tmp_path_factory.mktemp("faults")
    for file, text in _files(page).items():
        (folder / file).write_text(text, encoding="utf-8")
    # What connect() finds is an installed package; here there is none.
    done = run_pytest(folder, "--tb=no", "-rfE", "-k", "not connect_finds")
    assert " passed" in done.stdout, done.stdout + done.stderr
    found: dict[str, set[str]] = {name: set() for name in FAULTS}
    for name, test in FAILED.findall(done.stdout):
        found[name].add(test)
    return found


def _files(page: Mapping[str, str]) -> dict[str, str]:
    files = {"pretend_pebble.py": page["tests/pretend_pebble.py"]}
    for name, fault in FAULTS.items():
        assert page[CONNECTOR].count(fault.before) == 1, f"{name}: not on the page"
        files[f"{name}.py"] = page[CONNECTOR].replace(fault.before, fault.after)
        promise, whole = (
            fault.promise,
            "from crm_portfolio.testing import ConnectorContract",
        )
        files[f"test_{name}.py"] = (
            page[TESTS]
            .replace("from crm_pebble import", f"from {name} import")
            .replace(whole, f"from {promise.__module__} import {promise.__name__}")
            .replace("(ConnectorContract)", f"({promise.__name__})")
        )
    return files


@pytest.mark.parametrize("name", FAULTS)
def test_a_broken_connector_fails_the_test_that_is_meant_for_it(
    failures: Mapping[str, set[str]], name: str
) -> None:
    assert failures[name] == set(FAULTS[name].seen_by)
