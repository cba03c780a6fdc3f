"""Files that want to run code: none of it runs when the file is opened."""

from pathlib import Path

import pytest
import torch

from bothends_importing.readers.file import open_weights

from .hostile import CARRIERS, PAYLOADS, refusal


@pytest.mark.parametrize(
    ("carrier", "payload"),
    [*((carrier, "os.system") for carrier in CARRIERS), *(("zip", payload) for payload in PAYLOADS)],
)
def test_nothing_in_a_file_runs(tmp_path: Path, carrier: str, payload: str) -> None:
    marker = tmp_path / "marker"
    make, named = PAYLOADS[payload]
    CARRIERS[carrier](make(marker), tmp_path / "w.pt")
    text = refusal(tmp_path / "w.pt")
    assert named in text
    assert "state_dict()" in text
    assert not marker.exists()


def test_a_pickle_inside_of_a_zip_archive_s_record_stays_bytes(tmp_path: Path) -> None:
    """A record of numbers may hold a whole hostile archive: it is read as numbers."""
    marker = tmp_path / "marker"
    CARRIERS["zip"](PAYLOADS["os.system"][0](marker), tmp_path / "inner.pt")
    content = (tmp_path / "inner.pt").read_bytes()
    numbers = torch.frombuffer(bytearray(content[: len(content) // 4 * 4]), dtype=torch.float32).nan_to_num(0, 0, 0)
    torch.save({"w": numbers}, tmp_path / "w.pt")
    open_weights(tmp_path / "w.pt")
    assert not marker.exists()
