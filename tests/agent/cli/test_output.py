"""Progress says how long the rest will take."""

import pytest

from agent.cli import output


@pytest.mark.parametrize(
    ("elapsed_s", "done", "rest", "words"),
    [
        (10, 0.5, 0.5, "10 s"),
        (60, 0.25, 0.75, "3 min"),
        (3_600, 0.1, 0.9, "9.0 h"),
        (1, 0.5, 0.5, ""),
        (10, 0.0, 1.0, ""),
        (10, 1.0, 0.0, ""),
    ],
)
def test_the_time_left_follows_the_pace_so_far(elapsed_s: float, done: float, rest: float, words: str) -> None:
    assert output.time_left(elapsed_s, done, rest) == words


def test_a_log_s_lines_tell_the_time_left_of_each_stage(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter(range(0, 1_000, 30))
    monkeypatch.setattr(output, "monotonic", lambda: float(next(clock)))
    with output.progress_bar(quiet=False) as tell:
        tell("import: 0 rows", 0.0)
        tell("import: 10000 rows", 0.5)
        tell("import: 20000 rows", 1.0)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "import: 0 rows 0 %"
    assert lines[1].startswith("import: 10000 rows 50 %, about ")
    assert lines[2] == "import: 20000 rows 100 %"
