"""The file of keys, and whose a key is: said without a word of either."""

import hashlib
import logging
import statistics
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from bothends.cli.main import main
from bothends.errors import StartupError, UnauthenticatedError
from bothends.server.keys import Keys, find, new
from bothends.server.quota import KeyAccount, Quota
from tests.support.doors import AT_ONCE_S, put

SECRET = "bothends_SECRETsecretSECRETsecretSECRETsecretSECRETx"  # noqa: S105  nobody's
GOOD_HASH = "0" * 64


def entry(name: str, key: str, more: str = "") -> str:
    return f'[keys.{name}]\nsha256 = "{hashlib.sha256(key.encode()).hexdigest()}"\n{more}\n'


def test_a_key_names_its_account(tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    file.write_text(entry("one", "1") + entry("two", "2", "sentences_per_s = 5\nconcurrent_sentences = 6"))
    keys = Keys(file)
    for header in ("Bearer 2", b"Bearer 2", "bearer 2", "Bearer  2 "):
        assert keys.identify(header).name == "two"
    assert keys.identify("Bearer 1").limits == Quota(None, None)
    assert keys.identify("Bearer 2").limits == Quota(5.0, 6)


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Bearer 3", "Bearer 1 2", "Basic 1", "1", "\x00", "Bearer \udc80é", b"\xff"]
)
def test_unknown_and_malformed_are_told_alike(tmp_path: Path, header: str | bytes) -> None:
    file = tmp_path / "keys.toml"
    file.write_text(entry("one", "1"))
    with pytest.raises(UnauthenticatedError, match=r"^this API key isn't known here$"):
        Keys(file).identify(header)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "No such file or directory"),
        ("", "keys: is missing"),
        (f'[keys.a]\nsha256 = "{GOOD_HASH}"\n[keys.b\n', "line 3 isn't valid TOML"),
        (f'[keys.a]\nsha256 = "{GOOD_HASH}"\n\n{SECRET}\n', "line 4 isn't valid TOML"),
        (b"\xff\xfe", "isn't UTF-8 text"),
        (f'[keys.a]\nsha256 = "{SECRET}"', "keys.a.sha256: string should match pattern"),
        (f'[keys.a]\nsha256 = "{GOOD_HASH}"\nsentences = 1', "keys.a.sentences: isn't known"),
        (f'[keys.a]\nsha256 = "{GOOD_HASH}"\n{SECRET} = 1', "keys.a.…: isn't known"),
        (f'[keys.a]\nsha256 = "{GOOD_HASH}"\nsentences_per_s = 0', "keys.a.sentences_per_s: input should be greater"),
        (f'[keys.{SECRET}]\nsha256 = "{GOOD_HASH}"', "a key's name is 1 to 32 letters, digits, - or _"),
        (f'[keys.a]\nsha256 = "{GOOD_HASH}"\n[keys.b]\nsha256 = "{GOOD_HASH}"', "keys.a and keys.b are the same key"),
    ],
)
def test_a_broken_file_is_told_by_place_and_not_by_content(
    tmp_path: Path, content: str | bytes | None, told: str
) -> None:
    file = tmp_path / "keys.toml"
    if content is not None:
        file.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(StartupError) as raised:
        Keys(file)
    message = str(raised.value)
    assert message.startswith(f"--api-keys {file}: {told}")
    assert SECRET not in message
    assert GOOD_HASH not in message
    assert "\n" not in message


def test_changes_are_seen_at_the_next_look(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Added, changed, revoked; a broken file is said once and changes nothing; who stays keeps what is in progress."""
    caplog.set_level(logging.DEBUG)
    file = tmp_path / "keys.toml"
    put(file, entry("one", "1").encode())
    keys = Keys(file, every_s=AT_ONCE_S)
    account = keys.identify("Bearer 1")
    account.take_share(3)
    put(file, (entry("one", "1", "concurrent_sentences = 4") + entry("two", SECRET)).encode())
    assert keys.identify(f"Bearer {SECRET}").name == "two"
    assert keys.identify("Bearer 1") is account
    assert account.limits == Quota(None, 4)
    put(file, f"[keys.one]\n{SECRET}".encode())
    for _ in range(3):
        assert keys.identify("Bearer 1") is account
    file.unlink()
    assert keys.identify("Bearer 1") is account
    put(file, entry("two", SECRET).encode())
    with pytest.raises(UnauthenticatedError):
        keys.identify("Bearer 1")
    errors = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert [message.split("keys.toml: ")[1] for message in errors] == [
        "its end isn't valid TOML; what was read before stays in use",
        "No such file or directory; what was read before stays in use",
    ]
    assert SECRET not in caplog.text


def test_a_new_key_is_let_in_by_its_lines(tmp_path: Path) -> None:
    """The command shows it once; what goes into the file can't be turned back into it."""
    made = CliRunner().invoke(main, ["key", "search-1"])
    assert made.exit_code == 0
    (tmp_path / "keys.toml").write_text(made.stdout)
    key = made.stderr.strip()
    assert key not in made.stdout
    assert Keys(tmp_path / "keys.toml").identify(f"Bearer {key}").name == "search-1"
    assert len({new("a")[0] for _ in range(100)}) == 100
    assert len(key) >= 52  # 43 characters of six bits hold 256
    wrong = CliRunner().invoke(main, ["key", "no spaces"])
    assert wrong.exit_code == 2
    assert "a key's name is" in wrong.output


@pytest.mark.timing
def test_finding_takes_as_long_for_any_key_and_for_none() -> None:
    """First, last, unknown, unknown but for its last byte: medians of interleaved rounds differ by little."""
    known = [(bytes(31) + bytes([number]), KeyAccount(str(number), Quota())) for number in range(200)]
    asked = {
        "first": known[0][0],
        "last": known[-1][0],
        "unknown": b"\xff" * 32,
        "alike": bytes(31) + b"\xff",
    }
    spent: dict[str, list[float]] = {name: [] for name in asked}
    for _ in range(400):
        for name, digest in asked.items():
            started = time.perf_counter()
            find(digest, known)
            spent[name].append(time.perf_counter() - started)
    medians = {name: statistics.median(times) for name, times in spent.items()}
    assert max(medians.values()) < 1.15 * min(medians.values()), medians
