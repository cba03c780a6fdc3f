"""Answers about files add up to an exit code and one line."""

from typing import Any

import pytest

from bothends.bulk.ray.summary import RunSummary
from bothends.errors import FileError, SettingsError
from tests.bulk.ray.plans import plan

WHOLE = {"model": "toy 1.0", "was_there": False, "rows": 30, "before": 10, "bad_rows": 2, "cut": 1}
WAS_THERE = WHOLE | {"was_there": True, "before": 30, "bad_rows": 0, "cut": 0}
BLANK = WHOLE | {"bad_rows": 30}
WRONG_SETTING = {"problem": "out/a is there already", "is_setting": True}
BROKEN_FILE = {"problem": "in/a is broken", "is_setting": False}


def summed(*answers: dict[str, Any]) -> RunSummary:
    summary = RunSummary(plan("in", "out"))
    for answer in answers:
        summary.add(answer)
    return summary


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        ([WHOLE, WAS_THERE], 0),
        ([WHOLE, BLANK], 0),
        ([BLANK, BLANK], 1),
        ([BLANK, WRONG_SETTING], 2),
        ([WHOLE, WRONG_SETTING], 2),
        ([WRONG_SETTING, BROKEN_FILE], 1),
        ([BROKEN_FILE], 1),
    ],
)
def test_the_exit_code_is_that_of_one_file(answers: list[dict[str, Any]], code: int) -> None:
    """2 where settings alone were wrong, 1 where any file was, or no row of all has a vector."""
    summary = summed(*answers)
    assert summary.exit_code == code
    assert ("nothing was embedded" in summary.line(1)) == (WHOLE not in answers and BLANK in answers)


@pytest.mark.parametrize(("is_setting", "kind"), [(True, SettingsError), (False, FileError)])
def test_the_first_fatal_answer_ends_the_run(is_setting: bool, kind: type[Exception]) -> None:
    """The error names the node where that is at fault, and counts for no file."""
    first = {"problem": "no model", "is_setting": is_setting, "is_fatal": True, "node": "n1"}
    summary = summed(first, first | {"problem": "another"})
    assert type(summary.fatal) is kind
    assert str(summary.fatal) == ("no model" if is_setting else "node n1: no model")
    assert (summary.files, summary.exit_code) == (0, 0)
