"""Small real things that tests share: encoders with random weights, bundles made of them, a running server."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import tokenizers
import torch
from hypothesis import HealthCheck, settings

from bothends.client.sync import Client
from bothends.model.architecture import EncoderConfig
from bothends.model.bundle import Bundle, default_path
from bothends.server import ports
from bothends.server.grpc.select import select
from bothends.server.server import Server
from bothends.settings import GrpcSettings, Settings
from bothends_export import checkpoint
from bothends_export.checkpoint import Checkpoint, CheckpointConfig
from bothends_export.encoder import Encoder
from bothends_export.export import export
from tests.support import shards, surroundings
from tests.support.awaited import Awaited
from tests.support.serving import Running, finish, start
from tests.support.supervised import Supervised

WORDS = ["there", "will", "be", "dragons", "no", "##s", "a", "man", "plays", "the", "guitar", "and", "woman", "sings"]
MAX_TOKENS = 40
# The same examples each time, and as much time as a busy machine takes: `--hypothesis-profile default` draws others.
settings.register_profile("bothends", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("bothends")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the attacks' options, here: pytest asks for options before it reads a folder's conftest.py."""
    group = parser.getgroup("chaos", "attacks on what is promised (make chaos)")
    group.addoption("--long", action="store_true", help="the long form, for about an hour instead of minutes")
    group.addoption("--report", type=Path, metavar="FILE", help="write what was measured to FILE, a JSON")
    parser.addoption("--transport-shards", type=int, metavar="N", help="have native transports of N parts")


def pytest_configure(config: pytest.Config) -> None:
    """Leave out what isn't the same for everybody. Have variables choose the transport, and the number of its parts, of
    servers in the tests' own process too, which read no environment.
    """
    surroundings.leave_out()
    if given := config.getoption("--transport-shards"):
        os.environ[shards.VARIABLE] = str(given)
    if number := shards.asked():
        GrpcSettings.shards_for = lambda settings, takers: settings.transport_shards or number  # type: ignore[method-assign]
    if chosen := os.environ.get("BOTHENDS_TRANSPORT"):
        ports.select = lambda settings: select(  # type: ignore[attr-defined]
            settings.model_copy(update={"transport": chosen}) if settings.transport == "auto" else settings
        )


@pytest.fixture(scope="session", autouse=True)
def one_torch_thread() -> None:
    """Give PyTorch one thread: on a busy machine, threads for tiny matrices wait for each other."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def toy_tokenizer() -> str:
    """A tokenizer.json of a few words and every printable ASCII character."""
    pieces = [
        "[PAD]",
        "[UNK]",
        *WORDS,
        *(chr(code) for code in range(33, 127)),
        *(f"##{chr(c)}" for c in range(97, 123)),
    ]
    vocabulary = {piece: index for index, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordPiece(vocabulary, unk_token="[UNK]"))  # noqa: S106  a token of text
    tokenizer.normalizer = tokenizers.normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    return str(tokenizer.to_str())


@pytest.fixture(scope="session")
def make_checkpoint(
    tmp_path_factory: pytest.TempPathFactory, toy_tokenizer: str
) -> Callable[..., tuple[Path, Checkpoint]]:
    """Makes a checkpoint folder with random weights. The row of token 0 is as random as the others: padding would show.

    `shape` is more of EncoderConfig's fields.
    """

    def make(
        *,
        layers: int = 1,
        hidden_size: int = 16,
        embedding_size: int = 12,
        seed: int = 0,
        dtype: torch.dtype = torch.float16,
        **shape: Any,
    ) -> tuple[Path, Checkpoint]:
        torch.manual_seed(seed)
        vocabulary_size = tokenizers.Tokenizer.from_str(toy_tokenizer).get_vocab_size()
        config = EncoderConfig(
            vocabulary_size=vocabulary_size,
            embedding_size=embedding_size,
            hidden_size=hidden_size,
            layers=layers,
            **shape,
        )
        encoder = Encoder(config)
        for name, parameter in encoder.named_parameters():
            if name in ("h_0", "c_0") or name.startswith("head.norm"):  # which begin as zeros and ones
                torch.nn.init.normal_(parameter)
        folder = tmp_path_factory.mktemp("checkpoint")
        whole = CheckpointConfig(name="toy", version=f"{layers}.{seed}", max_tokens=MAX_TOKENS, encoder=config)
        checkpoint.save(folder, encoder, whole, toy_tokenizer, table_dtype=dtype)
        return folder, checkpoint.load(folder)

    return make


@pytest.fixture(scope="session")
def toy_checkpoint(make_checkpoint: Callable[..., tuple[Path, Checkpoint]]) -> tuple[Path, Checkpoint]:
    """One small checkpoint and its folder."""
    return make_checkpoint()


@pytest.fixture(scope="session")
def toy_bundle(toy_checkpoint: tuple[Path, Checkpoint], tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The small checkpoint, exported. Tests that change files copy it first."""
    return export(toy_checkpoint[1], tmp_path_factory.mktemp("bundles") / "toy")


@pytest.fixture(scope="session")
def make_bundle(
    make_checkpoint: Callable[..., tuple[Path, Checkpoint]], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Bundle]:
    """Makes a bundle of random weights, of the shape asked for."""
    return lambda **shape: export(make_checkpoint(**shape)[1], tmp_path_factory.mktemp("bundles") / "made")


@pytest.fixture(scope="session")
def newer(
    make_checkpoint: Callable[..., tuple[Path, Checkpoint]], tmp_path_factory: pytest.TempPathFactory
) -> list[Bundle]:
    """Three bundles of one name, other weights and other versions."""
    folder = tmp_path_factory.mktemp("newer")
    return [export(make_checkpoint(seed=seed)[1], folder / f"v{1 + seed}") for seed in (1, 2, 3)]


@pytest.fixture(scope="session")
def english() -> Bundle:
    """The bundle that the package carries."""
    return Bundle.open(default_path())


@pytest.fixture(scope="session")
def server(english: Bundle) -> Iterator[Server]:
    """A server with the packaged bundle on free ports."""
    running = Server(Settings(bundle=english.path, device="cpu", port=0, http_port=0, max_sentences=300))
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

    def make(**options: float) -> Supervised:
        made.append(Supervised(root, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()
