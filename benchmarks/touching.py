"""A figure to the texts in it that lie on each other, on a line, or beyond its edge. Draws nothing."""

from collections.abc import Iterator
from itertools import combinations

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox


def touching(figure: Figure) -> list[str]:
    """Describe each text that touches another text, or one of its axes' lines, or isn't wholly on the figure."""
    figure.canvas.draw()
    placed = [(text, _box(text)) for text in _texts(figure)]
    found = [f"{one.get_text()!r} lies on {other.get_text()!r}" for (one, a), (other, b) in combinations(placed, 2)
             if a.overlaps(b)]  # fmt: skip
    found += [f"{text.get_text()!r} is cut" for text, box in placed if not _holds(figure.bbox, box)]
    for axes in figure.axes:
        for line in axes.lines:
            path = line.get_transform().transform_path(line.get_path())
            found += [f"{text.get_text()!r} lies on a line" for text in axes.texts
                      if text.get_text() and path.intersects_bbox(_box(text), filled=False)]  # fmt: skip
    return found


def _texts(figure: Figure) -> Iterator[Text]:
    """Yield what is written: titles, names, legends and those ticks that are in view."""
    yield from (text for text in figure.texts if text.get_text())
    for legend in figure.legends:
        yield from legend.get_texts()
    for axes in (*figure.axes, *(inset for each in figure.axes for inset in each.child_axes)):
        if (legend := axes.get_legend()) is not None:
            yield from (text for text in (*legend.get_texts(), legend.get_title()) if text.get_text())
        named = (child for child in axes.get_children() if isinstance(child, Text))  # its titles, too
        yield from (text for text in named if text.get_text() and text.get_visible())
        if axes.axison:
            yield from _ticks(axes)


def _ticks(axes: Axes) -> Iterator[Text]:
    axis: Axis
    for axis in (axes.xaxis, axes.yaxis):
        low, high = sorted(axis.get_view_interval())
        if axis.label.get_text():
            yield axis.label
        for place, label in zip(axis.get_majorticklocs(), axis.get_majorticklabels(), strict=True):
            if label.get_text() and low <= place <= high:
                yield label


def _box(text: Text) -> Bbox:
    return Text.get_window_extent(text)  # an annotation's own would hold its arrow


def _holds(outer: Bbox, inner: Bbox) -> bool:
    return outer.x0 <= inner.x0 and inner.x1 <= outer.x1 and outer.y0 <= inner.y0 and inner.y1 <= outer.y1
