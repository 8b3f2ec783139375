"""Which simulated studies do the group tests see?"""

from dataclasses import dataclass

import numpy as np

from piriform.serial import expected_autocorrelation, residual_autocorrelation, serial_fits, solved_rho

N_SUBJECTS = 4


@dataclass(frozen=True)
class Cell:
    """One kind of study; effects are changes over the window, in day-to-day SDs of a subject.

    Attributes
    ----------
    rho : correlation of neighbouring days
    effect, one : change in all subjects; change in the first subject only
    tau : SD of the subjects' true slopes, in sampling SDs of a slope
    days : least and most sessions of a subject
    sds : day-to-day SD of each subject
    weekends : sessions only on five days of seven
    """

    rho: float = 0.0
    effect: float = 0.0
    one: float = 0.0
    tau: float = 0.0
    days: tuple[int, int] = (9, 13)
    sds: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0)
    weekends: bool = False


CELLS = {
    "rho 0": Cell(),
    "rho .3": Cell(rho=0.3),
    "rho .6": Cell(rho=0.6),
    "tau 1": Cell(tau=1.0),
    "tau 1, rho .6": Cell(tau=1.0, rho=0.6),
    "tau 3": Cell(tau=3.0),
    "one subject, 3 SD": Cell(one=3.0),
    "one subject, 10 SD": Cell(one=10.0),
    "6-12 days": Cell(days=(6, 12)),
    "SDs .5, 1, 1, 2": Cell(sds=(0.5, 1.0, 1.0, 2.0)),
    "SDs .5, 1, 1, 2, 6-12 days, rho .3": Cell(sds=(0.5, 1.0, 1.0, 2.0), days=(6, 12), rho=0.3),
    "weekends, rho .3": Cell(rho=0.3, weekends=True),
    "1.5 SD": Cell(effect=1.5),
    "2 SD": Cell(effect=2.0),
    "3 SD": Cell(effect=3.0),
    "1.5 SD, rho .3": Cell(effect=1.5, rho=0.3),
    "2 SD, rho .3": Cell(effect=2.0, rho=0.3),
    "3 SD, rho .3": Cell(effect=3.0, rho=0.3),
    "2 SD, rho .6": Cell(effect=2.0, rho=0.6),
    "3 SD, rho .6": Cell(effect=3.0, rho=0.6),
    "2 SD, tau 1": Cell(effect=2.0, tau=1.0),
    "2 SD, SDs .5, 1, 1, 2": Cell(effect=2.0, sds=(0.5, 1.0, 1.0, 2.0)),
}


@dataclass(frozen=True)
class Studies:
    """Days and values (n_studies, n_subjects, n_days), NaN at the end; what each test starts from; the true mean.

    ``slope, se`` come from generalised least squares with the study's rho; ``plain`` from least squares.
    """

    day: np.ndarray
    y: np.ndarray
    plain: np.ndarray
    plain_se: np.ndarray
    slope: np.ndarray
    se: np.ndarray
    own_se: np.ndarray
    own: np.ndarray
    truth: float


def studies(cell: Cell, n_studies: int, rng: np.random.Generator) -> Studies:
    """Simulate studies and fit their slopes."""
    most = cell.days[1]
    calendar = np.array([day for day in range(2 * most) if not cell.weekends or day % 7 < 5][:most], dtype=float)
    n_days = rng.integers(cell.days[0], most + 1, size=(n_studies, N_SUBJECTS))
    kept = np.arange(most) < n_days[..., None]
    day = np.where(kept, calendar, np.nan)
    noise = _ar1((n_studies, N_SUBJECTS, int(calendar[-1]) + 1), cell.rho, rng)[..., calendar.astype(int)]
    cov = cell.rho ** np.abs(calendar[:, None] - calendar)
    off = np.where(kept, day - np.nanmean(day, axis=-1, keepdims=True), 0.0)
    sampling = np.sqrt(np.einsum("sgi,ij,sgj->sg", off, cov, off)) / (off**2).sum(axis=-1)
    change = np.full(N_SUBJECTS, cell.effect)
    change[0] += cell.one
    common = change / calendar[n_days - 1]
    true = common + cell.tau * sampling * rng.normal(size=n_days.shape)
    y = np.where(kept, np.array(cell.sds)[:, None] * noise + true[..., None] * day, np.nan)
    return _fitted(day, y, n_days, truth=float(common.mean()))


def _fitted(day: np.ndarray, y: np.ndarray, n_days: np.ndarray, *, truth: float) -> Studies:
    observed = residual_autocorrelation(day, y)
    table = {n: expected_autocorrelation(day[tuple(np.argwhere(n_days == n)[0])]) for n in np.unique(n_days)}
    expected = np.stack([table[n] for n in n_days.ravel()]).reshape(*n_days.shape, -1)
    weight = (n_days - 2) / (n_days - 2).sum(axis=-1, keepdims=True)
    rho = solved_rho((weight * observed).sum(axis=-1), (weight[..., None] * expected).sum(axis=1))
    plain, _, plain_se = serial_fits(day, y, np.zeros(n_days.shape))
    slope, _, se = serial_fits(day, y, np.broadcast_to(rho[:, None], n_days.shape))
    own, _, own_se = serial_fits(day, y, solved_rho(observed, expected))
    return Studies(day, y, plain, plain_se, slope, se, own_se, own, truth)


def _ar1(shape: tuple[int, ...], rho: float, rng: np.random.Generator) -> np.ndarray:
    noise = rng.normal(size=shape)
    for i in range(1, shape[-1]):
        noise[..., i] = rho * noise[..., i - 1] + np.sqrt(1 - rho**2) * noise[..., i]
    return noise
