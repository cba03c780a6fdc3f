"""Writes what a wheel or an environment is made of, as CycloneDX has it (a software bill of materials).

sbom.py wheel WHEEL [INCLUDE]     puts it into the wheel (PEP 770); INCLUDE has the headers of what is linked in
sbom.py environment PREFIX        prints that of all distributions in an environment, and of what their own bills tell

It stands on Python alone: it runs in containers that wheels are made in, and in the image's build stage.
"""

import base64
import csv
import hashlib
import io
import json
import re
import sys
from email import message_from_string
from importlib.metadata import Distribution, PackageMetadata, distributions
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

LINKED = {
    "openssl": ("openssl/opensslv.h", r'OPENSSL_VERSION_STR "([^"]+)"', "Apache-2.0"),
    "nghttp2": ("nghttp2/nghttp2ver.h", r'NGHTTP2_VERSION "([^"]+)"', "MIT"),
    "llhttp": ("llhttp.h", r"LLHTTP_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", "MIT"),
    "yyjson": ("yyjson.h", r'YYJSON_VERSION_STRING "([^"]+)"', "MIT"),
    "zlib": ("zlib.h", r'ZLIB_VERSION "([^"]+)"', "Zlib"),
}
"""Libraries of a native wheel: the header that has the version, the pattern of it or of its parts, and the licence."""
FOLDER = "sboms"
"""Folder of a wheel's .dist-info for bills of materials, by PEP 770."""


def linked(include: Path) -> list[dict[str, Any]]:
    """Components of the libraries whose headers a folder has. Raises SystemExit where one's version isn't found."""
    found = []
    for name, (header, pattern, licence) in LINKED.items():
        parts = re.findall(pattern, (include / header).read_text(encoding="utf-8"))
        if not parts:
            raise SystemExit(f"{include / header} doesn't tell its version")
        found.append(component(name, ".".join(parts), f"pkg:generic/{name}@{'.'.join(parts)}", licence))
    return found


def component(name: str, version: str, purl: str, licence: str | None) -> dict[str, Any]:
    """A library, as CycloneDX has it."""
    found: dict[str, Any] = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
    if licence:
        found["licenses"] = [{"expression": licence}]
    return found


def of_metadata(metadata: PackageMetadata) -> dict[str, Any]:
    """Component of a distribution. Its licence is told where it is an expression, as newer metadata have it."""
    name = re.sub(r"[-_.]+", "-", metadata["Name"]).lower()
    version = metadata["Version"]
    return component(name, version, f"pkg:pypi/{name}@{version}", metadata.get("License-Expression"))


def document(subject: dict[str, Any] | None, components: list[dict[str, Any]]) -> bytes:
    """Return a bill of materials in JSON, the same for the same components."""
    bill: dict[str, Any] = {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1}
    if subject is not None:
        bill["metadata"] = {"component": subject}
        bill["dependencies"] = [{"ref": subject["bom-ref"], "dependsOn": [each["bom-ref"] for each in components]}]
    bill["components"] = components
    return json.dumps(bill, indent=1).encode()


def put_into(wheel: Path, include: Path | None) -> None:
    """Put a wheel's bill into it; one that is there already is replaced."""
    with ZipFile(wheel) as archive:
        files = {
            info: archive.read(info) for info in archive.infolist() if not info.is_dir()
        }  # RECORD lists files alone
    (metadata,) = (info for info in files if re.fullmatch(r"[^/]+\.dist-info/METADATA", info.filename))
    about = metadata.filename.partition("/")[0]
    subject = of_metadata(message_from_string(files[metadata].decode()))  # type: ignore[arg-type]  # has the same keys
    bill, record = f"{about}/{FOLDER}/{subject['name']}.cdx.json", f"{about}/RECORD"
    kept = {info: content for info, content in files.items() if info.filename not in (bill, record)}
    kept[entry(bill, metadata)] = document(subject, linked(include) if include else [])
    with ZipFile(wheel, "w", ZIP_DEFLATED) as archive:
        for info, content in kept.items():
            archive.writestr(info, content, ZIP_DEFLATED)
        archive.writestr(entry(record, metadata), recorded(kept, record), ZIP_DEFLATED)


def entry(name: str, beside: ZipInfo) -> ZipInfo:
    """A file of a wheel, of the time and with the rights of another."""
    made = ZipInfo(name, beside.date_time)
    made.external_attr = beside.external_attr
    return made


def recorded(files: dict[ZipInfo, bytes], record: str) -> str:
    """Return a RECORD: each file with its hash and size, and itself without."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    for info, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        rows.writerow([info.filename, f"sha256={digest}", len(content)])
    rows.writerow([record, "", ""])
    return text.getvalue()


def of_environment(prefix: Path) -> bytes:
    """Return the bill of what is installed under a prefix, and of what is linked into it."""
    (site,) = prefix.glob("lib/python3*/site-packages")
    found = {}
    for distribution in distributions(path=[str(site)]):
        for each in [of_metadata(distribution.metadata), *told_by(distribution)]:
            found[each["bom-ref"]] = each
    return document(None, [found[reference] for reference in sorted(found)])


def told_by(distribution: Distribution) -> list[dict[str, Any]]:
    """Components that a distribution's own bills in CycloneDX's JSON tell."""
    bills = [
        file for file in distribution.files or () if file.parent.name == FOLDER and file.name.endswith(".cdx.json")
    ]
    return [each for bill in bills for each in json.loads(bill.read_text()).get("components", [])]


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["wheel", wheel]:
            put_into(Path(wheel), None)
        case ["wheel", wheel, include]:
            put_into(Path(wheel), Path(include))
        case ["environment", prefix]:
            sys.stdout.buffer.write(of_environment(Path(prefix)))
        case _:
            sys.exit(__doc__)
