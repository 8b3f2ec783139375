"""What came of every claim about the networks, and of the comparison with the demo's animals? Tables in ``docs/networks.md``.

piriform networks --cores 2 && make demo
python -m benchmarks.experiments results/networks results/demo
"""

import json
import sys
from pathlib import Path

import pandas as pd

from benchmarks.report import placed, table
from piriform.networks.experiments import QUESTIONS
from piriform.tables import load_table

PAGE = Path(__file__).parent.parent / "docs" / "networks.md"
HEADER = ("claim", "outcome", "quantity", "mean [95% interval]", "p")


def claims_text(results: Path) -> str:
    """Return one section per experiment that is there: its question, its claims and its remarks."""
    parts = []
    for name, question in QUESTIONS.items():
        folder = results / "networks" / name
        if not (folder / "about.json").exists():
            continue
        about = json.loads((folder / "about.json").read_text())
        claims = load_table(folder / "network_claims.csv", "network_claims")
        cpu = pd.read_csv(results / "benchmarks" / f"network_{name}.tsv", sep="\t")["cpu_time"].iloc[0]
        parts += [
            f"### `{name}`: {question}",
            f"{about['seeds']} networks per condition, `--seed {about['seed']}`, {cpu:.0f} CPU-s.",
            table(HEADER, [_line(row, about["seeds"]) for row in claims.to_dict("records")]),
            "\n".join(f"- {remark}" for remark in about["remarks"]),
        ]
    return "\n\n".join(filter(None, parts))


def _line(row: dict, n_seeds: int) -> list[str]:
    bound = f", within {row['bound']:g}" if row["bound"] else ""
    bound += f" of {row['against']:g}" if row["against"] and row["bound"] else ""
    bound += f", against {row['against']:g}" if row["against"] and not row["bound"] else ""
    what = f"`{row['quantity']}`, {row['condition']}" + (f" minus {row['minus']}" if row["minus"] else "")
    agree = row["low"] == row["high"]
    fewer = f", {row['n_seeds']} networks" if row["n_seeds"] < n_seeds else ""
    return [
        f"{row['claim']} ({row['expected']}{bound})",
        row["outcome"],
        what,
        f"{row['mean']:.3g} [{row['low']:.3g}, {row['high']:.3g}]{fewer}",
        "all alike" if agree else f"{row['p_holm']:.2g}",
    ]


def comparison_text(study: Path) -> str:
    """Return the table of the comparison."""
    found = load_table(study / "comparison.csv", "comparison")
    lines = [
        [
            row["candidate"],
            str(row["n_networks"] or ""),
            f"{row['skill']:.2f}" if row["status"] == "ok" else "",
            f"{row['seed_low']:.2f} to {row['seed_high']:.2f}" if pd.notna(row["seed_low"]) else "",
            f"{row['tau_days']:.2g}" if pd.notna(row["tau_days"]) else "",
            _gain(row, "line"),
            _gain(row, "logarithm"),
            "" if row["status"] == "ok" else row["status"],
        ]
        for row in found.to_dict("records")
    ]
    header = (
        "candidate",
        "networks",
        "skill",
        "with one network alone",
        "tau, days",
        "gain over the line",
        "gain over the logarithm",
        "",
    )
    return f"The demo's four animals, `{found['metric'].iloc[0]}`:\n\n{table(header, lines)}"


def _gain(row: dict, trend: str) -> str:
    if pd.isna(row[f"p_{trend}"]):
        return ""
    mean, low, high, p = (row[f"{name}_{trend}"] for name in ("mean", "low", "high", "p"))
    return f"{mean:.2f} [{low:.2f}, {high:.2f}], p = {p:.2g}"


def main(results: Path, study: Path | None) -> None:
    """Write the page's tables."""
    parts = {"claims": claims_text(results)}
    if study is not None:
        parts["comparison"] = comparison_text(study)
    PAGE.write_text(placed(PAGE.read_text(), parts))
    print(PAGE)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
