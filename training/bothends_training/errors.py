"""The error of a recipe that can't be followed, which any part of a training run raises."""

from bothends.errors import BothendsError


class RecipeError(BothendsError):
    """A recipe can't be followed: a key is wrong, or a file or package that it names isn't there."""
