"""How does a person read what was found in a study?"""

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any

#: The columns of the table of sessions, by heading.
SHORT = {"subject": "subject", "session": "session", "day": "day", "phase": "phase", "units": "units", "rows": "trials"}


def check_lines(found: Mapping[str, Any]) -> str:
    """Return the text of what :func:`piriform.check.check_study` returned."""
    blocks = [
        [_first_line(found)],
        _subject_lines(found["subjects"]),
        _session_lines(found["sessions"]),
        _column_lines(found["columns"]),
        _metric_lines(found["metrics"]) if found["n_usable"] else [],
        _part_lines(found["parts"]) if found["n_usable"] else [],
        _config_lines(found),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def proposal_yaml(config: Mapping[str, Any], values: Mapping[str, Mapping[str, int]], notes: Sequence[str]) -> str:
    """Return a proposed config as YAML; what has to be decided stands above it in comments.

    Examples
    --------
    >>> print(proposal_yaml({"classes": {"target": []}}, {"kind": {"go": 7}}, []), end="")
    # trials of each value of 'kind': go 7
    classes:
      target: []
    """
    import yaml

    comments = [f"# {note}" for note in notes]
    comments += [f"# trials of each value of {column!r}: {_counted(counts)}" for column, counts in values.items()]
    return "\n".join(
        [*comments, yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True, default_flow_style=None)]
    )


def _first_line(found: Mapping[str, Any]) -> str:
    config = found["config"]["file"] or "the columns and classes of the demo study (no --config)"
    files, subjects = _many(found["n_files"], "file"), _many(len(found["subjects"]), "subject")
    return f"{found['data']}: {files}, {subjects}; {_many(found['n_usable'], 'session')} usable with {config}"


def _subject_lines(subjects: Sequence[Mapping[str, Any]]) -> list[str]:
    rows = [
        [
            row["subject"],
            f"{row['n_usable']} of {row['n_sessions']}",
            f"{row['first'][:10]} to {row['last'][:10]}",
            f"{min(row['days'])} to {max(row['days'])}",
            _counted(row["phases"]),
        ]
        for row in subjects
    ]
    return _table(["subject", "usable", "dates", "days", "phases"], rows) if rows else []


def _session_lines(sessions: Sequence[Mapping[str, Any]]) -> list[str]:
    classes = [name for name in ("target", "nontarget", "probe") if any(name in row["classes"] for row in sessions)]
    others = any(set(row["classes"]) - {"target", "nontarget", "probe"} for row in sessions)
    reasons = list(dict.fromkeys(row["reason"] for row in sessions if row["reason"]))
    heads = [*SHORT.values(), *classes, *(["stimuli"] if others else []), "left out", "windows outside", "usable"]
    rows = []
    for row in sessions:
        counts = [row["classes"].get(name, "") for name in classes] + ([len(row["classes"])] if others else [])
        left = sum(row["excluded"].values()) + row["trials_lost"]
        usable = "yes" if row["usable"] else f"no [{reasons.index(row['reason']) + 1}]"
        shown = [row[name] or "" for name in SHORT]
        shown[1] = shown[1] or row["file"]
        rows.append([*shown, *counts, left or "", row["windows_outside"] or "", usable])
    lines = _table(heads, rows) if rows else []
    lines += [f"  [{number}] {reason}" for number, reason in enumerate(reasons, start=1)]
    return lines + _left_out_lines(sessions)


def _left_out_lines(sessions: Sequence[Mapping[str, Any]]) -> list[str]:
    """Why trials are left out, over all sessions, and what becomes of windows that run past the recording."""
    why: dict[str, int] = {}
    for row in sessions:
        for reason, number in row["excluded"].items():
            why[reason] = why.get(reason, 0) + number
    lines = [f"  left out: {_counted(why)}"] if why else []
    lost = sum(row["trials_lost"] for row in sessions)
    if lost:
        lines.append(f"  left out: {_many(lost, 'trial')} whose analysed windows run past the recording")
    guessed = [row for row in sessions if row["windows_outside"] and row["recorded"]["known_from"] == "last spike"]
    if guessed:
        lines.append(
            f"  in {_many(len(guessed), 'session')} windows run past the last spike and the file has no obs_intervals: "
            "a run takes it for silence"
        )
    return lines


def _column_lines(columns: Mapping[str, Any]) -> list[str]:
    missing = [f"{key} = {one['column']} ({one['n_sessions']})" for key, one in columns["missing"].items()]
    named = [f"{key} = {column}" for key, column in columns["used"].items() if key != column]
    shown = {"named by the config": named, "missing (sessions)": missing, "not used": columns["unmapped"]}
    lines = [f"columns of {columns['table']!r}"]
    for what, names in shown.items():
        lines += fill(f"  {what}: {', '.join(names) or 'none'}", width=118, subsequent_indent=" " * 4).splitlines()
    return lines


def _metric_lines(metrics: Sequence[Mapping[str, Any]]) -> list[str]:
    rows = [
        [row["metric"], f"{row['n_sessions']} of {row['of']}", "; ".join(f"{why} ({n})" for why, n in row["reasons"].items())]
        for row in metrics
    ]  # fmt: skip
    return _table(["metric", "sessions", "why not the others"], rows)


def _part_lines(parts: Sequence[Mapping[str, Any]]) -> list[str]:
    words = {True: "yes", False: "no", None: "?"}
    return _table(
        ["part", "possible", "why not"], [[row["part"], words[row["possible"]], row["reason"]] for row in parts]
    )


def _config_lines(found: Mapping[str, Any]) -> list[str]:
    """The proposal; without one, the parts of the config that a run would use."""
    import yaml

    if found["proposal"]:
        return ["proposed config, by the names of the columns", "", found["proposal"]["yaml"].rstrip()]
    used = {name: part for name, part in found["config"].items() if name != "file"}
    return [
        "config that a run would use",
        "",
        yaml.safe_dump(used, sort_keys=False, allow_unicode=True, default_flow_style=None).rstrip(),
    ]


def _table(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """Columns two spaces apart, text to the left and numbers to the right."""
    texts = [list(heads), *[[str(cell) for cell in row] for row in rows]]
    widths = [max(len(row[column]) for row in texts) for column in range(len(heads))]
    number = [all(isinstance(row[column], int) or row[column] == "" for row in rows) for column in range(len(heads))]
    return [
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, number, strict=True)
        ).rstrip()
        for row in texts
    ]


def _many(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{value or '(empty)'} {number}" for value, number in counts.items())
