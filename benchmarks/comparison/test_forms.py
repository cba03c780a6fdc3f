"""The forms in which callers send sentences: where each is measured, and by what flags and port."""

from typing import Any, cast

from loads import PEAK, unary, wide
from results import FLOAT32, INT8, ours
from servers import Server

from .forms import BASE64, FORMS, SHORTER, forms_at


def server(engine: str | None) -> Server:
    """A server of a process that nothing is asked of."""
    return Server(
        "x" if engine is None else ours(engine), cast("Any", None), 1, dimension=512, engine=engine, http_port=2
    )


def test_each_form_is_measured_where_a_bar_is_set_on_it() -> None:
    """HTTP at each load of single sentences in both engines; options where they are compared; nothing of mosec."""
    counts = {
        (engine, load.name): len(forms_at(server(engine), load))
        for engine in (FLOAT32, INT8, None)
        for load in (unary(1), unary(8), PEAK, wide(4))
    }
    assert [count for (engine, _), count in counts.items() if engine == FLOAT32] == [4, 4, 4, 0]
    assert [count for (engine, _), count in counts.items() if engine == INT8] == [7, 4, 4, 0]
    assert not any(count for (engine, _), count in counts.items() if engine is None)


def test_a_form_goes_to_the_port_of_its_protocol() -> None:
    """Answers are as long as the numbers that are asked for."""
    found = {form.name: form.on(server(INT8)) for form in FORMS}
    assert {name for name, each in found.items() if each.port == 2} == {
        *(BASE64.name, "/v1/embeddings float", "/embed", "/api/embed"),
    }
    assert found["dimensions"].dimension == SHORTER
    assert found["normalize"].flags == ("--normalize", "1")
    assert found[BASE64.name].name == f"{ours(INT8)}, {BASE64.name}"
