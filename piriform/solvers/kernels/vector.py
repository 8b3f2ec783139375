"""How does a kernel say "these eight numbers at once"?

Eight float64 travel in one value of type ``lanes``, with + - * / between two of them; LLVM turns it
into one AVX-512 register, two AVX or four SSE or NEON registers. Arrays are flat and contiguous;
offsets are not checked. Every operation here rounds as IEEE 754 says, in the order written, so the
bytes that come out do not depend on the processor or on what surrounds the code.
"""

import math
import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, lower_builtin, models, register_model, type_callable

LANES = 8
DOUBLE = ir.DoubleType()
VECTOR = ir.VectorType(DOUBLE, LANES)
INTEGERS = ir.VectorType(ir.IntType(64), LANES)


class Lanes(types.Type):
    """Eight float64."""

    def __init__(self) -> None:
        super().__init__(name="Lanes")


lanes = Lanes()


@register_model(Lanes)
class LanesModel(models.PrimitiveModel):
    """Held as one LLVM vector."""

    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, VECTOR)


def instruction(function: Callable[..., Any]) -> Any:
    """Make ``function``, which writes LLVM, callable in kernels."""
    return intrinsic(function)


def _address(context: Any, builder: Any, signature: Any, args: Any, pointee: Any) -> Any:
    data = context.make_array(signature.args[0])(context, builder, args[0]).data
    return builder.bitcast(builder.gep(data, [args[1]], inbounds=True), pointee.as_pointer())


def _spread(builder: Any, number: Any) -> Any:
    first = builder.insert_element(ir.Constant(VECTOR, ir.Undefined), number, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, first, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES))


def _constant(number: float) -> Any:
    return ir.Constant(VECTOR, [number] * LANES)


def _call(builder: Any, name: str, *values: Any) -> Any:
    kind = ir.FunctionType(VECTOR, [VECTOR] * len(values))
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}.v{LANES}f64"), values)


@instruction
def load(typing: Any, array: Any, offset: Any) -> Any:
    """array[offset : offset + 8]."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        value = builder.load(_address(context, builder, signature, args, VECTOR))
        value.align = 8
        return value

    return lanes(array, types.intp), generate


@instruction
def store(typing: Any, array: Any, offset: Any, value: Any) -> Any:
    """array[offset : offset + 8] = value."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store(args[2], _address(context, builder, signature, args, VECTOR)).align = 8
        return context.get_dummy_value()

    return types.none(array, types.intp, lanes), generate


@instruction
def at(typing: Any, array: Any, offset: Any) -> Any:
    """array[offset]."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load(_address(context, builder, signature, args, DOUBLE))

    return types.float64(array, types.intp), generate


@instruction
def spread_at(typing: Any, array: Any, offset: Any) -> Any:
    """Eight times array[offset]."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _spread(builder, builder.load(_address(context, builder, signature, args, DOUBLE)))

    return lanes(array, types.intp), generate


@instruction
def spread(typing: Any, number: Any) -> Any:
    """Eight times one number."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _spread(builder, args[0])

    return lanes(types.float64), generate


@instruction
def total(typing: Any, x: Any) -> Any:
    """Sum of the eight numbers: ((0+4) + (2+6)) + ((1+5) + (3+7))."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        value = args[0]
        for half in (4, 2, 1):
            low, high = (
                builder.shuffle_vector(value, value, ir.Constant(ir.VectorType(ir.IntType(32), half), chosen))
                for chosen in (list(range(half)), list(range(half, 2 * half)))
            )
            value = builder.fadd(low, high)
        return builder.extract_element(value, ir.Constant(ir.IntType(32), 0))

    return types.float64(lanes), generate


def _fused(negate: bool) -> Any:
    @instruction
    def apply(typing: Any, a: Any, x: Any, y: Any) -> Any:
        kind = lanes if lanes in (a, x, y) else types.float64

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            first = builder.fneg(args[1]) if negate else args[1]
            if kind == lanes:
                return _call(builder, "fma", first, args[2], args[0])
            return builder.fma(first, args[2], args[0])

        return kind(kind, kind, kind), generate

    return apply


#: a + x y and a - x y, rounded once, for lanes or for single numbers.
plus_product, less_product = _fused(False), _fused(True)


@instruction
def where_positive(typing: Any, x: Any, yes: Any, no: Any) -> Any:
    """``yes`` where x > 0, ``no`` elsewhere."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_ordered(">", args[0], _constant(0.0)), args[1], args[2])

    return lanes(lanes, lanes, lanes), generate


@instruction
def root(typing: Any, x: Any) -> Any:
    """Square roots."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _call(builder, "sqrt", args[0])

    return lanes(lanes), generate


@instruction
def decay(typing: Any, x: Any) -> Any:
    """exp(-|x|), to about one unit in the last place.

    exp(-|x|) = 2^k exp(r) with |r| <= ln(2)/2: exp(r) is its Taylor polynomial of degree 13; adding
    1.5 * 2^52 to k leaves the bits of the integer k at the end of the mantissa.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        power = _call(builder, "maxnum", builder.fneg(_call(builder, "fabs", args[0])), _constant(-700.0))
        k = _call(builder, "rint", builder.fmul(power, _constant(1.4426950408889634)))
        r = _call(builder, "fma", k, _constant(-0.6931471803691238), power)
        r = _call(builder, "fma", k, _constant(-1.9082149292705877e-10), r)
        value = _constant(1.0 / math.factorial(13))
        for degree in range(12, -1, -1):
            value = _call(builder, "fma", value, r, _constant(1.0 / math.factorial(degree)))
        shifted = builder.bitcast(builder.fadd(k, _constant(6755399441055744.0)), INTEGERS)
        exponent = builder.shl(shifted, ir.Constant(INTEGERS, [52] * LANES))
        return builder.bitcast(builder.add(exponent, builder.bitcast(value, INTEGERS)), VECTOR)

    return lanes(lanes), generate


def _pairwise(name: str) -> Any:
    @instruction
    def apply(typing: Any, x: Any, y: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return _call(builder, name, *args)

        return lanes(lanes, lanes), generate

    return apply


#: Elementwise larger and smaller of two.
larger, smaller = _pairwise("maxnum"), _pairwise("minnum")


def _teach_operator(function: Any, instruction: str) -> None:
    """Let kernels write x + y and the like for two values of type lanes."""

    @type_callable(function)
    def typed(context: Any) -> Any:
        return lambda x, y: lanes if x == lanes and y == lanes else None

    @lower_builtin(function, lanes, lanes)
    def lowered(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return getattr(builder, instruction)(*args)


for _function, _instruction in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _teach_operator(_function, _instruction)
