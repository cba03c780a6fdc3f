"""examples/cluster.py sorts lines by topic, and draws them."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from matplotlib import color_sequences
from PIL import Image

from .conftest import Run, output
from .notes import LINES, NOTES, TOPICS


@pytest.mark.slow
def test_clusters_are_the_planted_topics(run: Run, tmp_path: Path) -> None:
    """Nine of ten lines lie with their topic; the picture shows a colour for each."""
    printed = output(run("cluster.py", NOTES, "--lines", "1000", "--plot", "clusters.png"))
    clusters = [group.splitlines() for group in printed.strip().split("\n\n")[:-1]]
    assert printed.endswith("\n\nThe picture is in clusters.png\n")
    topic_of = {line: number for number, topic in enumerate(TOPICS) for line in topic}
    largest = []
    for number, (head, *lines) in enumerate(clusters, start=1):
        assert head == f"{number}: {len(lines)} lines"
        largest.append(Counter(topic_of.pop(line.strip()) for line in lines).most_common(1)[0])
    assert topic_of == {}  # each line stands once
    assert {topic for topic, _ in largest} == set(range(8))
    assert sum(count for _, count in largest) / len(LINES) > 0.85
    with Image.open(tmp_path / "clusters.png") as picture:
        assert picture.format == "PNG"
        assert min(picture.size) > 600
        pixels = np.asarray(picture.convert("RGB"))
    for colour in color_sequences["tab10"][:8]:
        pixels_of_it = (pixels == np.rint(255 * np.array(colour))).all(axis=2).sum()
        assert pixels_of_it > 28 * 20  # so many points, of so many pixels
