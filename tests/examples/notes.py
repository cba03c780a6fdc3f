"""The contents of examples/data/notes.txt: topics, and lines that are said again in other words."""

from tests.support.paths import ROOT

EXAMPLES = ROOT / "examples"
NOTES = EXAMPLES / "data" / "notes.txt"
TOPICS = [paragraph.splitlines() for paragraph in NOTES.read_text(encoding="utf-8").strip().split("\n\n")]
LINES = [line for topic in TOPICS for line in topic]
REPEATED = [(0, 3, 5), (0, 5, 13), (4, 5, 25), (0, 1, 5), (0, 3, 1), (0, 1, 7), (0, 1, 8), (0, 1, 6)]
"""The lines of each paragraph that its last three say again."""


def planted() -> dict[str, set[str]]:
    """Return each line that is said again, and how."""
    groups: dict[str, set[str]] = {}
    for topic, repeated in zip(TOPICS, REPEATED, strict=True):
        for row, again in zip(repeated, topic[-3:], strict=True):
            groups.setdefault(topic[row], set()).add(again)
    return groups
