"""Results as tables, and the part of a page that they replace."""

from pathlib import Path

import click
import pytest

import report
from results import Results


def test_the_document_changes_between_its_markers_alone(results: Results, tmp_path: Path) -> None:
    file = tmp_path / "page.md"
    file.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    text = report.markdown(results, charts=[("images/some.png", "something")])
    for _ in range(2):  # a second time changes nothing more
        report.replace_between_markers(file, text)
        written = file.read_text()
        assert written.startswith(f"before\n{report.BEGIN}\n")
        assert written.endswith(f"\n{report.END}\nafter\n")
        assert written.count("![something](images/some.png)") == 1
        assert "old" not in written


def test_a_document_without_markers_is_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "page.md"
    file.write_text(f"{report.END} {report.BEGIN}")
    with pytest.raises(click.ClickException, match="bench:begin"):
        report.replace_between_markers(file, "text")
    assert file.read_text() == f"{report.END} {report.BEGIN}"


def test_markdown_tables_have_as_many_cells_as_headings(results: Results) -> None:
    for table in report.tables(results, brief=True):
        assert {len(cells) for cells in table.rows if cells} == {len(table.headings)}
