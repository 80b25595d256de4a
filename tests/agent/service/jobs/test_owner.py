import subprocess
import sys

from agent.service.jobs.owner import has_ended, own_name


def test_a_process_has_ended_when_it_is_gone_and_not_before() -> None:
    code = "from agent.service.jobs.owner import own_name; print(own_name(), flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1, text=True) as other:  # noqa: S603 own code
        assert other.stdout is not None
        name = other.stdout.readline().strip()
        alive = has_ended(name)
        other.communicate("\n")
    assert (alive, has_ended(name)) == (False, True)


def test_nothing_is_known_of_processes_elsewhere() -> None:
    machine, process, began, token = own_name().split("|")
    assert not has_ended("|".join(("elsewhere", process, "0.00", token)))
    assert not has_ended("anything")
    assert has_ended("|".join((machine, process, f"{float(began) - 9:.2f}", token))), "an earlier one had that number"
