"""The proof that what is promised of a GPU holds: each line says ok or FAIL, and nothing is skipped in silence.

python benchmarks/gpu/proof.py [--out FILE] [--only served] on a card, in minutes and without a network. With --standin,
as `make gpu-standin` runs it, CUDA is played on host memory, and nothing is timed.
"""

import re
import sys
from pathlib import Path

import click
import memory
import onnxruntime
import rows
import served
import speed
import variants
from checks import Checks

from bothends.engines import cuda

PARTS = (
    rows.placement,
    rows.equal,
    rows.tf32,
    rows.any_shape,
    variants.variants,
    memory.level,
    memory.bounded,
    speed.grid,
    speed.at_once,
    speed.first_run,
    served.served,
    served.refused,
)


def machine(checks: Checks) -> None:
    """Versions, and NVIDIA's libraries as this process has loaded them."""
    cuda.prepare()
    mapped = Path("/proc/self/maps").read_text()
    loaded = sorted(set(re.findall(r"lib(?:cuda|cudnn|cublas|cudart)\.so\.[\d.]+", mapped)))
    checks.check(
        "versions",
        cuda.PROVIDER in onnxruntime.get_available_providers(),
        f"onnxruntime {onnxruntime.__version__}, built for CUDA {onnxruntime.cuda_version}; {' '.join(loaded)}",
    )


@click.command()
@click.option("--out", type=click.Path(path_type=Path), help="Write the figures there, as JSON.")
@click.option("--only", default="", help="Run the parts whose names hold this.")
@click.option("--seed", default=0, show_default=True)
@click.option("--standin", is_flag=True, help="CUDA is a stand-in: time nothing, run less.")
def main(out: Path | None, only: str, seed: int, *, standin: bool) -> None:
    """Run the proof. Exits with 1 where a line fails."""
    checks = Checks(standin=standin, seed=seed)
    for part in (machine, *PARTS):
        if only not in part.__name__:
            continue
        try:
            part(checks)
        except Exception as error:  # whatever goes wrong in one part, the others are worth their lines
            checks.check(part.__name__, ok=False, what=f"{type(error).__name__}: {str(error)[-300:]}")
    sys.exit(checks.finish(out))


if __name__ == "__main__":
    main()
