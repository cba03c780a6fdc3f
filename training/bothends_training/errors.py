"""The one error of a training run that its user can mend."""

from bothends.errors import BothendsError


class RecipeError(BothendsError):
    """A recipe can't be followed: a key is wrong, or a file or package that it names isn't there."""
