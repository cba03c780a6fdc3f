"""Small real things that tests share: encoders with random weights, bundles made of them, a running server.

Most tests need no PyTorch, and where it isn't installed those that do are left out.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

from bothends.client.sync import Client
from bothends.model.bundle import Bundle, default_path
from bothends.server import ports
from bothends.server.grpc.select import select
from bothends.server.server import Server
from bothends.settings import GrpcSettings, Settings
from tests.support import bundles, passed, shards, surroundings
from tests.support.awaited import Awaited
from tests.support.serving import Running, finish, start
from tests.support.supervised import Supervised

if TYPE_CHECKING:
    from bothends_export.checkpoint import Checkpoint

OF_TORCH = (
    "doctor",
    "export",
    "importing",
    "training",
    "core/test_explain.py",
    "docs/test_doctor.py",
    "docs/test_infersent.py",
    "docs/test_laser.py",
    "native/engine/test_against_torch.py",
    "native/engine/test_bounds.py",
    "native/engine/test_every_kind.py",
    "promises/test_device.py",
    "promises/test_embedding.py",
    "server/ray",
    "test_sklearn.py",
)
"""Folders and files whose tests compare with PyTorch, or need what else only `make test-full` installs and takes
seconds to import; they have the mark `torch`."""
WITHOUT_TORCH = "PyTorch isn't installed (make test-full)"
collect_ignore = [] if find_spec("torch") else list(OF_TORCH)
# The same examples each time, and as much time as a busy machine takes: `--hypothesis-profile default` draws others.
settings.register_profile("bothends", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("bothends")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the attacks' options, here: pytest asks for options before it reads a folder's conftest.py."""
    group = parser.getgroup("chaos", "attacks on what is promised (make chaos)")
    group.addoption("--long", action="store_true", help="the long form, for about an hour instead of minutes")
    group.addoption("--report", type=Path, metavar="FILE", help="write what was measured to FILE, a JSON")
    parser.addoption("--brief", action="store_true", help="of what needs PyTorch, only what has the mark brief")
    passed.add_options(parser)
    parser.addoption("--transport-shards", type=int, metavar="N", help="have native transports of N parts")


def pytest_configure(config: pytest.Config) -> None:
    """Leave out what isn't the same for everybody. Have variables choose the transport, and the number of its parts, of
    servers in the tests' own process too, which read no environment.
    """
    surroundings.leave_out()
    passed.configure(config)
    if given := config.getoption("--transport-shards"):
        os.environ[shards.VARIABLE] = str(given)
    if number := shards.asked():
        GrpcSettings.shards_for = lambda self, takers: self.transport_shards or number  # type: ignore[method-assign]
    if chosen := os.environ.get("BOTHENDS_TRANSPORT"):
        ports.select = lambda settings: select(  # type: ignore[attr-defined]
            settings.model_copy(update={"transport": chosen}) if settings.transport == "auto" else settings
        )


def is_of_torch(path: Path) -> bool:
    """Return True if a file of tests is in OF_TORCH, or in a folder that is."""
    return path.as_posix().startswith(tuple(f"{Path(__file__).parent.as_posix()}/{place}" for place in OF_TORCH))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Import no file of which nothing is asked for: PyTorch takes seconds, in each process."""
    if not config.getoption("--brief") or collection_path.suffix != ".py" or not is_of_torch(collection_path):
        return None
    return (collection_path.name.startswith("test_") and "mark.brief" not in collection_path.read_text("utf-8")) or None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what needs PyTorch; leave out of it what --brief doesn't ask for."""
    for item in items:
        if "make_checkpoint" in getattr(item, "fixturenames", ()) or is_of_torch(item.path):
            item.add_marker("torch")
    if config.getoption("--brief"):
        left_out = {item for item in items if item.get_closest_marker("torch") and not item.get_closest_marker("brief")}
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session", name="toy_tokenizer")
def _toy_tokenizer() -> str:
    """A tokenizer.json of a few words and every printable ASCII character."""
    return bundles.toy_tokenizer()


@pytest.fixture(scope="session")
def make_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> "Callable[..., tuple[Path, Checkpoint]]":
    """Makes a checkpoint folder with random weights, of the shape asked for; skips without PyTorch."""
    pytest.importorskip("torch", reason=WITHOUT_TORCH)
    from tests.support import checkpoints

    def make(**shape: Any) -> "tuple[Path, Checkpoint]":
        folder = tmp_path_factory.mktemp("checkpoint")
        return folder, checkpoints.make(folder, **shape)

    return make


@pytest.fixture(scope="session")
def toy_checkpoint(make_checkpoint: "Callable[..., tuple[Path, Checkpoint]]") -> "tuple[Path, Checkpoint]":
    """One small checkpoint and its folder."""
    return make_checkpoint()


@pytest.fixture(scope="session")
def make_bundle(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Bundle]:
    """Makes a bundle of random weights, of the shape asked for."""
    return lambda **shape: bundles.make(tmp_path_factory.mktemp("bundles") / "made", **shape)


@pytest.fixture(scope="session")
def toy_bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """One small bundle. Tests that change files copy it first."""
    return bundles.make(tmp_path_factory.mktemp("bundles") / "toy")


@pytest.fixture(scope="session")
def newer(tmp_path_factory: pytest.TempPathFactory) -> list[Bundle]:
    """Three bundles of one name, other weights and other versions."""
    folder = tmp_path_factory.mktemp("newer")
    return [bundles.make(folder / f"v{1 + seed}", seed=seed) for seed in (1, 2, 3)]


@pytest.fixture(scope="session")
def english() -> Bundle:
    """The bundle that the package carries."""
    return Bundle.open(default_path())


@pytest.fixture(scope="session")
def server(english: Bundle) -> Iterator[Server]:
    """A server with the packaged bundle on free ports."""
    running = Server(Settings(bundle=english.path, device="cpu", port=0, http_port=0, max_sentences=300), lame_duck_s=0)
    running.start()
    yield running
    running.stop()


@pytest.fixture
def running() -> Iterator[Running]:
    """A `bothends serve` in a process of its own, for one test."""
    started = start()
    yield started
    finish(started)


@pytest.fixture(scope="module")
def shared() -> Iterator[Running]:
    """A `bothends serve` in a process of its own, for all tests of a module."""
    started = start()
    yield started
    finish(started)


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    """A client of the shared server."""
    with Client(f"127.0.0.1:{server.port}") as connected:
        yield connected


@pytest.fixture(params=[Client, Awaited], ids=["threads", "asyncio"])
def either(request: pytest.FixtureRequest) -> type[Client] | type[Awaited]:
    """One client's class, then the other's."""
    chosen: type[Client] | type[Awaited] = request.param
    return chosen


@pytest.fixture
def each_client(server: Server, either: type[Client] | type[Awaited]) -> Iterator[Client | Awaited]:
    """A client of the packaged model's server: one, then the other."""
    with either(f"127.0.0.1:{server.port}") as connected:
        yield connected


@pytest.fixture(scope="session")
def promtool() -> str:
    """Prometheus' own checker of rules and metrics, or a skip."""
    return _from_prometheus("promtool")


@pytest.fixture(scope="session")
def prometheus() -> str:
    """A Prometheus' binary, or a skip."""
    return _from_prometheus("prometheus")


def _from_prometheus(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is missing; it comes with Prometheus (Debian: apt-get install prometheus)")
    return found


@pytest.fixture
def root(toy_bundle: Bundle, tmp_path: Path) -> Path:
    """A folder of versions, of which the toy bundle is the first."""
    shutil.copytree(toy_bundle.path, tmp_path / "v1")
    return tmp_path


@pytest.fixture
def kept(root: Path) -> Iterator[Callable[..., Supervised]]:
    """Makes embedders of the newest version in `root`, each with an impatient supervisor."""
    made: list[Supervised] = []

    def make(**options: Any) -> Supervised:
        made.append(Supervised(root, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()
