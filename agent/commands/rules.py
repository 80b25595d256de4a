"""`rules`: the merchant's hand on the wheel."""

from typing import Annotated

import typer

from agent.assembly import open_store
from agent.clock import SystemClock
from agent.commands.options import DataDir, Json, settings_for
from agent.commands.output import print_facts, print_json
from agent.kill_switch import KillSwitch

app = typer.Typer(no_args_is_help=True, help="Hold the reference price for everyone, or release.")


@app.command("hold")
def hold(
    reason: Annotated[str, typer.Option(help="Told in each quote's trail.")] = "held by the merchant",
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Every quote is the reference price from now on, running servers included. Example: pricesmith rules hold."""
    with open_store(settings_for(data_dir)) as store:
        made = KillSwitch(store).hold("command line", reason, SystemClock().now())
    facts = {"held": True, "since": made.since, "reason": made.reason}
    print_json(facts) if json else print_facts(facts)


@app.command("release")
def release(data_dir: DataDir = None, json: Json = False) -> None:
    """Prices may be personalised again. Example: pricesmith rules release."""
    with open_store(settings_for(data_dir)) as store:
        KillSwitch(store).release()
    print_json({"held": False}) if json else print_facts({"held": False})
