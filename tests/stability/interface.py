"""Lists what callers, operators and programs may rely on, by name, and tells what a newer listing has lost.

A listing has sections; each has names, and each name has features, as strings. What callers must give ends in `!`.
"""

import ast
import inspect
from collections.abc import Iterable, Iterator
from importlib import import_module
from importlib.util import find_spec
from operator import itemgetter
from pathlib import Path
from types import ModuleType
from typing import Any

import click
from google.rpc import code_pb2
from pydantic import BaseModel

import bothends
from bothends.cli.main import main
from bothends.model.bundle import BundleConfig
from bothends.server.web_routes import document
from bothends.settings import ENV_PREFIX, Settings
from bothends.wire.status import TABLE
from bothends_export.checkpoint_config import CheckpointConfig
from tests.support.exported import exported

Names = dict[str, list[str]]
Listing = dict[str, Names]

_MODULES = ("bothends", "bothends.errors", "bothends.search")
"""Public modules whose names are looked up as they are imported."""
_READ = {"bothends.mteb": "MtebEncoder", "bothends.ray": "app", "bothends.sklearn": "SentenceVectorizer"}
"""Public names of modules that take seconds to import, so that their source is read instead."""
_MADE_BY_CALLERS = {"AsyncClient", "Client", "Retry", "TLS", "WordIndex"}
"""Classes whose constructors are public. Others are returned or raised, and how we make them is our own."""
_METHODS = ("get", "post")
_OTHER_VARIABLES = ("BOTHENDS_API_KEY", "BOTHENDS_CONFIG")
"""Variables that stand in no option's declaration: a secret is no flag, and the settings' file is read before them."""


def listing() -> Listing:
    """List what the code at hand offers."""
    return {
        "python": dict(sorted(_python())),
        "commands": dict(sorted(_commands())),
        "variables": {name: [] for name in sorted(_variables())},
        "metrics": exported(),
        "http": {name: [] for name in sorted(_paths())},
        "reasons": {reason: [code_pb2.Code.Name(code)] for _, code, reason in sorted(TABLE, key=itemgetter(2))},
        "bundle's config.json": _fields(BundleConfig),
        "checkpoint's config.json": _fields(CheckpointConfig),
    }


def lost(old: Listing, new: Listing) -> list[str]:
    """Return what `old` had and `new` hasn't, and what callers must give now and needn't before; one line each."""
    found = []
    for section, names in old.items():
        for name, features in names.items():
            if name not in new.get(section, {}):
                found.append(f"{section}: {name}")
                continue
            now = set(new[section][name])
            found += [f"{section}: {name}: {each}" for each in features if not now & {each, each.removesuffix("!")}]
            known = {each.removesuffix("!") for each in features}
            must = sorted(each for each in now if each.endswith("!") and each.removesuffix("!") not in known)
            found += [f"{section}: {name}: {each} must be given" for each in must]
    return found


def _python() -> Iterator[tuple[str, list[str]]]:
    """Public names with the parameters that they take; of a class, its methods and attributes too."""
    for path in _MODULES:
        module = import_module(path)
        for name in _public(module):
            yield from _described(f"{path}.{name}", getattr(module, name), is_made=name in _MADE_BY_CALLERS)
    for path, name in _READ.items():
        if found := _defined(path, name):
            yield f"{path}.{name}", _written(found)


def _defined(path: str, name: str) -> ast.FunctionDef | None:
    """Find the function `name`, or the constructor of the class, in a module's source."""
    spec = find_spec(path)
    assert spec is not None
    assert spec.origin is not None
    body = ast.parse(Path(spec.origin).read_text(encoding="utf-8")).body
    found = [each for each in body if isinstance(each, ast.FunctionDef) and each.name == name]
    within = (each.body for each in body if isinstance(each, ast.ClassDef) and each.name == name)
    found += [each for one in within for each in one if isinstance(each, ast.FunctionDef) and each.name == "__init__"]
    return found[0] if found else None


def _written(function: ast.FunctionDef) -> list[str]:
    """Parameters as `_parameters` lists them, as they are written."""
    by_place = [each.arg for each in function.args.args if each.arg != "self"]
    needed = len(by_place) - len(function.args.defaults)
    found = [f"{index} {name}{'!' if index < needed else ''}" for index, name in enumerate(by_place)]
    defaults = zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
    return [*found, *(each.arg if default else f"{each.arg}!" for each, default in defaults)]


def _public(module: ModuleType) -> list[str]:
    """Names of a module that are public: what `dir` shows of the package; of others `__all__`, or what they define."""
    if module is bothends:
        return dir(module)
    here = [name for name, value in vars(module).items() if getattr(value, "__module__", None) == module.__name__]
    public = getattr(module, "__all__", [name for name in here if not name.startswith("_")])
    return [name for name in public if name not in dir(bothends)]


def _described(name: str, value: Any, *, is_made: bool) -> Iterator[tuple[str, list[str]]]:
    yield name, _parameters(value) if is_made or inspect.isfunction(value) else []
    if not inspect.isclass(value):
        return
    own = [base for base in value.__mro__ if base.__module__.startswith("bothends")]
    members = {member: each for base in reversed(own) for member, each in vars(base).items()}
    fields = {field for base in own for field in inspect.get_annotations(base)}
    for member in sorted({*members, *fields} - {"refusal"}):  # how an error counts is the server's own
        if not member.startswith("_"):
            each = inspect.getattr_static(value, member, None)
            method = isinstance(each, (staticmethod, classmethod)) or inspect.isfunction(each)
            yield f"{name}.{member}", _parameters(getattr(value, member)) if method else []


def _parameters(called: Any) -> list[str]:
    """Parameters of a call: those that may be given by place have it before them."""
    try:
        parameters = [each for each in inspect.signature(called).parameters.values() if each.name != "self"]
    except ValueError:  # of what C defines
        return []
    found = []
    for index, each in enumerate(parameters):
        must = "!" if each.default is each.empty and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD) else ""
        by_place = each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)
        found.append(f"{index} {each.name}{must}" if by_place else f"{each.name}{must}")
    return [*found, *_unpacked(parameters)]


def _unpacked(parameters: Iterable[inspect.Parameter]) -> list[str]:
    """Keywords that stand in a TypedDict: `**asked: Unpack[EncodeOptions]`."""
    keywords = (each.annotation.__args__[0] for each in parameters if hasattr(each.annotation, "__args__")
                and each.kind is each.VAR_KEYWORD)  # fmt: skip
    return [name for each in keywords for name in getattr(each, "__annotations__", {})]


def _commands() -> Iterator[tuple[str, list[str]]]:
    """Commands with their flags, what a flag may be where that is a choice, and their arguments."""
    for command, parameters in _parsed():
        features: list[str] = []
        for parameter in parameters:
            must = "!" if parameter.required else ""
            features += [f"{each}{must}" for each in (*parameter.opts, *parameter.secondary_opts)]
            if isinstance(parameter.type, click.Choice):
                features += [f"{parameter.opts[0]} {choice}" for choice in parameter.type.choices]
        yield f"bothends {command}", features


def _parsed() -> Iterator[tuple[str, list[click.Parameter]]]:
    context = click.Context(main)
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        assert command is not None
        yield name, command.get_params(click.Context(command))


def _variables() -> set[str]:
    """Variables of the environment: a server's, and those that the client's commands read."""
    shown = [parameter.envvar for _, parameters in _parsed() for parameter in parameters if parameter.envvar]
    read = {each for one in shown for each in ([one] if isinstance(one, str) else one)}
    return {*read, *(ENV_PREFIX + name.upper() for name in Settings.options()), *_OTHER_VARIABLES}


def _paths() -> set[str]:
    paths = document()["paths"].items()
    return {f"{method.upper()} {path}" for path, methods in paths for method in methods if method in _METHODS}


def _fields(model: type[BaseModel], prefix: str = "") -> Names:
    """Keys of a JSON file, those of objects within it by a path; `present!` are those that must be there."""
    found: Names = {}
    for name, field in model.model_fields.items():
        found[f"{prefix}{name}"] = ["present!"] if field.is_required() else ["present"]
        for inner in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                found |= _fields(inner, f"{prefix}{name}.")
    return found
