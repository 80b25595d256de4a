"""JSON reports of fault tests."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any


def print_report(report: Any, out: Path | None) -> None:
    """Write a dataclass as JSON to standard output, and to `out` if given."""
    text = json.dumps(asdict(report), indent=1) + "\n"
    if out is not None:
        out.write_text(text, "utf-8")
    sys.stdout.write(text)
