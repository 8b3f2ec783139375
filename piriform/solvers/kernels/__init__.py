"""Which kernels are compiled? Those of the solvers; import :mod:`piriform.solvers.kernels.run` where numba exists."""
