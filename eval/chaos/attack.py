"""`make attack`: schema-based fuzzing of the HTTP API; no 5xx and no undocumented response.

Schemathesis generates requests for every operation, half of them violating the schema, sends them to a server process
on loopback, and checks each response: no server error, documented status, content type, headers and body.

    python -m eval.chaos.attack --cases 10000         (needs the extra `dev`)
"""

import argparse
import secrets
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import schemathesis
from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from agent.cli.output import progress_bar
from agent.service.settings import Settings
from eval.chaos.report import print_report
from eval.chaos.world import prepared_world
from eval.serving import ForkedServer, free_port, stop_on_sigterm, wait_ready
from models.progress import Progress

CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
_SHOWN: Final = 30


@dataclass(slots=True)
class AttackReport:
    """Counts of requests and responses; `problems` have operation, request body and violation."""

    cases: int = 0
    operations: int = 0
    seconds: float = 0.0
    statuses: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def attack(url: str, key: str, cases: int, progress: Progress, number: int = 0) -> AttackReport:
    """Send at least `cases` requests, spread over all operations; `number` is the seed.

    Operations with few parameters have few distinct requests; the rest of their share goes to the others in further
    rounds. Fewer requests are sent only if no operation has more.
    """
    report, began = AttackReport(), time.perf_counter()
    answers: Counter[str] = Counter()
    schema = schemathesis.openapi.from_url(f"{url}/schema/openapi.json")
    found = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
    kinds = [(operation, mode) for operation in found for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)]
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=60) as http:
        while kinds and report.cases < cases:
            share, more = -(-(cases - report.cases) // len(kinds)), []
            for operation, mode in kinds:
                before = report.cases
                _fuzz_operation(operation, mode, http, (share, number), (report, answers))
                if report.cases - before >= share:
                    more.append((operation, mode))
                progress("attack", min(1.0, report.cases / cases))
            kinds, number = more, number + 1
    report.operations, report.seconds = len(found), round(time.perf_counter() - began, 1)
    report.statuses = dict(sorted(answers.items()))
    return report


def _fuzz_operation(
    operation: Any,
    mode: GenerationMode,
    http: httpx.Client,
    amount: tuple[int, int],
    results: tuple[AttackReport, Counter[str]],
) -> None:
    """Fuzz one operation; a failing request does not end its run."""
    (share, number), (report, answers) = amount, results

    @seed(number)
    @settings(
        max_examples=share,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        verbosity=Verbosity.quiet,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def send(case: Any) -> None:
        report.cases += 1
        headers = {"Authorization": http.headers["Authorization"]}
        answer = case.call(headers=headers)
        answers[str(answer.status_code)] += 1
        try:
            case.validate_response(answer, checks=CHECKS)
        except (Exception, FailureGroup) as error:  # FailureGroup is not a subclass of Exception
            if len(report.problems) < _SHOWN:
                reasons = "; ".join(str(one) for one in getattr(error, "exceptions", [error]))
                report.problems.append(
                    f"{operation.label} {str(case.body)[:300]} -> {answer.status_code}: {reasons[:400]}"
                )

    try:
        send()
    except Exception as error:  # operations without parameters have no invalid requests
        if mode is GenerationMode.POSITIVE:
            report.problems.append(f"{operation.label}: no request could be generated: {str(error)[:300]}")


def main() -> int:
    """Run and print the report; returns exit code 1 if there were problems."""
    parser = argparse.ArgumentParser(prog="python -m eval.chaos.attack", description=__doc__.partition("\n")[0])
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--world", type=Path, help="a prepared data folder to copy; without one a small one is made")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pricesmith-attack-") as folder, progress_bar(quiet=False) as progress:
        settings_ = Settings(data_dir=Path(folder) / "data")
        prepared_world(settings_, options.world, progress)
        key, port = secrets.token_urlsafe(24), free_port()
        environment = {"PRICESMITH_BOOTSTRAP_KEY": key, "PRICESMITH_LANGUAGE_MODEL": "false"}
        server = ForkedServer(settings_.data_dir, port, environment, settings_.data_dir / "serve.log")
        try:
            wait_ready(server, f"http://127.0.0.1:{port}")
            report = attack(f"http://127.0.0.1:{port}", key, options.cases, progress, options.seed)
        finally:
            server.stop()
    print_report(report, options.json)
    return 1 if report.problems else 0


if __name__ == "__main__":
    stop_on_sigterm()
    sys.exit(main())
