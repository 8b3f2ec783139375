"""Which networks predict the animals of a study? From the metrics of both to the table ``comparison``."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from piriform.errors import PiriformError
from piriform.match import TRENDS, Regime, Score, match, regime
from piriform.tables import check_table, metric_of

#: Level at which the networks' own curves must rise: noise around a flat curve, scaled up, would predict any trend.
ALPHA = 0.05
NO_RISE = "not tried, because a rise of these networks after their plateau is not shown"
_COLUMNS = ["mean", "low", "high", "p"]


def comparison(
    metrics: pd.DataFrame,
    behavior: pd.DataFrame,
    network_metrics: pd.DataFrame,
    network_behavior: pd.DataFrame,
    *,
    names: Sequence[str],
) -> pd.DataFrame:
    """Return the table ``comparison``: regimes of networks, the choice among them, trends, behaviour, other animals, by metric.

    Animals count from the plateau of their behaviour on, networks from that of their own answers. Values are
    matched ones on all stimuli, with the sign in which learning moves the metric.

    Parameters
    ----------
    metrics, behavior : tables of the study
    network_metrics, network_behavior : the same of the networks, whose names are ``regime-seed``
    names : metrics to compare

    Returns
    -------
    DataFrame
        One row per metric and candidate; a metric for which there is too little has one row that says so in ``status``.

    Raises
    ------
    PiriformError
        If a network has metrics and no behaviour, or behaviour and no metrics.
    """
    _check_networks(network_metrics, network_behavior)
    rows = [row for name in names for row in _rows(name, metrics, behavior, network_metrics, network_behavior)]
    return check_table(pd.DataFrame(rows), "comparison")


def _check_networks(metrics: pd.DataFrame, behavior: pd.DataFrame) -> None:
    own, others = {*metrics["subject"]}, {*behavior["subject"]}
    if apart := sorted(own ^ others):
        has, lacks = ("metrics", "behavior") if apart[0] in own else ("behavior", "metrics")
        raise PiriformError(
            f"network {apart[0]!r} is in networks/{has}.csv, but not in networks/{lacks}.csv; delete both tables and run "
            "the workflow again"
        )


def _rows(
    name: str,
    metrics: pd.DataFrame,
    behavior: pd.DataFrame,
    network_metrics: pd.DataFrame,
    network_behavior: pd.DataFrame,
) -> list[dict]:
    animals = late_values(name, metrics, behavior).rename(columns={"since": "days"})
    networks = regime_series(late_values(name, network_metrics, network_behavior))
    n_subjects = animals.loc[animals["days"] >= 0, "subject"].nunique()
    curves, without = regime_curves(networks)
    regimes = {key: one for key, one in curves.items() if one.p_rises <= ALPHA}
    untried = [str(key) for key in networks["regime"].unique() if str(key) not in regimes]
    try:
        scores = match(animals, regimes)
    except PiriformError as error:
        return [_row(name, "", None, n_subjects, str(error))]
    n_networks = {key: len(one.seeds) for key, one in curves.items()}
    found: list[tuple[str, Score | None, str]] = [(candidate, score, "ok") for candidate, score in scores.items()]
    found += [(key, None, without.get(key, NO_RISE)) for key in untried]
    return [
        _row(name, candidate, score, n_subjects, status, n_networks=n_networks.get(candidate, 0))
        for candidate, score, status in found
    ]


def regime_curves(series: pd.DataFrame) -> tuple[dict[str, Regime], dict[str, str]]:
    """Return the curves of every regime of :func:`regime_series` after its plateau, and why others have none."""
    curves, without = {}, {}
    for key, part in series.groupby("regime", sort=False):
        try:
            curves[str(key)] = regime(part)
        except PiriformError as error:
            without[str(key)] = str(error)
    return curves, without


def late_values(name: str, metrics: pd.DataFrame, behavior: pd.DataFrame) -> pd.DataFrame:
    """Return a metric of every session with the plateau of its subject.

    Returns
    -------
    DataFrame with ``subject``, ``day``, ``plateau``, ``since`` (days since it, negative before), ``value`` (up means
    learning), ``behavior`` (accuracy in the session); NaN where a subject has no plateau, a session no outcome
    """
    own = metrics[(metrics["metric"] == name) & (metrics["stimuli"] == "all") & (metrics["matching"] == "matched")]
    plateau = behavior.groupby("subject")["plateau_day"].first()
    day, at = own["day"].to_numpy(dtype=float), own["subject"].map(plateau).to_numpy(dtype=float)
    sign = metric_of(name).learning or 1
    accuracy = behavior[behavior["class"] == "all"].groupby(["subject", "session"])["accuracy"].first()
    return pd.DataFrame(
        {
            "subject": own["subject"].to_numpy(),
            "day": day,
            "plateau": at,
            "since": day - at,
            "value": sign * own["value"].to_numpy(dtype=float),
            "behavior": accuracy.reindex(pd.MultiIndex.from_frame(own[["subject", "session"]])).to_numpy(dtype=float),
        }
    )


def regime_series(values: pd.DataFrame) -> pd.DataFrame:
    """Return the values of networks, whose subjects are ``regime-seed``, with ``regime``, ``seed`` and ``step``."""
    names = [str(name).rpartition("-") for name in values["subject"]]
    own = {"regime": [regime for regime, _, _ in names], "seed": [seed for *_, seed in names]}
    return values.rename(columns={"day": "step"}).assign(**own)


def _row(
    metric: str, candidate: str, score: Score | None, n_subjects: int, status: str, *, n_networks: int = 0
) -> dict:
    found = {
        "metric": metric,
        "candidate": candidate,
        "n_networks": n_networks,
        "n_subjects": n_subjects,
        "status": status,
    }
    numbers = dict.fromkeys(("skill", "seed_low", "seed_high", "tau_days", "chosen"), np.nan)
    numbers |= {f"{column}_{trend}": np.nan for trend in TRENDS for column in _COLUMNS}
    if score is not None:
        numbers |= {"skill": score.skill, "tau_days": score.tau, "chosen": score.chosen}
        numbers |= dict(zip(("seed_low", "seed_high"), score.seeds, strict=True))
        for trend, test in score.gains.items():
            values = (test.mean, *test.interval, test.p)
            numbers |= dict(zip([f"{column}_{trend}" for column in _COLUMNS], values, strict=True))
    return found | numbers
