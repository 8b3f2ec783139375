"""How do the measurements read as tables in Markdown, and how do they get into a page?"""

import os
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from threadpoolctl import threadpool_info

from benchmarks.measure import Row

PACKAGES = ("piriform", "numba", "numpy", "scipy", "scikit-learn", "decodanda", "mne", "pynapple", "jax", "torch")


def table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Return a table whose first column is text and whose others are numbers."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join("| " + " | ".join(line) + " |" for line in [header, rule, *lines])


def rates(found: Sequence[Row], shares: dict[str, tuple[float, float]]) -> str:
    """Return one line per method; shares: iterations and share of the arithmetic limit, by method."""
    header = ["", "fits / s", "fits / CPU-s (range)", "ratio (range)", "accuracy", "fits timed", "iterations", "limit"]
    lines = []
    for row in found:
        steps, share = shares.get(row.method, (0.0, 0.0))
        low, high = number(row.cpu_rate[1]), number(row.cpu_rate[2])
        lines.append(
            [
                row.method,
                number(row.rate[0]),
                f"{number(row.cpu_rate[0])} ({low}-{high})",
                f"{number(row.ratio[0])} ({number(row.ratio[1])}-{number(row.ratio[2])})",
                f"{row.accuracy:.3f}",
                f"{row.n_fits:,}",
                f"{steps:.1f}" if steps else "",
                f"{share:.0%}" if share else "",
            ]
        )
    return table(header, lines)


def number(value: float) -> str:
    """Return three significant digits.

    Examples
    --------
    >>> number(12345.6), number(0.01234), number(9.996), number(123.4)
    ('12,300', '0.0123', '10.0', '123')
    """
    if value == 0:
        return "0"
    digits = 2 - int(f"{value:.2e}".split("e")[1])
    return f"{round(value, digits):,.{max(digits, 0)}f}"


def duration(seconds: float) -> str:
    """Return seconds, minutes or hours.

    Examples
    --------
    >>> duration(0.0314), duration(95.0), duration(600.0), duration(9000.0)
    ('0.0314 s', '95.0 s', '10.0 min', '2.50 h')
    """
    for unit, name in ((3600.0, "h"), (60.0, "min")):
        if seconds >= 2 * unit:
            return f"{number(seconds / unit)} {name}"
    return f"{number(seconds)} s"


def machine() -> str:
    """Return the processor, its caches, the system and the versions of packages."""
    found = []
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"no {package}")
    return (
        f"{_processor()}, {os.cpu_count()} cores; {_caches()}; {platform.system()} {platform.machine()}; "
        f"Python {platform.python_version()}, {', '.join(found)}; OpenBLAS kernels: {_kernels()}. Load average at the start {os.getloadavg()[0]:.1f}."
    )


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    text = cpuinfo.read_text() if cpuinfo.exists() else ""
    values = {line.split(":")[0].strip(): line.split(":")[1].strip() for line in text.splitlines() if ":" in line}
    if "model name" not in values:
        return platform.processor() or platform.machine()
    return f"{values['model name']} (family {values.get('cpu family', '?')}, model {values.get('model', '?')})"


def _kernels() -> str:
    """The processor for which OpenBLAS chose its code; ``OPENBLAS_CORETYPE`` can make it another than this one."""
    return ", ".join(sorted({one["architecture"] for one in threadpool_info() if "architecture" in one})) or "none"


def _caches() -> str:
    folders = sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*"))
    found = [[(folder / name).read_text().strip() for name in ("level", "type", "size")] for folder in folders]
    return ", ".join(f"L{level} {size}" for level, kind, size in found if kind != "Instruction") or "caches unknown"


def placed(page: str, parts: dict[str, str]) -> str:
    """Return the page with each part between its markers.

    Examples
    --------
    >>> placed("a <!-- begin x --> old <!-- end x --> b", {"x": "new"}).split("\\n\\n")
    ['a <!-- begin x -->', 'new', '<!-- end x --> b']
    """
    for name, text in parts.items():
        begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
        if begin not in page or end not in page:
            raise ValueError(f"the page has no place for {name!r}: it needs the lines {begin} and {end}")
        before, after = page.split(begin)[0], page.split(end)[1]
        page = f"{before}{begin}\n\n{text}\n\n{end}{after}"
    return page
