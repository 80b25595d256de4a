"""`python -m docs.generator.openapi [FILE]` writes the OpenAPI document to FILE or the screen, without a server."""

import json
import sys
from pathlib import Path

from agent.api.app import openapi_document


def main(arguments: list[str]) -> int:
    """Write the document, one value a line, so that changes of it read well."""
    text = json.dumps(json.loads(openapi_document().json), ensure_ascii=False, indent=2) + "\n"
    if arguments:
        Path(arguments[0]).write_text(text, "utf-8")
    else:
        sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
