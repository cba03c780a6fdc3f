"""Places in the repository that tests read. Knows nothing of what is there."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
