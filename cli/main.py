"""The `dfx` command: its groups, and how errors are shown."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.text import Text

from cli import (
    bench,
    compare,
    degradation,
    demo,
    doctor,
    evaluate,
    export,
    fewshot,
    filter,
    import_,
    info,
    layouts,
    merge,
    openset,
    predict,
    preview,
    profile,
    repair,
    report,
    reshard,
    robustness,
    sample,
    shard,
    train,
    transfer,
    tune,
    verify,
)
from cli.console import console, errors
from dataengine.errors import DfxError
from dataengine.version import VERSION

app = typer.Typer(
    name="dfx",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain text: rich would take "[default: ...]" in a help text for markup, and drop it
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)


@app.callback()
def start(
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.", is_eager=True)] = False,
) -> None:
    """Does a model that tells which method made a fake still work on a dataset it has not seen?"""
    if version:
        console.print(f"dfx {VERSION}")
        raise typer.Exit


app.command("demo", short_help="Three miniature datasets, from videos to the cross-dataset report.")(demo.demo)
app.command("doctor", short_help="What this machine has, and which backend that gives.")(doctor.doctor)
app.command("sample", short_help="Generate a miniature dataset in the real one's tree.")(sample.sample)
app.command("shard", short_help="Convert a dataset into a store.")(shard.shard)
app.command("layouts", short_help="The datasets that dfx reads: trees, sizes, licences, access.")(layouts.layouts)
app.command("info", short_help="What a store holds.")(info.info)
app.command("verify", short_help="Whether a store is whole, to the byte or to the pixel.")(verify.verify)
app.command("repair", short_help="Write what is damaged in a store anew.")(repair.repair)
app.command("merge", short_help="Several stores as one.")(merge.merge)
app.command("filter", short_help="The samples of a store that an expression holds for.")(filter.filter_)
app.command("reshard", short_help="The same samples in larger or smaller tars.")(reshard.reshard)
app.command("preview", short_help="A store's methods, a clip, or an augmentation, as a picture.")(preview.preview)
app.command("train", short_help="Train a model on stores.")(train.train)
app.command("transfer", short_help="Train a run on with new data beside its own.")(transfer.transfer)
app.command("fewshot", short_help="What a run's embeddings make of new methods with few clips each.")(fewshot.fewshot)
app.command("eval", short_help="Score a run on stores.")(evaluate.evaluate_runs)
app.command("compare", short_help="Whether one run is better than another on the same samples.")(compare.compare)
app.command("degradation", short_help="What runs lose on datasets that they have not seen.")(degradation.degradation)
app.command("openset", short_help="Whether a run notices methods that it was never shown.")(openset.openset)
app.command("robustness", short_help="A run under JPEG, blur, noise and scaling.")(robustness.robustness)
app.command("predict", short_help="Which method made an image or video, or that it is real.")(predict.predict)
app.command("export", short_help="A run's model as ONNX or TorchScript; a store as folders.")(export.export)
app.command("tune", short_help="Search losses and backbones on each source, measure on every target.")(tune.tune)
app.command("profile", short_help="Whether a training waits for its input, and what to change.")(profile.profile)
app.command("report", short_help="Runs or a sweep as one HTML page.")(report.report)
benchmarks = typer.Typer(help="Measure on your own machine.", no_args_is_help=True)
benchmarks.command("loader", short_help="The loader, beside other loaders and bare JPEG decoding.")(bench.bench_loader)
app.add_typer(benchmarks, name="bench")
imports = typer.Typer(help="Make runs of weights that other programs published.", no_args_is_help=True)
imports.command("mesonet", short_help="MesoNet's weights, from Keras.")(import_.import_mesonet)
app.add_typer(imports, name="import")


def main() -> None:
    """Run a command. What a user can mend is one line and exit code 1; anything else is our defect, in full."""
    try:
        app()
    except DfxError as error:
        errors.print(Text("error", "bold red"), str(error))
        sys.exit(1)
    except SystemExit as done:
        if done.code == 130:  # what typer makes of Ctrl-C
            again = "run it again with --resume" if sys.argv[1:2] in (["train"], ["tune"]) else "run it again"
            errors.print(f"interrupted; what is finished is kept: {again}")
        raise
