"""Checks and texts that every room uses."""

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bothends.text import printable
from bothends.validation import grow_within, one_line


class Server(BaseModel):
    """A part of a configuration file."""

    model_config = ConfigDict(extra="forbid")

    port: int = Field(lt=65536)
    names: list[str] = []


class Config(BaseModel):
    """A configuration file."""

    server: Server


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ({"server": {"port": 70000}}, "server.port: Input should be less than 65536, found 70000"),
        ({"server": {}}, "server.port: Field required"),
        ({"server": {"port": 1, "prot": 2}}, "server.prot: Extra inputs are not permitted"),
        (
            {"server": {"port": 70000, "names": ["a", 1]}},
            "server.port: Input should be less than 65536, found 70000 (and 1 more)",
        ),
    ],
)
def test_an_error_of_pydantics_is_one_line(content: dict[str, object], line: str) -> None:
    """The line names the key, what is wrong and what was found."""
    with pytest.raises(ValidationError) as refused:
        Config.model_validate(content)
    assert one_line(refused.value) == line


def test_a_line_shows_no_control_characters_and_is_short() -> None:
    """Keys and values come from files that are not trusted, and go to logs and terminals."""
    with pytest.raises(ValidationError) as refused:
        Server.model_validate({"port": 1, "\x1b[31mred\n": 1})
    assert one_line(refused.value).isprintable()
    assert (
        printable("a\x1b[31m\nb\u202e")
        == "a\N{REPLACEMENT CHARACTER}[31m\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}"
    )
    assert len(printable("x" * 10_000)) == 300


@pytest.mark.parametrize(
    ("sizes", "whole", "right"),
    [((), 8, True), ((2, 4), 8, True), ((2, 2), 8, False), ((4, 2), 8, False), ((2, 8), 8, False)],
)
def test_sizes_grow_within_the_whole(sizes: tuple[int, ...], whole: int, right: bool) -> None:
    assert grow_within(sizes, whole) is right
