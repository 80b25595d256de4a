"""What fault runs found, as JSON."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any


def print_report(report: Any, out: Path | None) -> None:
    """A report, which is a dataclass, on standard output, and in a file where one is named."""
    text = json.dumps(asdict(report), indent=1) + "\n"
    if out is not None:
        out.write_text(text, "utf-8")
    sys.stdout.write(text)
