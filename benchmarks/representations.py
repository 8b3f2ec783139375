"""Do networks arrange odours as the demo's animals do? The table in ``docs/networks.md``.

make demo
python -m benchmarks.representations results/demo
"""

import sys
from pathlib import Path

import pandas as pd

from benchmarks.report import placed, table
from piriform.tables import load_table

PAGE = Path(__file__).parent.parent / "docs" / "networks.md"
STAGES = ("start", "plateau", "end")
HEADER = (
    "candidate",
    "cosine: start, plateau, end",
    "tau-a: start, plateau, end",
    "cosine, end minus plateau",
    "end minus shared odorants",
    "movement per day",
)


def representations_text(study: Path) -> str:
    """Return one line per candidate: its scores at every stage, the two differences, and the movement."""
    found = load_table(study / "representations.csv", "representations")
    found = found[found["sessions"] == "overtraining"]
    scores = found[(found["minus"] == "") & found["score"].isin(["cosine", "tau-a"])]
    ceilings = [
        f"{score} {part['ceiling_low'].iloc[0]:.3f} to {part['ceiling_high'].iloc[0]:.3f}"
        for score, part in scores.groupby("score")
    ]
    about = f"The demo's four animals; {scores['conditions'].iloc[0]}; noise ceiling: {', '.join(ceilings)}"
    lines = [_line(str(name), part) for name, part in found.groupby("candidate", sort=False)]
    return f"{about}; p before Holm's correction.\n\n{table(HEADER, lines)}"


def _line(name: str, part: pd.DataFrame) -> list[str]:
    cosine, tau = (_stages(part[(part["score"] == score) & (part["minus"] == "")]) for score in ("cosine", "tau-a"))
    late = part[(part["score"] == "cosine") & (part["stage"] == "end")]
    differences = [_test(late[late["minus"] == minus], 3) for minus in ("plateau", "shared odorants")]
    return [name, cosine, tau, *differences, _test(part[part["score"] == "movement"], 2)]


def _stages(part: pd.DataFrame) -> str:
    """Means in the order of training; of a model one."""
    order = [*STAGES, ""]
    part = part.sort_values("stage", key=lambda column: column.map(order.index))
    return ", ".join(f"{value:.3f}" for value in part["mean"])


def _test(part: pd.DataFrame, digits: int) -> str:
    """Mean, interval and p, where there is a test."""
    if part.empty or pd.isna(part["mean"].iloc[0]):
        return ""
    row = part.iloc[0]
    return f"{row['mean']:.{digits}f} [{row['low']:.{digits}f}, {row['high']:.{digits}f}], p = {row['p']:.2g}"


def main(study: Path) -> None:
    """Write the page's table."""
    PAGE.write_text(placed(PAGE.read_text(), {"representations": representations_text(study)}))
    print(PAGE)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
