"""Which study is simulated under a scenario and a number?"""

from collections.abc import Mapping

from piriform.provenance import rng_for
from piriform.simulate.truth import SCENARIOS, Truth, scenario_truth


def study_seed(seed: int, scenario: str, study: int) -> int:
    """Return the seed of one study, a number below 2^31 that depends on names and nothing else.

    Examples
    --------
    >>> study_seed(1, "null", 0) == study_seed(1, "null", 0) != study_seed(1, "null", 1)
    True
    """
    return int(rng_for(seed, "calibrate", scenario, study).integers(2**31))


def truth_of(scenario: str, parameters: Mapping[str, float]) -> Truth:
    """Return the truth of a scenario in a design of one's own; what the scenario itself sets comes first."""
    own = {name: value for name, value in parameters.items() if name not in SCENARIOS.get(scenario, ("", {}))[1]}
    return scenario_truth(scenario, own)
