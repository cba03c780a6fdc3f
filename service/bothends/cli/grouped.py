"""Commands whose help shows options in groups, and rare options only on request."""

import re
from collections.abc import Callable
from typing import Any, TypeVar

import click
from click.core import ParameterSource

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])
SHOWS_ALL = "bothends.shows_all_options"
"""Key in a context's `meta`: true once the rare options are asked for too."""
_OTHERS = "Help"
"""Heading of options that name none, which come last."""
_NAMES_WIDTH = 27
"""Width of the help's first column. Longer names have a line of their own."""
_UNBROKEN = {ord(" "): 0xA0, ord("-"): 0x2011}
"""Unicode's characters for those at which the help's lines aren't to be broken."""


class GroupedOption(click.Option):
    """Option that the help shows under the heading `group`; a rare one only if all are requested."""

    def __init__(self, *args: Any, group: str, is_rare: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.group, self.is_rare = group, is_rare


def option(group: str, *names: str, **about: Any) -> Callable[[FunctionT], FunctionT]:
    """Add an option to a command, under the heading `group`. `names` and `about` are click.option's."""
    return click.option(*names, cls=GroupedOption, group=group, **about)


def options(*each: Callable[[Any], Any]) -> Callable[[FunctionT], FunctionT]:
    """Add several options, or lists of them, to a command; its help shows them in this order."""

    def add(command: FunctionT) -> FunctionT:
        for one in reversed(each):
            command = one(command)
        return command

    return add


def given(ctx: click.Context) -> set[str]:
    """Return the names of the parameters that were given on the command line."""
    return {name for name in ctx.params if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE}


class GroupedCommand(click.Command):
    """Command whose help has a heading for each group of options, in the order of their declaration."""

    def get_help(self, ctx: click.Context) -> str:
        """Return the help, with the spaces and hyphens restored at which lines may not be broken."""
        return super().get_help(ctx).translate({kept: broken for broken, kept in _UNBROKEN.items()})

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options in their groups."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            if not isinstance(parameter, click.Option):
                continue  # what an argument is, the text above says
            group, is_rare = getattr(parameter, "group", _OTHERS), getattr(parameter, "is_rare", False)
            record = parameter.get_help_record(ctx)
            if record is not None and (not is_rare or ctx.meta.get(SHOWS_ALL)):
                names, text = record
                text = re.sub(r"(?<=default:) |(?<=env:) |-", lambda found: chr(_UNBROKEN[ord(found[0])]), text)
                groups.setdefault(group, []).append((names.ljust(_NAMES_WIDTH), text))
        others = groups.pop(_OTHERS, [])
        for group, rows in [*groups.items(), (_OTHERS, others)]:
            with formatter.section(click.style(group, bold=True)):
                formatter.write_dl(rows, col_max=_NAMES_WIDTH)
