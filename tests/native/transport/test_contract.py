"""What is declared in C++ for Python: the stubs that type it, and what Python calls by the same names."""

import ast
from pathlib import Path
from typing import Any

import pytest
from bothends_native import _transport, engine, transport, wordpiece

from bothends.observe.scrape import COUNTERS, GAUGES
from bothends.server.grpc.contract import Reason

from .served import Served


def stubbed(tree: ast.Module | ast.ClassDef) -> set[str]:
    """Public names that a stub has of a module or a class."""
    found = set()
    for node in tree.body:
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.AnnAssign(target=ast.Name(id=name)):
                found.add(name)
            case ast.Assign(targets=[ast.Name(id=name)]):
                found.add(name)
    return {name for name in found if not name.startswith("_")}


def there(of: object) -> set[str]:
    """Public names that a compiled module or class has."""
    return {name for name in vars(of) if not name.startswith("_")}


@pytest.mark.parametrize("found", [_transport, engine, wordpiece], ids=lambda found: found.__name__)
def test_stub_and_module_have_the_same_names(found: Any) -> None:
    """The transport's stub is written as it is built; the others are written by hand."""
    path = Path(found.__file__).with_name(found.__name__.rpartition(".")[2] + ".pyi")
    if not path.exists():
        pytest.skip("modules that are built for sanitizers have no stubs")
    stub = ast.parse(path.read_text())
    public = set(getattr(found, "__all__", there(found)))
    assert stubbed(stub) >= public
    for node in stub.body:
        if isinstance(node, ast.ClassDef) and node.name in public:
            assert stubbed(node) == there(getattr(found, node.name)), node.name


def test_each_refusal_has_a_reason() -> None:
    assert [refusal.name for refusal in transport.Refusal] == [reason.name for reason in Reason]


def test_each_metric_is_a_figure() -> None:
    served = Served()
    figures = served.transport.figures()
    assert {*GAUGES, *COUNTERS} <= set(figures)
    assert set(served.transport.bounds()) <= set(GAUGES)
    served.stop()


def test_an_unknown_limit_and_a_missing_status_are_errors() -> None:
    limits: Any = transport.Limits
    with pytest.raises(TypeError, match="no such limit"):
        limits(max_hedaers=1)
    with pytest.raises(ValueError, match="no status for no_key"):
        transport.Transport([], [], headers=[], health=[], statuses={}, limits=limits(), max_wait=1)
