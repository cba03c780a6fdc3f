"""Programs that run as if some packages weren't installed."""

_HIDES = """
import sys
class No:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {packages}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, No())
"""
COMMAND_LINE = """
from bothends.cli.main import main
main()
"""


def without(*packages: str, then: str = COMMAND_LINE) -> str:
    """Return the code of a program that can import none of `packages`; it runs the command line, or `then`."""
    return _HIDES.format(packages=packages) + then
