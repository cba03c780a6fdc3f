"""The example of a migration: what is searched before and after the switch, and what it refuses."""

import pytest

from tests.support.serving import Running

from .conftest import Run, output, refusal
from .notes import NOTES

pytestmark = pytest.mark.slow  # starts a server of two models

DOG = "Our dog is afraid of thunder and hides under the bed."


def test_searches_go_on_until_the_switch(run: Run, served: Running) -> None:
    """By the model that was indexed first; each model's vectors stay."""
    assert "248 lines by old " in output(run("migrate.py", "index", NOTES, "--model", "old"))
    before = output(run("migrate.py", "query", "pets that are scared"))
    assert DOG in before
    assert "no vectors of new" in run("migrate.py", "switch", "new").stderr
    assert "248 lines by new " in output(run("migrate.py", "index", NOTES, "--model", "new"))
    assert output(run("migrate.py", "compare", "old", "new")).startswith("old and new agree on 10.0 of 10 nearest")
    assert output(run("migrate.py", "switch", "new")) == "searched by new from now on; back by: switch old\n"
    assert output(run("migrate.py", "query", "pets that are scared")) == before
    assert refusal(run("migrate.py", "index", NOTES, "--model", "older")).startswith(
        "Error: model 'older' isn't served"
    )
    assert DOG in output(run("migrate.py", "query", "pets that are scared", "--server", served.target))
