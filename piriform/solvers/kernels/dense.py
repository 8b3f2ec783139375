"""How fast can one core multiply, factorise and solve matrices of ten to a few thousand rows?

A symmetric matrix is a flat array of stride ``width`` (a multiple of 8) of which the upper triangle,
rounded out to blocks of 8 columns, is used. ``rows`` holds the trials, one row of ``width`` each.
Arrays named ``*8`` interleave eight problems: entry i of problem p is at 8 i + p.
"""

from typing import Any

import numpy as np

from piriform.solvers.kernels.compile import Array, compiled
from piriform.solvers.kernels.vector import at, less_product, load, plus_product, spread, spread_at, store, total

CHUNK = 16


@compiled
def add_outer(
    matrix: Array, rows: Array, chosen: Array, n_chosen: int, weights: Array, width: int, left: Array, right: Array
) -> None:
    """matrix += sum_q weights[q] x_i x_i' with i = chosen[q]; ``left`` and ``right`` hold CHUNK rows each."""
    for start in range(0, n_chosen, CHUNK):
        count = min(CHUNK, n_chosen - start)
        for q in range(count):
            source = chosen[start + q] * width
            weight = spread(-weights[start + q])
            for i in range(0, width, 8):
                x = load(rows, source + i)
                store(left, q * width + i, x)
                store(right, q * width + i, weight * x)
        for j in range(0, width, 8):
            _subtract_products(matrix, j, left, right, count, width)


@compiled
def factorize(matrix: Array, inverse: Array, width: int) -> bool:
    """Overwrite the upper triangle by U with U'U = matrix, ``inverse`` by 1 / U_jj; False if it is not positive."""
    for block in range(0, width, 8):
        _subtract_products(matrix, block, matrix, matrix, block, width)
        for j in range(block, block + 8):
            pivot = at(matrix, j * width + j)
            for k in range(block, j):
                pivot = less_product(pivot, at(matrix, k * width + j), at(matrix, k * width + j))
            if not pivot > 0.0:
                return False
            scale = 1.0 / np.sqrt(pivot)
            inverse[j] = scale
            matrix[j * width + j] = pivot * scale
            for i in range(j + 1, block + 8):
                value = at(matrix, j * width + i)
                for k in range(block, j):
                    value = less_product(value, at(matrix, k * width + j), at(matrix, k * width + i))
                matrix[j * width + i] = value * scale
        for i in range(block + 8, width, 8):
            for j in range(block, block + 8):
                x = load(matrix, j * width + i)
                for k in range(block, j):
                    x = less_product(x, spread_at(matrix, k * width + j), load(matrix, k * width + i))
                store(matrix, j * width + i, x * spread_at(inverse, j))
    return True


@compiled
def solve(factor: Array, inverse: Array, x: Array, width: int) -> None:
    """Overwrite x by the solution of U'U x = b; b comes in x."""
    for j in range(0, width, 8):
        _forward_corner(factor, inverse, x, j, width)
        o = j * width
        s0, s1, s2, s3 = spread_at(x, j), spread_at(x, j + 1), spread_at(x, j + 2), spread_at(x, j + 3)
        s4, s5, s6, s7 = spread_at(x, j + 4), spread_at(x, j + 5), spread_at(x, j + 6), spread_at(x, j + 7)
        for i in range(j + 8, width, 8):
            p = o + i
            u = plus_product(s0 * load(factor, p), s1, load(factor, p + width))
            v = plus_product(s2 * load(factor, p + 2 * width), s3, load(factor, p + 3 * width))
            u = plus_product(plus_product(u, s4, load(factor, p + 4 * width)), s5, load(factor, p + 5 * width))
            v = plus_product(plus_product(v, s6, load(factor, p + 6 * width)), s7, load(factor, p + 7 * width))
            store(x, i, load(x, i) - (u + v))
    for j in range(width - 8, -8, -8):
        o = j * width
        s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = spread(0.0)
        for i in range(j + 8, width, 8):
            p, v = o + i, load(x, i)
            s0, s1 = plus_product(s0, load(factor, p), v), plus_product(s1, load(factor, p + width), v)
            s2, s3 = plus_product(s2, load(factor, p + 2 * width), v), plus_product(s3, load(factor, p + 3 * width), v)
            s4, s5 = plus_product(s4, load(factor, p + 4 * width), v), plus_product(s5, load(factor, p + 5 * width), v)
            s6, s7 = plus_product(s6, load(factor, p + 6 * width), v), plus_product(s7, load(factor, p + 7 * width), v)
        x[j], x[j + 1], x[j + 2], x[j + 3] = (
            at(x, j) - total(s0),
            at(x, j + 1) - total(s1),
            at(x, j + 2) - total(s2),
            at(x, j + 3) - total(s3),
        )
        x[j + 4], x[j + 5], x[j + 6], x[j + 7] = (
            at(x, j + 4) - total(s4),
            at(x, j + 5) - total(s5),
            at(x, j + 6) - total(s6),
            at(x, j + 7) - total(s7),
        )
        _backward_corner(factor, inverse, x, j, width)


@compiled
def scores8(rows: Array, theta8: Array, out8: Array, n_columns: int, width: int, height: int) -> None:
    """out8 = X theta8, for eight problems."""
    for i in range(0, height, 8):
        o = i * width
        s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = spread(0.0)
        for j in range(n_columns):
            t, p = load(theta8, 8 * j), o + j
            s0, s1 = plus_product(s0, spread_at(rows, p), t), plus_product(s1, spread_at(rows, p + width), t)
            s2, s3 = (
                plus_product(s2, spread_at(rows, p + 2 * width), t),
                plus_product(s3, spread_at(rows, p + 3 * width), t),
            )
            s4, s5 = (
                plus_product(s4, spread_at(rows, p + 4 * width), t),
                plus_product(s5, spread_at(rows, p + 5 * width), t),
            )
            s6, s7 = (
                plus_product(s6, spread_at(rows, p + 6 * width), t),
                plus_product(s7, spread_at(rows, p + 7 * width), t),
            )
        _store_eight(out8, 8 * i, s0, s1, s2, s3, s4, s5, s6, s7)


@compiled
def scores_of(rows: Array, chosen: Array, n_chosen: int, theta: Array, out: Array, width: int) -> None:
    """out[i] = row i of X times theta, for each i in ``chosen``."""
    last = max(n_chosen - 1, 0)
    for q in range(0, n_chosen, 4):
        i0, i1 = chosen[q], chosen[min(q + 1, last)]
        i2, i3 = chosen[min(q + 2, last)], chosen[min(q + 3, last)]
        s0 = s1 = s2 = s3 = spread(0.0)
        for j in range(0, width, 8):
            t = load(theta, j)
            s0, s1 = plus_product(s0, load(rows, i0 * width + j), t), plus_product(s1, load(rows, i1 * width + j), t)
            s2, s3 = plus_product(s2, load(rows, i2 * width + j), t), plus_product(s3, load(rows, i3 * width + j), t)
        out[i0], out[i1], out[i2], out[i3] = total(s0), total(s1), total(s2), total(s3)


@compiled
def sums8(rows: Array, r8: Array, out8: Array, width: int, n_trials: int) -> None:
    """out8 = X' r8, for eight problems."""
    for j in range(0, width, 8):
        s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = spread(0.0)
        for i in range(n_trials):
            r, p = load(r8, 8 * i), i * width + j
            s0, s1 = plus_product(s0, spread_at(rows, p), r), plus_product(s1, spread_at(rows, p + 1), r)
            s2, s3 = plus_product(s2, spread_at(rows, p + 2), r), plus_product(s3, spread_at(rows, p + 3), r)
            s4, s5 = plus_product(s4, spread_at(rows, p + 4), r), plus_product(s5, spread_at(rows, p + 5), r)
            s6, s7 = plus_product(s6, spread_at(rows, p + 6), r), plus_product(s7, spread_at(rows, p + 7), r)
        _store_eight(out8, 8 * j, s0, s1, s2, s3, s4, s5, s6, s7)


@compiled
def clear(array: Array, start: int, stop: int) -> None:
    """array[start:stop] = 0."""
    for i in range(start, stop):
        array[i] = 0.0


@compiled
def copy(target: Array, source: Array) -> None:
    """target[:] = source."""
    for i in range(len(source)):
        target[i] = source[i]


@compiled
def copy_upper(target: Array, source: Array, width: int) -> None:
    """Copy the used part of a symmetric matrix."""
    for j in range(width):
        for i in range(j // 8 * 8, width, 8):
            store(target, j * width + i, load(source, j * width + i))


@compiled
def _store_eight(out: Array, o: int, s0: Any, s1: Any, s2: Any, s3: Any, s4: Any, s5: Any, s6: Any, s7: Any) -> None:
    store(out, o, s0)
    store(out, o + 8, s1)
    store(out, o + 16, s2)
    store(out, o + 24, s3)
    store(out, o + 32, s4)
    store(out, o + 40, s5)
    store(out, o + 48, s6)
    store(out, o + 56, s7)


@compiled
def _forward_corner(factor: Array, inverse: Array, x: Array, block: int, width: int) -> None:
    for j in range(block, block + 8):
        value = at(x, j) * at(inverse, j)
        x[j] = value
        for i in range(j + 1, block + 8):
            x[i] = less_product(at(x, i), value, at(factor, j * width + i))


@compiled
def _backward_corner(factor: Array, inverse: Array, x: Array, block: int, width: int) -> None:
    for j in range(block + 7, block - 1, -1):
        value = at(x, j)
        for i in range(j + 1, block + 8):
            value = less_product(value, at(factor, j * width + i), at(x, i))
        x[j] = value * at(inverse, j)


@compiled
def _subtract_products(matrix: Array, block: int, left: Array, right: Array, count: int, width: int) -> None:
    """matrix[block : block+8, block:] -= left[:count, block : block+8]' right[:count, block:]."""
    i = block
    while i + 8 < width:
        o = block * width + i
        a0, b0 = load(matrix, o), load(matrix, o + 8)
        a1, b1 = load(matrix, o + width), load(matrix, o + width + 8)
        a2, b2 = load(matrix, o + 2 * width), load(matrix, o + 2 * width + 8)
        a3, b3 = load(matrix, o + 3 * width), load(matrix, o + 3 * width + 8)
        a4, b4 = load(matrix, o + 4 * width), load(matrix, o + 4 * width + 8)
        a5, b5 = load(matrix, o + 5 * width), load(matrix, o + 5 * width + 8)
        a6, b6 = load(matrix, o + 6 * width), load(matrix, o + 6 * width + 8)
        a7, b7 = load(matrix, o + 7 * width), load(matrix, o + 7 * width + 8)
        for q in range(count):
            x, y = load(right, q * width + i), load(right, q * width + i + 8)
            p = q * width + block
            s = spread_at(left, p)
            a0, b0 = less_product(a0, s, x), less_product(b0, s, y)
            s = spread_at(left, p + 1)
            a1, b1 = less_product(a1, s, x), less_product(b1, s, y)
            s = spread_at(left, p + 2)
            a2, b2 = less_product(a2, s, x), less_product(b2, s, y)
            s = spread_at(left, p + 3)
            a3, b3 = less_product(a3, s, x), less_product(b3, s, y)
            s = spread_at(left, p + 4)
            a4, b4 = less_product(a4, s, x), less_product(b4, s, y)
            s = spread_at(left, p + 5)
            a5, b5 = less_product(a5, s, x), less_product(b5, s, y)
            s = spread_at(left, p + 6)
            a6, b6 = less_product(a6, s, x), less_product(b6, s, y)
            s = spread_at(left, p + 7)
            a7, b7 = less_product(a7, s, x), less_product(b7, s, y)
        _store_rows(matrix, o, width, a0, a1, a2, a3, a4, a5, a6, a7)
        _store_rows(matrix, o + 8, width, b0, b1, b2, b3, b4, b5, b6, b7)
        i += 16
    if i < width:
        o = block * width + i
        a0, a1, a2, a3 = (
            load(matrix, o),
            load(matrix, o + width),
            load(matrix, o + 2 * width),
            load(matrix, o + 3 * width),
        )
        o += 4 * width
        a4, a5, a6, a7 = (
            load(matrix, o),
            load(matrix, o + width),
            load(matrix, o + 2 * width),
            load(matrix, o + 3 * width),
        )
        for q in range(count):
            x, p = load(right, q * width + i), q * width + block
            a0, a1 = less_product(a0, spread_at(left, p), x), less_product(a1, spread_at(left, p + 1), x)
            a2, a3 = less_product(a2, spread_at(left, p + 2), x), less_product(a3, spread_at(left, p + 3), x)
            a4, a5 = less_product(a4, spread_at(left, p + 4), x), less_product(a5, spread_at(left, p + 5), x)
            a6, a7 = less_product(a6, spread_at(left, p + 6), x), less_product(a7, spread_at(left, p + 7), x)
        _store_rows(matrix, o - 4 * width, width, a0, a1, a2, a3, a4, a5, a6, a7)


@compiled
def _store_rows(
    matrix: Array, o: int, width: int, s0: Any, s1: Any, s2: Any, s3: Any, s4: Any, s5: Any, s6: Any, s7: Any
) -> None:
    store(matrix, o, s0)
    store(matrix, o + width, s1)
    store(matrix, o + 2 * width, s2)
    store(matrix, o + 3 * width, s3)
    store(matrix, o + 4 * width, s4)
    store(matrix, o + 5 * width, s5)
    store(matrix, o + 6 * width, s6)
    store(matrix, o + 7 * width, s7)
