"""Options that the commands of `eval` share."""

from pathlib import Path
from typing import Annotated

import typer

Out = Annotated[
    Path | None, typer.Option(help="Folder of the report. Default: eval in the data folder.", show_default=False)
]
