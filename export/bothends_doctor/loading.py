"""Opens an encoder's file according to its first bytes. Nothing is unpickled."""

import zipfile
from pathlib import Path

from .errors import DoctorError
from .models.model import Model


def open_model(path: Path, *, output: str | None = None) -> Model:
    """Open an ONNX or TorchScript encoder; `output` names the output to examine. Raises DoctorError."""
    if path.is_dir():
        raise DoctorError(f"{path} is a folder; give the ONNX or TorchScript file in it")
    try:
        with path.open("rb") as file:
            head = file.read(8)
    except OSError as error:
        raise DoctorError(f"{path} can't be read: {error.strerror}") from error
    if not head:
        raise DoctorError(f"{path} is empty")
    if head.startswith(b"PK"):
        return _zipped(path, output)
    if head.startswith(b"\x80"):
        raise DoctorError(f"{path} is a pickle, which isn't opened; export the model to ONNX or TorchScript first")
    if head.startswith(b"\x89HDF"):
        raise DoctorError(f"{path} is HDF5, as Keras writes it; convert it to ONNX first")
    from .models.onnx import OnnxModel

    return OnnxModel(path, output=output)


def _zipped(path: Path, output: str | None) -> Model:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile as error:
        raise DoctorError(f"{path} is a damaged zip file: {error}") from error
    if not any(name.endswith("/constants.pkl") for name in names):
        raise DoctorError(
            f"{path} holds weights or something else, but no TorchScript; export the model first and give these "
            "weights with --state-dict"
        )
    from .models.torchscript import TorchScriptModel

    return TorchScriptModel(path, output=output)
