"""Built-in functions on lists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from functools import cmp_to_key
from typing import Any

from engine.feel.arithmetic import add, calculate, divide
from engine.feel.invocation import BuiltIn, Parameter, call_function
from engine.feel.run import Run
from engine.feel.temporal import DaysTimeDuration, YearsMonthsDuration
from engine.feel.values import FeelFunction, Value, equal, order, singleton


def list_contains(run: Run, items: list[Value], element: Value) -> Value:
    """Whether a list holds an element."""
    run.tick(len(items))
    return any(equal(run, item, element) is True for item in items)


def list_replace(run: Run, items: list[Value], place: Value, new_item: Value) -> Value:
    """The list with a new item at a position, or wherever a function of item and new item says so."""
    if isinstance(place, Decimal):
        index = _index(items, place)
        if index is None:
            return run.null(f"the list has no item {place}")
        return [*items[:index], new_item, *items[index + 1 :]]
    replaced = []
    for item in items:
        run.tick()
        verdict = call_function(run, place, [item, new_item])
        if not isinstance(verdict, bool):
            return run.null("the function of 'list replace' must give true or false")
        replaced.append(new_item if verdict else item)
    return replaced


def _index(items: list[Value], position: Decimal) -> int | None:
    """The index of a FEEL position, 1 the first and -1 the last; a fraction is cut off."""
    if not 1 <= abs(position) < len(items) + 1:
        return None
    return int(position) - 1 if position > 0 else len(items) + int(position)


def count(_: Run, items: list[Value]) -> Value:
    """The number of items, nulls too."""
    return Decimal(len(items))


def minimum(run: Run, items: list[Value]) -> Value:
    """The least item; null of an empty list."""
    return _extreme(run, items, -1)


def maximum(run: Run, items: list[Value]) -> Value:
    """The greatest item; null of an empty list."""
    return _extreme(run, items, 1)


def _extreme(run: Run, items: list[Value], sign: int) -> Value:
    if not items:
        return run.null("the list is empty")
    best = items[0]
    for item in items:
        comparison = order(item, best)
        if comparison is None:
            return run.null("the items have no common order")
        if comparison == sign:
            best = item
    return best


def total(run: Run, items: list[Value]) -> Value:
    """The sum of numbers or durations; null of an empty list."""
    if not items:
        return run.null("the list is empty")
    result = items[0]
    if not isinstance(result, (Decimal, DaysTimeDuration, YearsMonthsDuration)):
        return run.null("the items have no sum")
    for item in items[1:]:
        if type(item) is not type(result):
            return run.null("the items have no sum")
        result = add(run, result, item)
        if result is None:
            return None
    return result


def mean(run: Run, items: list[Value]) -> Value:
    """The arithmetic mean; null of an empty list."""
    whole = total(run, items)
    return None if whole is None else divide(run, whole, Decimal(len(items)))


def product(run: Run, items: list[Value]) -> Value:
    """The product of numbers; null of an empty list."""
    numbers = _numbers(run, items)
    if not numbers:
        return None
    result = Decimal(1)
    for number in numbers:
        step = calculate(run, run.numbers.multiply, result, number)
        if step is None:
            return None
        result = step
    return result


def _numbers(run: Run, items: list[Value]) -> list[Decimal] | None:
    """The items, if all are numbers and there is one; else null."""
    if not items:
        return run.null("the list is empty")
    if not all(isinstance(item, Decimal) for item in items):
        return run.null("not every item is a number")
    return items


def median(run: Run, items: list[Value]) -> Value:
    """The number in the middle, or the mean of the two; null of an empty list."""
    numbers = _numbers(run, items)
    if not numbers:
        return None
    ordered = sorted(numbers)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return mean(run, ordered[middle - 1 : middle + 1])


def standard_deviation(run: Run, items: list[Value]) -> Value:
    """The standard deviation of a sample; null for fewer than two numbers."""
    numbers = _numbers(run, items)
    if not numbers or len(numbers) < 2:
        return run.null("a standard deviation needs two numbers")
    context = run.numbers
    centre = mean(run, numbers)
    squares = Decimal(0)
    for number in numbers:
        distance = calculate(run, context.subtract, number, centre)
        square = (
            calculate(run, context.multiply, distance, distance) if distance is not None else None
        )
        added = calculate(run, context.add, squares, square) if square is not None else None
        if added is None:
            return None
        squares = added
    variance = calculate(run, context.divide, squares, Decimal(len(numbers) - 1))
    return None if variance is None else calculate(run, context.sqrt, variance)


def mode(run: Run, items: list[Value]) -> Value:
    """The numbers that occur most often, in ascending order."""
    if not items:
        return []
    numbers = _numbers(run, items)
    if numbers is None:
        return None
    counts = Counter(numbers)
    most = max(counts.values())
    return sorted(number for number, times in counts.items() if times == most)


def all_true(run: Run, items: list[Value]) -> Value:
    """False if an item is false, else null if one is not true, else true."""
    if any(item is False for item in items):
        return False
    if all(item is True for item in items):
        return True
    return run.null("not every item is true or false")


def any_true(run: Run, items: list[Value]) -> Value:
    """True if an item is true, else null if one is not false, else false."""
    if any(item is True for item in items):
        return True
    if all(item is False for item in items):
        return False
    return run.null("not every item is true or false")


def sublist(run: Run, items: list[Value], start: Decimal, length: Decimal | None) -> Value:
    """The part of a list from a position, 1 the first and -1 the last item."""
    first = _index(items, start)
    if first is None:
        return run.null(f"the list has no item {start}")
    if length is None:
        return items[first:]
    if not 1 <= length < len(items) - first + 1:
        return run.null(f"the list has no {length} items from item {start}")
    return items[first : first + int(length)]


def append(run: Run, items: list[Value], new_items: list[Value]) -> Value:
    """The list with more items at its end."""
    run.items(len(items) + len(new_items))
    return [*items, *new_items]


def concatenate(run: Run, lists: list[Value]) -> Value:
    """The items of several lists as one list."""
    joined: list[Value] = []
    for part in lists:
        if part is None:
            return run.null("null is not a list")
        joined.extend(singleton(part))
        run.tick(run.items(len(joined)))
    return joined


def insert_before(run: Run, items: list[Value], position: Decimal, new_item: Value) -> Value:
    """The list with a new item before a position."""
    index = _index(items, position)
    if index is None:
        return run.null(f"the list has no item {position}")
    run.items(len(items) + 1)
    return [*items[:index], new_item, *items[index:]]


def remove(run: Run, items: list[Value], position: Decimal) -> Value:
    """The list without the item at a position."""
    index = _index(items, position)
    if index is None:
        return run.null(f"the list has no item {position}")
    return [*items[:index], *items[index + 1 :]]


def reverse(_: Run, items: list[Value]) -> Value:
    """The list in reverse order."""
    return items[::-1]


def index_of(run: Run, items: list[Value], match: Value) -> Value:
    """The positions of an element."""
    run.tick(len(items))
    return [
        Decimal(position)
        for position, item in enumerate(items, 1)
        if equal(run, item, match) is True
    ]


def union(run: Run, lists: list[Value]) -> Value:
    """The items of several lists, each once."""
    joined = concatenate(run, lists)
    return None if joined is None else distinct_values(run, joined)


def distinct_values(run: Run, items: list[Value]) -> Value:
    """The items, each once, in the order of their first occurrence."""
    kept: list[Value] = []
    for item in items:
        run.tick(len(kept) + 1)
        if not any(equal(run, item, other) is True for other in kept):
            kept.append(item)
    return kept


def flatten(run: Run, items: list[Value]) -> Value:
    """The items with every list among them replaced by its items, at any depth."""
    flat: list[Value] = []
    pending = items[::-1]
    while pending:
        item = pending.pop()
        run.tick()
        if isinstance(item, list):
            pending.extend(reversed(item))
        else:
            flat.append(item)
    run.items(len(flat))
    return flat


def sort(run: Run, items: list[Value], precedes: FeelFunction | None) -> Value:
    """The list in ascending order, or in the order that a function of two items says."""
    if precedes is None:
        if any(order(item, items[0]) is None for item in items):
            return run.null("the items have no common order")
        return sorted(items, key=cmp_to_key(lambda left, right: order(left, right) or 0))
    undecided: list[Any] = []

    def comparison(left: Value, right: Value) -> int:
        run.tick()
        verdict = call_function(run, precedes, [left, right])
        if not isinstance(verdict, bool):
            undecided.append(verdict)
            return 0
        return -1 if verdict else 1

    ordered = sorted(items, key=cmp_to_key(comparison))
    if undecided:
        return run.null("the function of 'sort' must give true or false")
    return ordered


_LIST = Parameter("list", ("list",))


def _of(name: str, function: Callable[..., Value], *parameters: Parameter) -> BuiltIn:
    return BuiltIn(name, function, (parameters,))


def _open(name: str, function: Callable[..., Value], *parameters: Parameter) -> BuiltIn:
    return BuiltIn(name, function, (parameters,), variadic="list")


_POSITION = Parameter("position", ("number",))

LIST_FUNCTIONS = (
    _of("list contains", list_contains, _LIST, Parameter("element")),
    BuiltIn(
        "list replace",
        list_replace,
        (
            (_LIST, _POSITION, Parameter("newItem")),
            (_LIST, Parameter("match", ("function",)), Parameter("newItem")),
        ),
    ),
    _of("count", count, _LIST),
    _open("min", minimum, _LIST),
    _open("max", maximum, _LIST),
    _open("sum", total, _LIST),
    _open("mean", mean, _LIST),
    _open("all", all_true, _LIST),
    _open("any", any_true, _LIST),
    _of(
        "sublist",
        sublist,
        _LIST,
        Parameter("start position", ("number",)),
        Parameter("length", ("number",), optional=True),
    ),
    BuiltIn("append", append, ((_LIST, Parameter("item", ("list",))),), variadic="each"),
    BuiltIn("concatenate", concatenate, ((_LIST,),), variadic="each"),
    _of("insert before", insert_before, _LIST, _POSITION, Parameter("newItem")),
    _of("remove", remove, _LIST, _POSITION),
    _of("reverse", reverse, _LIST),
    _of("index of", index_of, _LIST, Parameter("match")),
    BuiltIn("union", union, ((_LIST,),), variadic="each"),
    _of("distinct values", distinct_values, _LIST),
    _of("flatten", flatten, _LIST),
    _open("product", product, _LIST),
    _open("median", median, _LIST),
    _open("stddev", standard_deviation, _LIST),
    _open("mode", mode, _LIST),
    _of("sort", sort, _LIST, Parameter("precedes", ("function",), optional=True)),
)
