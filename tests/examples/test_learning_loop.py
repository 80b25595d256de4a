import re
from pathlib import Path

from tests.examples.conftest import KEY, Running, run_example


def test_declined_offers_lower_what_the_next_quote_expects(running: Running, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text(KEY)
    words = ["--url", running.url, "--key-file", str(key), "--product", running.world.never_bought, "--rounds", "6"]
    done = run_example("learning_loop.py", *words)
    assert done.returncode == 0, done.stderr
    chances = [float(found) for found in re.findall(r"reference ([0-9.]+)$", done.stdout, re.MULTILINE)]
    assert len(chances) == 7
    assert chances[-1] < chances[0]
