"""Run `eval policy` on simulated shops, write JSON and HTML, and print the results."""

import json as jsonlib
import sys
from collections.abc import Collection, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer

from agent.cli.exit_codes import ExitCode
from agent.cli.output import print_json, print_table
from eval.page import page, table
from eval.policy import cold_start as policy_cold
from eval.policy import frontier as policy_frontier
from eval.policy import pybandits_peer, vowpal_peer
from eval.policy import redrawn as policy_redrawn
from eval.policy.report import print_report, write_page
from eval.policy.suites import Peers, PolicyReport, Suite, policies, run_suite
from models.progress import Progress


def simulators_command(suite: Suite, target: Path, progress: Progress, *, json: bool) -> PolicyReport:
    """Run every policy on every shop.

    Raises:
        typer.Exit: Peers are required but not installed.
        typer.BadParameter: A policy name is unknown.
    """
    if suite.peers is Peers.ALL and not (vowpal_peer.available() and pybandits_peer.available()):
        sys.stderr.write(
            "pricesmith: vowpalwabbit or pybandits is missing; remedy: make peers, then run with .peers/bin/python\n"
        )
        raise typer.Exit(ExitCode.FAILED)
    known = {policy for world in suite.worlds for policy in policies(suite, world, 0)}
    _check_known(suite.only, known)
    report = run_suite(suite, progress)
    facts = asdict(report)
    _write(target / "policy.json", facts)
    write_page(report, target / "policy.html")
    if json:
        print_json(facts)
    else:
        print_report(report)
        sys.stdout.write(f"report: {target / 'policy.html'}\n")
    return report


def cold_start_command(suite: Suite, target: Path, progress: Progress, *, json: bool) -> None:
    """Run the cold-start evaluation: new products with and without data of other products.

    Raises:
        typer.BadParameter: A policy name is unknown.
    """
    known = {policy for launch in policy_cold.LAUNCHES for policy in policy_cold.policies(launch, *[suite.models] * 2)}
    _check_known(suite.only, known)
    lines = policy_cold.cold_start(suite.models, suite.seeds, suite.only, progress)
    facts = {"seeds": suite.seeds, "lines": [asdict(line) for line in lines]}
    _write(target / "policy-cold-start.json", facts)
    _print("Cold start", (policy_cold.COLUMNS, policy_cold.rows(lines)), facts, json=json)


def weights_command(suite: Suite, target: Path, progress: Progress, *, json: bool) -> None:
    """Run the trade-off between the weights of the objective, and plot the frontier."""
    points = policy_frontier.frontier(suite.models, suite.visits, suite.seeds, progress)
    facts = {"visits": suite.visits, "seeds": suite.seeds, "points": [asdict(point) for point in points]}
    _write(target / "policy-weights.json", facts)
    shown = policy_frontier.COLUMNS, policy_frontier.rows(points)
    body = f"<h1>Trade-off between weights</h1><figure>{policy_frontier.picture(points)}</figure>{table(*shown)}"
    (target / "policy-weights.html").write_text(page("Pricesmith: weights", body), "utf-8")
    _print(f"Trade-off between weights: {policy_frontier.WORLD}", shown, facts, json=json)


def redrawn_command(suite: Suite, target: Path, shops: int, progress: Progress, *, json: bool) -> None:
    """Run the policies on redrawn shops of every family of demand.

    Raises:
        typer.BadParameter: A policy name is unknown.
    """
    known = policy_redrawn.policies(suite.models)
    _check_known(suite.only, known)
    lines = policy_redrawn.redrawn(suite.models, suite.visits, shops, suite.only, progress)
    facts = {"visits": suite.visits, "shops": shops, "lines": [asdict(line) for line in lines]}
    _write(target / "policy-redrawn.json", facts)
    _print("Redrawn shops", (policy_redrawn.COLUMNS, policy_redrawn.rows(lines)), facts, json=json)


def _check_known(only: Sequence[str], known: Collection[str]) -> None:
    unknown = [policy for policy in only if policy not in known]
    if unknown:
        raise typer.BadParameter(f"{', '.join(unknown)}; allowed: {', '.join(sorted(known))}", param_hint="--policy")


def _print(title: str, shown: tuple[Sequence[str], list[list[str]]], facts: dict[str, Any], *, json: bool) -> None:
    if json:
        print_json(facts)
    else:
        print_table(title, *shown)


def _write(path: Path, facts: dict[str, Any]) -> None:
    path.write_text(jsonlib.dumps(facts, indent=1) + "\n", "utf-8")
