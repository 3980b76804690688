"""The command line itself: its name, and its options that many commands share."""

from pathlib import Path
from typing import Annotated

import typer

Overrides = Annotated[
    list[str],
    typer.Option("--set", metavar="KEY=VALUE", help="Change one setting; `probes settings` lists the keys."),
]
Results = Annotated[Path, typer.Option(help="Folder of results.")]

app = typer.Typer(
    help="Layer-wise probing of frozen BERT-like encoders.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
