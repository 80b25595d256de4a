"""The generated pages by file name."""

from pathlib import Path
from typing import Final

from docs.generator.columns import columns_page
from docs.generator.commands import commands_page, exit_codes_page
from docs.generator.http import http_page
from docs.generator.problems import problems_page
from docs.generator.settings import settings_page

REFERENCE: Final = Path(__file__).parents[1] / "reference"
NOTE: Final = "<!-- Written by `python -m docs.generator`: change the code that it comes from, then run that. -->"


def pages() -> dict[str, str]:
    """Text of each page."""
    made = {
        "settings.md": settings_page(),
        "commands.md": commands_page(),
        "exit-codes.md": exit_codes_page(),
        "http.md": http_page(),
        "problems.md": problems_page(),
        "import-columns.md": columns_page(),
    }
    return {name: f"{NOTE}\n\n{text}" for name, text in made.items()}
