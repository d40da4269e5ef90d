"""How loops over the bytes of texts are compiled, and the steps that they share.

Belongs here: the decorators, and looking at bytes eight at a time. Does not belong here: any loop
with a meaning of its own, where texts lie (`textplaces`). Why some loops are compiled at all:
docs/decisions/0009-compiled-scans.md.

The steps take addresses, not arrays: a call would count references to each array. `limit` is the
place behind the last byte that may be read at all; from there on they look byte by byte.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

QUOTE, BACKSLASH, COLON, COMMA = 34, 92, 58, 44
OPEN_OBJECT, CLOSE_OBJECT, OPEN_ARRAY, CLOSE_ARRAY = 123, 125, 91, 93


def compile_loop(function: Callable[..., Any]) -> Any:
    """Compile for use by several threads at once; the result is kept on disk where that can be.

    Everything is inlined: a call counts references to each array, which costs more than the call.
    """
    try:
        return numba.njit(function, nogil=True, cache=True, inline="always")
    except RuntimeError:  # no folder to keep it in: compiled anew in each process
        return numba.njit(function, nogil=True, inline="always")


def compile_step(function: Callable[..., Any]) -> Any:
    """Compile a function that loops call, of numbers alone or called a few times per text.

    What is inlined is compiled again at each place, for seconds where there are many.
    """
    try:
        return numba.njit(function, nogil=True, cache=True)
    except RuntimeError:
        return numba.njit(function, nogil=True)


def _load(bits: int, kind: Any) -> Any:
    """Return a compiled function that reads a number at any address."""

    def declare(typingctx: Any, address: Any) -> Any:
        return kind(types.uint64), generate

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = builder.inttoptr(args[0], ir.IntType(bits).as_pointer())
        return builder.load(pointer, align=1)

    return intrinsic(declare)


def _declare_store(typingctx: Any, address: Any, value: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store(args[1], builder.inttoptr(args[0], ir.IntType(64).as_pointer()), align=1)
        return context.get_dummy_value()

    return types.void(types.uint64, types.uint64), generate


def _declare_first(typingctx: Any, value: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        zeros = builder.cttz(args[0], ir.Constant(ir.IntType(1), 0))
        return builder.lshr(zeros, ir.Constant(ir.IntType(64), 3))

    return types.uint64(types.uint64), generate


load_u8 = _load(8, types.uint8)
load_u32 = _load(32, types.uint32)
load_u64 = _load(64, types.uint64)
store_u64: Any = intrinsic(_declare_store)
first_byte: Any = intrinsic(_declare_first)
"""The number of the lowest byte that is not zero."""

_ONES = np.uint64(0x0101010101010101)
_HIGHS = np.uint64(0x8080808080808080)
_QUOTES = np.uint64(0x2222222222222222)
_BACKSLASHES = np.uint64(0x5C5C5C5C5C5C5C5C)
_BELOW_SPACE = np.uint64(0x2020202020202020)
_DELETES = np.uint64(0x7F7F7F7F7F7F7F7F)


@compile_step
def byte_at(base: Any, at: Any, end: Any) -> Any:
    """Return the byte at a place; behind the end zero, which stands for nothing."""
    return load_u8(base + np.uint64(at)) if at < end else np.uint8(0)


@compile_loop
def mark_zero(word: Any) -> Any:
    """Return a word that is zero unless one of eight bytes is; its lowest mark is the first's."""
    return (word - _ONES) & ~word & _HIGHS


@compile_loop
def mark_special(word: Any) -> Any:
    """Return a word that is zero unless one of eight bytes is a quote or a backslash.

    Its lowest byte that is not zero belongs to the first such byte; bytes above it mean nothing.
    """
    return mark_zero(word ^ _QUOTES) | mark_zero(word ^ _BACKSLASHES)


@compile_loop
def mark_unplain(word: Any) -> Any:
    """As `mark_special`, and for control characters too."""
    return mark_special(word) | ((word - _BELOW_SPACE) & ~word & _HIGHS)


@compile_loop
def mark_control(word: Any) -> Any:
    """Return a word that is zero unless one of eight bytes is a control character of ASCII."""
    return ((word - _BELOW_SPACE) & ~word & _HIGHS) | mark_zero(word ^ _DELETES)


@compile_step
def find_special(base: Any, at: Any, end: Any, limit: Any) -> Any:
    """Return the place of the first quote or backslash from `at` on, or `end`."""
    while at < end:
        if at + 8 <= limit:
            marks = mark_special(load_u64(base + np.uint64(at)))
            if marks != np.uint64(0):
                return min(at + np.int64(first_byte(marks)), end)
            at += 8
        else:
            byte = load_u8(base + np.uint64(at))
            if byte == QUOTE or byte == BACKSLASH:  # noqa: SIM109 - no tuple in the loop
                return at
            at += 1
    return end


@compile_step
def find_unplain(base: Any, at: Any, end: Any, limit: Any) -> Any:
    """Return the place of the first quote, backslash or control character, or `end`."""
    while at < end:
        if at + 8 <= limit:
            marks = mark_unplain(load_u64(base + np.uint64(at)))
            if marks != np.uint64(0):
                return min(at + np.int64(first_byte(marks)), end)
            at += 8
        else:
            byte = load_u8(base + np.uint64(at))
            if byte < 32 or byte == QUOTE or byte == BACKSLASH:  # noqa: SIM109
                return at
            at += 1
    return end


@compile_step
def load_part(base: Any, at: Any, count: Any, limit: Any) -> Any:
    """Return `count` bytes, at most eight, as a number; zeros behind them."""
    if at + 8 <= limit:
        word = load_u64(base + np.uint64(at))
        if count >= 8:
            return word
        return word & ((np.uint64(1) << np.uint64(8 * count)) - np.uint64(1))
    word = np.uint64(0)
    for place in range(count):
        word |= np.uint64(load_u8(base + np.uint64(at + place))) << np.uint64(8 * place)
    return word


@compile_step
def hash_bytes(base: Any, start: Any, stop: Any, limit: Any, seed: Any) -> Any:
    """Return 64 bits that depend on the bytes and the seed; equal seeds give equal hashes.

    Two multiplications per word: after one, a change of its highest bit could be undone by the next
    word whatever the seed is, and names are written by attackers.
    """
    value = seed ^ (np.uint64(stop - start) * np.uint64(0x9E3779B97F4A7C15))
    while start < stop:
        count = min(stop - start, 8)
        value = (value ^ load_part(base, start, count, limit)) * np.uint64(0xD6E8FEB86659FD93)
        value = (value ^ (value >> np.uint64(29))) * np.uint64(0x9E3779B97F4A7C15)
        value ^= value >> np.uint64(32)
        start += count
    return value


@compile_step
def is_same(
    base: Any, at: Any, limit: Any, other: Any, begin: Any, other_limit: Any, count: Any
) -> Any:
    """Return whether `count` bytes at two places are equal."""
    while count > 0:
        step = min(count, 8)
        if load_part(base, at, step, limit) != load_part(other, begin, step, other_limit):
            return False
        at += step
        begin += step
        count -= step
    return True
