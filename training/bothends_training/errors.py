"""Error for a recipe that can't be followed, which any part of a training run may raise."""

from bothends.errors import BothendsError


class RecipeError(BothendsError):
    """Recipe that can't be followed: a key is wrong, or a file or package that it names doesn't exist."""
