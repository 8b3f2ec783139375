"""Which linear classifiers fit many labellings of the same trials? Exact solutions, thousands at a time."""

from piriform.solvers.engine import fit, heldout, heldout_multiclass
from piriform.solvers.models import HeldOut, LinearModels

__all__ = ["HeldOut", "LinearModels", "fit", "heldout", "heldout_multiclass"]
