"""What docs/benchmarks.md says about claims."""

import pathlib
from typing import Any

from bench import markdown
from bench.plots import NAMES

Data = dict[str, Any]
CLAIMS, CLAIM_RATIO = 500.0, 2.0


def aims(cases: list[Data]) -> list[list[str]]:
    """PostgreSQL's rate at its best number of processes, and each database's cost of a long line."""
    rows = []
    for database in dict.fromkeys(case["database"] for case in cases):
        here = [case for case in cases if case["database"] == database]
        few, many = (end(case["waiting"] for case in here) for end in (min, max))
        rate = max(case["per_second"] for case in here if case["waiting"] == few)
        if database == "postgresql":
            what = f"Claims a second ({NAMES[database]}, 2 cores)"
            rows.append([what, f"at least {CLAIMS:g}", f"{rate:.0f}", markdown.met(rate >= CLAIMS)])
        alone = {case["waiting"]: case["claim_p50"] for case in here if case["processes"] == 1}
        ratio = alone[many] / alone[few]
        what = f"A claim with {many:,} waiting, against {few:,} ({NAMES[database]})"
        aim = f"at most {CLAIM_RATIO:g} times"
        rows.append([what, aim, f"{ratio:.2f} times", markdown.met(ratio <= CLAIM_RATIO)])
    return rows


def section(data: Data, about: Data, pictures: pathlib.Path) -> str:
    """Every case in a table."""
    rows = [
        [
            NAMES[case["database"]],
            f"{case['waiting']:,}",
            str(case["processes"]),
            f"{case['per_second']:,.0f}",
            markdown.ms(case["claim_p50"]),
            markdown.ms(case["claim_p99"]),
        ]
        for case in data["cases"]
    ]
    return markdown.section(
        "Claims",
        about,
        f"Processes that claim a step and record its answer, as fast as they can, in rounds of {data['round']}; "
        f"the steps belong to {data['people']} people in equal parts. A second's rate counts both, claim and answer; "
        "the milliseconds are the claim's, with its wait for the others.",
        markdown.table(
            [
                "database",
                "steps waiting",
                "processes",
                "claimed and answered a second",
                "claim p50",
                "claim p99",
            ],
            rows,
        ),
    )
