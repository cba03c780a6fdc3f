"""The transport is a part of bothends-native that a build may lack."""

import importlib
import sys

import pytest

pytest.importorskip("bothends_native", reason="bothends-native isn't built (make native)")


def test_a_build_without_it_says_what_was_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Importing it is an ImportError of one line that names Debian's packages."""
    monkeypatch.delitem(sys.modules, "bothends_native.transport", raising=False)
    monkeypatch.setitem(sys.modules, "bothends_native._transport", None)
    with pytest.raises(ImportError) as refused:
        importlib.import_module("bothends_native.transport")
    assert str(refused.value) == (
        "bothends-native was built without its transport: this isn't Linux, libssl-dev or zlib1g-dev was missing, "
        "or nghttp2, llhttp and yyjson were neither here in releases that will do nor could be fetched"
    )
