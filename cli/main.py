"""The `dfx` command: its groups, and how errors are shown."""

from __future__ import annotations

import sys

import typer

from cli import bench, demo, doctor, evaluate, info, report, sample, shard, train, tune
from cli.console import errors
from dataengine.errors import DfxError

app = typer.Typer(
    name="dfx",
    help="Does a model that tells which method made a fake still work on a dataset it has not seen?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)
app.command("demo")(demo.demo)
app.command("doctor")(doctor.doctor)
app.command("sample")(sample.sample)
app.command("shard")(shard.shard)
app.command("info")(info.info)
app.command("train")(train.train)
app.command("eval")(evaluate.evaluate_runs)
app.command("tune")(tune.tune)
app.command("report")(report.report)
benchmarks = typer.Typer(help="Measure on your own machine.", no_args_is_help=True)
benchmarks.command("loader")(bench.bench_loader)
app.add_typer(benchmarks, name="bench")


def main() -> None:
    """Run a command. What a user can mend is one line and exit code 1; anything else is our defect, in full."""
    try:
        app()
    except DfxError as error:
        errors.print(f"[bold red]error[/] {error}", markup=True)
        sys.exit(1)
    except SystemExit as done:
        if done.code == 130:  # what typer makes of Ctrl-C
            errors.print("interrupted; what is finished is kept: run it again (train and tune: with --resume)")
        raise
