"""`bothends doctor`: examines a file, prints a table or JSON, and exits with a code that says what was found.

Heavy imports such as torch are inside the function, so that `bothends --help` can list this command without them.
"""

import json
import sys
from pathlib import Path
from typing import NoReturn

import click

from bothends.cli.paths import check_file
from bothends.errors import FileError


@click.command(short_help="Tell what is wrong with an encoder that was exported elsewhere.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--state-dict",
    type=click.Path(path_type=Path),
    help="The weights that it was made from (safetensors, or torch.save's); only they can tell the order of gates.",
)
@click.option(
    "--output", help="The output to examine, where there are several: a name in ONNX, a number in TorchScript."
)
@click.option(
    "--fix", type=click.Path(path_type=Path), metavar="OUT", help="Write a repaired model to OUT (ONNX only)."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--seed", default=0, show_default=True, help="Of the random sentences that it is asked.")
def doctor(file: Path, state_dict: Path | None, output: str | None, fix: Path | None, as_json: bool, seed: int) -> None:
    """Tell what is wrong with FILE, an LSTM or GRU sentence encoder as ONNX or TorchScript.

    It is run on random sentences, alone and padded, and compared with what PyTorch computes from the file's own
    weights (or those of --state-dict), and with what each known mistake would give.

    Exits with 0 if nothing is wrong, 1 if something is, 2 if it can't be told; with --fix, with 0 once the repaired
    model is proved equal to PyTorch and written.

    Nothing is unpickled, and ONNX weights are read from FILE's own folder only. The code of a TorchScript file runs, in
    TorchScript's interpreter: as with any model, run none that you wouldn't trust.
    """
    from .errors import DoctorError, RunFailedError

    try:
        check_file(file)
        if state_dict is not None:
            check_file(state_dict)
        code = _examine(file, state_dict, output, fix, as_json, seed)
    except (FileError, DoctorError, RunFailedError) as error:
        _refuse(str(error), as_json)
    sys.exit(code)


def _examine(
    file: Path, state_dict: Path | None, output: str | None, fix: Path | None, as_json: bool, seed: int
) -> int:
    from rich.console import Console

    from .examine import examine
    from .loading import open_model
    from .mistakes import reference
    from .report import importing, show

    if fix is not None:
        from .repairing.repair import check_out

        check_out(fix)
    model = open_model(file, output=output)
    known = reference.load(state_dict, model.shapes) if state_dict else None
    examined = examine(model, known, seed=seed)
    console = Console(highlight=False, soft_wrap=False)
    if not as_json:
        show(examined.findings, console, is_fixed=fix is not None)
    answer = examined.findings.as_json()
    code = examined.findings.exit_code
    if fix is not None:
        from .repairing.repair import repair

        repaired = repair(examined, known, fix, seed=seed)
        answer["repaired"] = repaired.as_json()
        code = 0
        if not as_json:
            console.print(repaired.says, markup=False)
            if model.vocabulary is not None:
                console.print(f"Next: {importing(repaired.path or str(file))}", markup=False)
    if as_json:
        click.echo(json.dumps(answer))
    return code


def _refuse(reason: str, as_json: bool) -> NoReturn:
    if as_json:
        click.echo(json.dumps({"verdict": "not examined", "exit_code": 2, "reason": reason}))
    click.echo(f"Error: {reason}", err=True)
    sys.exit(2)
