"""Command line, for `python -m bothends`."""

from .cli.main import run

if __name__ == "__main__":
    run(prog_name="python -m bothends")
