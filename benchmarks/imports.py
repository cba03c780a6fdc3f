"""InferSent and LASER at their original sizes: what import and export cost, and whether what is served is the original.

python benchmarks/imports.py infersent|laser [--folder FOLDER] [--seconds 20] [--top 100000]

The source files hold random weights, and are written as the original libraries write them. Each length to 128 is then
compared with the original's own arithmetic in PyTorch, alone and in ragged batches; and the server's rate with what its
tokenizer and engine do in this process.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import generator
from bothends.engines.onnxruntime import OnnxRuntimeEngine
from bothends.model.bundle import Bundle
from ceiling import Engines
from load.build import build
from loads import unary
from results import ONNXRUNTIME
from sentences import load
from servers import start_ours

_LONGEST = 128
_BATCH = 16
_ROUNDS = 3
_BOTHENDS = Path(sys.executable).parent / "bothends"


@dataclass(frozen=True, slots=True)
class Source:
    """A file to import, with its options, and the original's LSTM."""

    file: Path
    options: list[str]
    cells: nn.LSTM


def infersent(folder: Path, *, top: int) -> Source:
    """Write InferSent 2: 300 → 2048 both ways, and a third more word vectors than are taken."""
    torch.manual_seed(0)
    cells = nn.LSTM(300, 2048, bidirectional=True)
    file = folder / "infersent2.pkl"
    torch.save({f"enc_lstm.{name}": tensor for name, tensor in cells.state_dict().items()}, file)
    seen = dict.fromkeys(word for text in load(None).texts for word in text.replace(".", " .").split())
    words = [*seen, *(f"word{index}" for index in range(top * 4 // 3 - len(seen)))]
    words[top + 100 : top + 100] = ["<p>", "</p>"]
    rows = np.random.default_rng(0).normal(0, 0.3, (1000, 300))
    lines = [" ".join(f"{number:.5g}" for number in row) for row in rows]
    with (folder / "crawl.vec").open("w", encoding="utf-8") as vectors:
        vectors.write(f"{len(words)} 300\n")
        vectors.writelines(f"{word} {lines[index % len(lines)]}\n" for index, word in enumerate(words))
    return Source(file, ["--vectors", str(folder / "crawl.vec"), "--top", str(top)], cells)


def laser(folder: Path, **_: int) -> Source:
    """Write LASER 2: 320 → 512 both ways, five layers, 50,004 pieces; a small SentencePiece model uses some."""
    import sentencepiece

    torch.manual_seed(0)
    (folder / "text.txt").write_text("\n".join(load(None).texts).lower(), encoding="utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=str(folder / "text.txt"), model_prefix=str(folder / "laser2"), vocab_size=2500, minloglevel=2
    )
    model = sentencepiece.SentencePieceProcessor(model_file=str(folder / "laser2.model"))
    marks = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3}
    pieces = [model.id_to_piece(index) for index in range(3, model.get_piece_size())]
    dictionary = marks | {piece: row for row, piece in enumerate(pieces, len(marks))}
    table, cells = nn.Embedding(50_004, 320, padding_idx=1), nn.LSTM(320, 512, 5, bidirectional=True)
    weights = {"embed_tokens.weight": table.weight.data}
    weights |= {f"lstm.{name}": tensor for name, tensor in cells.state_dict().items()}
    params = {"num_embeddings": 50_004, "padding_idx": 1, "embed_dim": 320, "hidden_size": 512, "num_layers": 5}
    params |= {"bidirectional": True, "left_pad": True, "padding_value": 0.0}
    torch.save({"params": params, "model": weights, "dictionary": dictionary}, folder / "laser2.pt")
    return Source(folder / "laser2.pt", ["--spm", str(folder / "laser2.model")], cells)


MODELS: dict[str, Callable[..., Source]] = {"infersent": infersent, "laser": laser}


def run(*words: str | Path) -> None:
    """Run a command of bothends in a process of its own and print its time and the most memory that it held."""
    started = time.perf_counter()
    process = subprocess.Popen([_BOTHENDS, *words], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, words
    seconds = time.perf_counter() - started
    print(f"bothends {words[0]:<7} {seconds:6.1f} s, {used.ru_maxrss / 1e6:.2f} GB at most", flush=True)


@torch.inference_mode()
def compare(bundle: Bundle, cells: nn.LSTM, table: Tensor) -> None:
    """Print the largest difference to the original at any length, and whether a batch ever changed a bit."""
    chance = np.random.default_rng(0)
    session = OnnxRuntimeEngine(bundle, device="cpu")
    alone: dict[int, NDArray[np.float32]] = {}
    sentences = {n: chance.integers(0, len(table), n, dtype=np.int64) for n in range(1, _LONGEST + 1)}
    worst = 0.0
    for length, ids in sentences.items():
        alone[length] = session.run([ids.tolist()])[0]
        expected = cells(table[torch.from_numpy(ids)].unsqueeze(1))[0].max(dim=0)[0][0]
        worst = max(worst, float(np.abs(alone[length] - expected.numpy()).max()))
    lengths = chance.permutation(list(sentences))
    same = True
    for start in range(0, _LONGEST, _BATCH):
        chosen = lengths[start : start + _BATCH]
        rows = session.run([sentences[n].tolist() for n in chosen])
        same &= all(np.array_equal(row, alone[n]) for row, n in zip(rows, chosen, strict=True))
    bits = "the same" if same else "OTHER"
    print(f"every length to {_LONGEST}: {worst:.1e} at most from the original; batched {bits} bits", flush=True)


def rates(bundle: Bundle, folder: Path, *, seconds: float, sample: int) -> None:
    """Print what tokenizer and engine do in this process, and what a server answers, in turns."""
    alone = Engines(load(None).texts, sample=sample, names=[ONNXRUNTIME], bundle=bundle)
    bodies = generator.write_bodies(folder / "sentences.txt", alone.sample)
    build()
    with start_ours(folder, "--bundle", str(bundle.path), "--device", "cpu", engine=ONNXRUNTIME) as ours:
        server = replace(ours, dimension=bundle.config.dimension)
        for _ in range(_ROUNDS):
            alone.measure_slice()
            for asked in (unary(8), unary(64)):
                row = generator.measure(server, asked, bodies, warmup_s=5, seconds=seconds)
                _show(asked.name, row.sentences_per_s, row.cpu_s_per_1000 or 0)
    best = alone.ceilings()[0].best
    _show(f"in process, batches of {best.batch} on {best.threads} threads", best.sentences_per_s, best.cpu_s_per_1000)


def _show(what: str, sentences_per_s: float, cpu_s_per_1000: float) -> None:
    print(f"{what:<40} {sentences_per_s:8.1f} sentences/s, {cpu_s_per_1000:7.2f} CPU-s for 1,000", flush=True)


@contextmanager
def _kept(folder: Path | None) -> Iterator[Path]:
    if folder is None:
        with TemporaryDirectory() as scratch:
            yield Path(scratch)
    else:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder


@click.command()
@click.argument("model", type=click.Choice(list(MODELS)))
@click.option("--folder", type=click.Path(path_type=Path), help="Keep all files here, and use those that are there.")
@click.option("--seconds", default=20.0, show_default=True, help="Measured time of each rate.")
@click.option("--sample", default=300, show_default=True, help="Sentences of the rates.")
@click.option("--top", default=100_000, show_default=True, help="Words that InferSent's vocabulary takes.")
def main(model: str, folder: Path | None, *, seconds: float, sample: int, top: int) -> None:
    """Make MODEL's files, import and export them, and measure."""
    with _kept(folder) as kept:
        source = MODELS[model](kept, top=top)
        checkpoint, bundle = kept / f"{model}-checkpoint", kept / f"{model}-bundle"
        if not bundle.exists():
            run("import", source.file, *source.options, "--out", checkpoint, "--max-tokens", str(_LONGEST))
            run("export", checkpoint, "--out", bundle)
        opened = Bundle.open(bundle)
        from safetensors.torch import load_file

        compare(opened, source.cells.eval(), load_file(checkpoint / "model.safetensors")["embedding.weight"])
        rates(opened, kept, seconds=seconds, sample=sample)


if __name__ == "__main__":
    main()
