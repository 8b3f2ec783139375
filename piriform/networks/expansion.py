"""How does the olfactory circuit transform a mixture before the network learns? Fixed, random, non-negative.

Odorants bind to glomeruli; divisive normalisation keeps their total in range (Olsen, Bhandawat &
Wilson 2010, Neuron 66:287); each piriform unit sums a sparse random set of glomeruli, global
inhibition takes away the mean drive, and what remains above zero is its rate. A caricature: their exponent and a
glomerulus's own drive in the denominator are left out, and with the defaults about 44% of the units answer a mixture,
more than in piriform cortex.
"""

from dataclasses import dataclass

import numpy as np

from piriform.errors import ConfigError


@dataclass(frozen=True)
class Expansion:
    """The numbers of the circuit.

    Attributes
    ----------
    n_glomeruli, n_units : glomeruli, and units of the piriform layer
    receptive_share : share of odorants that drive a glomerulus
    connected_share : share of glomeruli that a unit receives
    half_rate : total drive of a mixture's size at which normalisation halves the response; inputs have norm 1
    inhibition : factor of the mean drive of all units that is subtracted from each
    """

    n_glomeruli: int = 200
    n_units: int = 500
    receptive_share: float = 0.1
    connected_share: float = 0.1
    half_rate: float = 1.0
    inhibition: float = 1.0

    def __post_init__(self) -> None:
        if self.n_glomeruli < 1 or self.n_units < 1:
            raise ConfigError(f"a circuit of {self.n_glomeruli} glomeruli and {self.n_units} units; each must be >= 1")
        for name in ("receptive_share", "connected_share"):
            if not 0 < getattr(self, name) <= 1:
                raise ConfigError(f"{name} is {getattr(self, name):g}; a share must lie in (0, 1]")
        if self.half_rate <= 0 or self.inhibition < 0:
            raise ConfigError(
                f"half_rate {self.half_rate:g} must be positive and inhibition {self.inhibition:g} not negative"
            )


@dataclass(frozen=True, eq=False)
class Circuit:
    """One drawn circuit.

    Attributes
    ----------
    binding : (n_odorants, n_glomeruli) array, >= 0
    synapses : (n_glomeruli, n_units) array, >= 0
    """

    expansion: Expansion
    binding: np.ndarray
    synapses: np.ndarray

    @classmethod
    def drawn(cls, expansion: Expansion, n_odorants: int, *, rng: np.random.Generator) -> "Circuit":
        """Draw who drives whom, with exponential strengths."""
        binding = _sparse((n_odorants, expansion.n_glomeruli), expansion.receptive_share, rng)
        return cls(
            expansion, binding, _sparse((expansion.n_glomeruli, expansion.n_units), expansion.connected_share, rng)
        )

    def rates(self, inputs: np.ndarray) -> np.ndarray:
        """Return the rates of the piriform units.

        Parameters
        ----------
        inputs : (n_trials, n_odorants) array; what noise makes negative binds nothing

        Returns
        -------
        (n_trials, n_units) array, >= 0, in arbitrary units; 0 for an input of zeros
        """
        drive = np.maximum(inputs, 0) @ self.binding
        total = drive.mean(axis=1, keepdims=True)
        normalised = drive / (self.expansion.half_rate * self.binding.mean() + total)
        summed = normalised @ self.synapses
        return np.maximum(summed - self.expansion.inhibition * summed.mean(axis=1, keepdims=True), 0)


def _sparse(shape: tuple[int, int], share: float, rng: np.random.Generator) -> np.ndarray:
    """Exponential strengths with mean 1 where connected; every column has at least one connection."""
    connected = rng.random(shape) < share
    connected[rng.integers(shape[0], size=shape[1]), np.arange(shape[1])] = True
    return rng.exponential(size=shape) * connected
