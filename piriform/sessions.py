"""Which sessions does a study have, with those that its conversion refused?"""

from collections.abc import Sequence

import pandas as pd

from piriform.convert import refused_sessions, with_refused
from piriform.study import find_files, index_study


def study_sessions(
    data: str | Sequence[str], *, days: str = "date", sessions: Sequence[str] | None = None
) -> pd.DataFrame:
    """Return the table ``sessions`` of a study: a row per file, and per session that a conversion refused.

    Parameters
    ----------
    data, days, sessions : see :func:`piriform.study.find_files` and :func:`piriform.study.index_study`

    Raises
    ------
    ConfigError
        If ``sessions`` names one that does not exist.
    StudyError
        If there is no NWB file, or ``converted.json`` cannot be read.
    """
    refused = refused_sessions(data)
    names = {one.name for one in refused}
    files = [file for file in find_files(data) if str(file) not in names]
    return with_refused(index_study(files, days=days, sessions=sessions), refused)
