"""Faults are put where they are said to be, and each room that they are put into has tests."""

from tests.mutation.mutants import faults
from tests.mutation.rooms import ROOMS
from tests.support.paths import ROOT


def test_each_fault_that_was_written_down_fits_the_code() -> None:
    """Code that faults.toml names was changed without it: mend the entry, or delete it with what it broke."""
    files = {file for room in ROOMS.values() for file in room.files()}
    misfits = [
        f"{fault['file']}: {fault['what']}"
        for fault in faults()
        if fault["file"] not in files or (ROOT / fault["file"]).read_text("utf-8").count(fault["old"]) != 1
    ]
    assert misfits == []


def test_each_room_has_code_and_tests() -> None:
    assert [name for name, room in ROOMS.items() if not (room.files() and room.tests_for("", ROOT))] == []
