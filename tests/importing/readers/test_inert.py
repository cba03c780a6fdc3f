"""Files that want to run code: none of it runs when the file is opened."""

import contextlib
import pickle
from pathlib import Path

import pytest
import torch
from torch import nn

from bothends_importing.readers.file import open_weights

from .hostile import CARRIERS, PAYLOADS, refusal


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("carrier", CARRIERS)
def test_nothing_in_a_file_runs(tmp_path: Path, carrier: str, payload: str) -> None:
    marker = tmp_path / "marker"
    make, named = PAYLOADS[payload]
    CARRIERS[carrier](make(marker), tmp_path / "w.pt")
    text = refusal(tmp_path / "w.pt")
    assert named in text
    assert "state_dict()" in text
    assert not marker.exists()


@pytest.mark.parametrize("payload", PAYLOADS)
def test_the_payloads_do_run_where_pickles_are_loaded(tmp_path: Path, payload: str) -> None:
    marker = tmp_path / "marker"
    """The test above would see them."""
    with contextlib.suppress(RuntimeError):  # the hub's, of a model that isn't in its folder
        pickle.loads(pickle.dumps(PAYLOADS[payload][0](marker), protocol=2))  # noqa: S301  that is the point
    assert marker.exists()


def test_a_pickle_inside_of_a_zip_archive_s_record_stays_bytes(tmp_path: Path) -> None:
    """A record of numbers may hold a whole hostile archive: it is read as numbers."""
    marker = tmp_path / "marker"
    CARRIERS["zip"](PAYLOADS["os.system"][0](marker), tmp_path / "inner.pt")
    content = (tmp_path / "inner.pt").read_bytes()
    numbers = torch.frombuffer(bytearray(content[: len(content) // 4 * 4]), dtype=torch.float32).nan_to_num(0, 0, 0)
    torch.save({"w": numbers}, tmp_path / "w.pt")
    open_weights(tmp_path / "w.pt")
    assert not marker.exists()


def test_a_whole_pickled_module_is_refused_by_its_class(tmp_path: Path) -> None:
    torch.save(nn.LSTM(3, 2), tmp_path / "w.pt")
    text = refusal(tmp_path / "w.pt")
    assert "torch.nn.modules.rnn.LSTM" in text
    assert "save its state_dict()" in text
