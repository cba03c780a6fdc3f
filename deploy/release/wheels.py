"""Wheels of bothends-native to a line for each, or an error: what must hold of each, and of all beside each other.

wheels.py FOLDER     needs pyelftools
"""

import re
import sys
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

MAX_BYTES = 6_000_000
NEWEST_GLIBC = 28  # 2.28
# What a process has anyway, and what GCC's modules need of the system. Zig's don't: their C++ library is inside.
ALLOWED = re.compile(r"(libc|libm|libdl|librt|libpthread|ld-linux.*|libstdc\+\+|libgcc_s)\.so\.\d")


def main() -> None:
    """Looks through the wheels of a folder."""
    folder = Path(sys.argv[1])
    wheels = sorted(folder.glob("*.whl"))
    if not wheels:
        sys.exit(f"There are no wheels in {folder}.")
    contents = {wheel.name: _checked(wheel) for wheel in wheels}
    first = next(iter(contents.values()))
    for name, files in contents.items():
        if files != first:
            sys.exit(f"{name} has other files than {wheels[0].name}: {sorted(files ^ first)}")


def _checked(wheel: Path) -> set[str]:
    """Returns the names of a wheel's files, without what tells of Python and processor."""
    tag = re.search(r"-manylinux_2_(\d+)_(x86_64|aarch64)\.whl$", wheel.name)
    if tag is None or int(tag[1]) > NEWEST_GLIBC:
        sys.exit(f"{wheel.name} needs a newer C library than 2.{NEWEST_GLIBC}")
    size = wheel.stat().st_size
    if size > MAX_BYTES:
        sys.exit(f"{wheel.name} has {size:,} bytes; {MAX_BYTES:,} at the most")
    files = set()
    with ZipFile(wheel) as archive:
        for name in archive.namelist():
            files.add(re.sub(r"\.(abi3|cpython-[^.]*)\.so$", ".so", name))
            if name.endswith(".so"):
                _check_module(name, archive.read(name))
    sys.stdout.write(f"{size / 1e6:5.2f} MB  {wheel.name}\n")
    return files


def _check_module(name: str, content: bytes) -> None:
    """Checks that a module shows no symbol but its own function, and needs no library but the C library's."""
    elf = ELFFile(BytesIO(content))
    symbols, dynamic = elf.get_section_by_name(".dynsym"), elf.get_section_by_name(".dynamic")
    if not isinstance(symbols, SymbolTableSection) or not isinstance(dynamic, DynamicSection):
        sys.exit(f"{name} is no shared library")
    shown = {symbol.name for symbol in symbols.iter_symbols() if symbol.name and symbol["st_shndx"] != "SHN_UNDEF"}
    own = "PyInit_" + Path(name).name.split(".")[0]
    if shown != {own}:
        sys.exit(f"{name} shows {sorted(shown - {own})[:20]}")
    foreign = [tag.needed for tag in dynamic.iter_tags("DT_NEEDED") if not ALLOWED.fullmatch(tag.needed)]
    if foreign:
        sys.exit(f"{name} needs {foreign}")


if __name__ == "__main__":
    main()
