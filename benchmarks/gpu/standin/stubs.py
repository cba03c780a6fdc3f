"""Writes stubs of the functions that onnxruntime's CUDA provider calls and the stand-in doesn't write itself.

python stubs.py FOLDER PROVIDER writes FOLDER/LIBRARY.stubs.cpp and a linker's map of the version that its names carry.
"""

import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
CUDNN = "libcudnn.so.9"
"""Library that the provider opens by itself, and whose functions it looks up by their names."""
WRITTEN = {
    "libcudart": "".join((HERE / name).read_text() for name in ("memory.cpp", "device.cpp")),
    "libcudnn": (HERE / "cudnn.cpp").read_text(),
}
HANDLES = {"cublasCreate_v2", "cublasLtCreate"}
"""Functions that give their caller a handle."""


def read(*command: str | Path) -> str:
    """Output of a tool of binutils'."""
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def called(provider: Path) -> dict[str, list[str]]:
    """Functions that `provider` calls of each of NVIDIA's libraries, by the library's soname."""
    sonames = re.findall(r"\[(libcu(?:dart|blas|blasLt|rand)\.so\.\d+)\]", read("readelf", "-d", provider))
    names = [line.split()[-1].partition("@") for line in read("nm", "-D", "--undefined-only", provider).splitlines()]
    found = {soname: [name for name, _, version in names if version.lstrip("@") == soname] for soname in sonames}
    of_cudnn = re.findall(rb"\0(cudnn[A-Z]\w+)(?=\0)", provider.read_bytes())
    return dict(sorted(found.items(), key=lambda entry: "cudart" not in entry[0])) | {
        CUDNN: sorted({name.decode() for name in of_cudnn})
    }


def stub(name: str) -> str:
    """Function that says that all went well."""
    if name in HANDLES:
        return f"int {name}(void** handle) {{ *handle = handle; return 0; }}"
    if "Status" in name or "ErrorString" in name:
        return f'const char* {name}(int) {{ return "a status of the stand-in\'s"; }}'
    return f"int {name}() {{ return 0; }}"


def main(folder: Path, provider: Path) -> None:
    """Write the files, and print each library's soname in the order in which they are to be linked."""
    for soname, names in called(provider).items():
        library = soname.partition(".")[0]
        stubs = [stub(name) for name in names if not re.search(rf"\b{name}\(", WRITTEN.get(library, ""))]
        (folder / f"{library}.stubs.cpp").write_text('extern "C" {\n' + "\n".join(stubs) + "\n}\n")
        (folder / f"{library}.map").write_text(f"{soname} {{ global: *; }};\n")
        print(soname)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
