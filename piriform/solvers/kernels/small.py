"""How fast can one core solve eight small systems side by side?

Entry (j, i) of the matrix of problem p is at 8 (j width + i) + p; the upper triangle is used, rounded
out to blocks of 4 columns.
"""

from piriform.solvers.kernels.compile import Array, compiled
from piriform.solvers.kernels.vector import (
    larger,
    less_product,
    load,
    plus_product,
    root,
    spread,
    store,
    where_positive,
)

#: Width up to which eight systems are solved side by side.
SMALL = 32


@compiled
def factorize8(matrix8: Array, inverse8: Array, n: int, width: int) -> None:
    """Overwrite the upper triangles by U with U'U = matrix, ``inverse8`` by 1 / U_jj; 0 where it is not positive."""
    zero, one = spread(0.0), spread(1.0)
    stride = 8 * width
    for j in range(n):
        for i in range(j // 4 * 4, n, 4):
            o = j * stride + 8 * i
            a, b, c, d = load(matrix8, o), load(matrix8, o + 8), load(matrix8, o + 16), load(matrix8, o + 24)
            for k in range(j):
                u, q = load(matrix8, k * stride + 8 * j), k * stride + 8 * i
                a, b = less_product(a, u, load(matrix8, q)), less_product(b, u, load(matrix8, q + 8))
                c, d = less_product(c, u, load(matrix8, q + 16)), less_product(d, u, load(matrix8, q + 24))
            store(matrix8, o, a)
            store(matrix8, o + 8, b)
            store(matrix8, o + 16, c)
            store(matrix8, o + 24, d)
        pivot = load(matrix8, j * stride + 8 * j)
        inverse = where_positive(pivot, one / root(larger(pivot, spread(1e-300))), zero)
        store(inverse8, 8 * j, inverse)
        for i in range(j, n):
            o = j * stride + 8 * i
            store(matrix8, o, load(matrix8, o) * inverse)


@compiled
def solve8(factor8: Array, inverse8: Array, x8: Array, n: int, width: int) -> None:
    """Overwrite x8 by the solutions of U'U x = b; b comes in x8."""
    stride = 8 * width
    for j in range(n):
        value = load(x8, 8 * j) * load(inverse8, 8 * j)
        store(x8, 8 * j, value)
        for i in range(j + 1, n):
            store(x8, 8 * i, less_product(load(x8, 8 * i), value, load(factor8, j * stride + 8 * i)))
    for j in range(n - 1, -1, -1):
        u, v = load(x8, 8 * j), spread(0.0)
        for i in range(j + 1, n):
            v = plus_product(v, load(x8, 8 * i), load(factor8, j * stride + 8 * i))
        store(x8, 8 * j, (u - v) * load(inverse8, 8 * j))
