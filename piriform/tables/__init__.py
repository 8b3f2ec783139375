"""What may stand in a result table? Columns, kinds, units and checks of every tidy table.

One row is one measurement. The same declarations write the tables, check them on load and make
the reference page ``docs/outputs.md``.
"""

from piriform.tables.checking import TABLES, check_table, empty_table, load_table, save_table
from piriform.tables.columns import Column
from piriform.tables.metrics import METRICS, Metric, metric_of
from piriform.tables.study import PHASES, POOLED

__all__ = [
    "METRICS",
    "PHASES",
    "POOLED",
    "TABLES",
    "Column",
    "Metric",
    "check_table",
    "empty_table",
    "load_table",
    "metric_of",
    "save_table",
]
