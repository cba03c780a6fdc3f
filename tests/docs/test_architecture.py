"""docs/architecture.md names functions and imports that exist, as `FILE:NAME` and in a table of packages."""

import ast
import re
from pathlib import Path

import pytest

from tests.support.paths import ROOT

SERVICE = ROOT / "service" / "bothends"
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
PROSE = re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL)
FILES = sorted(set(re.findall(r"`([\w/.-]+\.(?:py|cpp|hpp|proto))(?::[\w.:]+)?`", PROSE)))
NAMED = sorted(set(re.findall(r"`([\w/.-]+\.(?:py|cpp|hpp):[\w.:]+)`", PROSE)))
PACKAGES = {
    "bothends_training": ROOT / "training",
    "bothends_importing": ROOT / "export",
    "bothends_doctor": ROOT / "export",
    "bothends_export": ROOT / "export",
}


def located(file: str) -> Path:
    """Return where a file of the page is: at the root of the repository, or else in the service."""
    return ROOT / file if (ROOT / file).exists() else SERVICE / file


def defines(source: str, name: str, suffix: str) -> bool:
    """Return whether a file's text defines `name`, which its class stands before."""
    return python_defines(source, name.split(".")) if suffix == ".py" else cpp_defines(source, name.split("::"))


def python_defines(source: str, names: list[str]) -> bool:
    """Return whether a function, class or constant of these names, each inside the one before, is in Python's text."""
    body: list[ast.stmt] = ast.parse(source).body
    for name in names:
        found = next((node for node in body if name in bound(node)), None)
        if found is None:
            return False
        body = found.body if isinstance(found, ast.ClassDef) else []
    return True


def bound(node: ast.stmt) -> set[str]:
    """Return the names that a statement gives a meaning to."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return {target.id for target in targets if isinstance(target, ast.Name)}


def cpp_defines(source: str, names: list[str]) -> bool:
    """Return whether a class or a function with its body is in C++'s text: as CLASS::NAME, or inside the class."""
    source = re.sub(r"//[^\n]*", "", source)
    if cpp_class(source, whole := "::".join(names)):
        return True
    if re.search(rf"^[^\s#][^;{{}}=]*[ *&]{whole}\([^;]*?\)[^;{{}}()]*{{", source, re.MULTILINE):
        return True
    *scopes, name = names
    insides = [cpp_class(source, scope) for scope in scopes]
    return any(re.search(rf"[ *&]{name}\([^;{{}}]*\)[^;{{}}()]*{{", inside) for inside in insides)


def cpp_class(source: str, name: str) -> str:
    """Return the text of a class from its name to its end; empty where it isn't defined here."""
    macro = r"(?:\w+\([^)]*\) )?"
    head = rf"^( *)(?:class|struct) {macro}{name}\b[^;{{]*{{"
    found = re.search(rf"{head}(?:[^\n]*}};|.*?^\1}};)", source, re.MULTILINE | re.DOTALL)
    return found[0] if found else ""


def test_the_page_names_enough() -> None:
    """A change of notation would leave the tests below nothing to look at."""
    assert len(NAMED) > 60


@pytest.mark.parametrize("file", FILES)
def test_every_file_is_there(file: str) -> None:
    assert located(file).is_file()


@pytest.mark.parametrize("named", NAMED)
def test_every_name_is_defined_in_its_file(named: str) -> None:
    file, _, name = named.partition(":")
    path = located(file)
    assert defines(path.read_text(encoding="utf-8"), name, path.suffix)


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_are_those_that_the_page_lists(package: str) -> None:
    """A row has every package of ours that another one's modules import, and no other."""
    (row,) = re.findall(rf"^\| `{package}` \| (.*) \|$", PAGE, re.MULTILINE)
    files = (PACKAGES[package] / package).rglob("*.py")
    found = {name for file in files for name in imported(file)} - {package}
    assert set(re.findall(r"`([\w.]+)`", row)) == found


def imported(file: Path) -> set[str]:
    """Return our packages that a module imports: a distribution's, and of the service the one inside it."""
    nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
    modules = [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level]
    modules += [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    ours = [module.split(".") for module in modules if module.split(".")[0].startswith("bothends")]
    return {".".join(parts[:2] if parts[0] == "bothends" else parts[:1]) for parts in ours}
