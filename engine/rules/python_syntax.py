"""Small constructors of Python syntax trees.

A compiled rule set is a Python function built from syntax nodes, never from text: only the node
kinds written here can occur in it, and it sees no builtins but those handed to it.
"""

from __future__ import annotations

import ast
import types
from collections.abc import Mapping, Sequence
from typing import Any

Expr = ast.expr
Stmt = ast.stmt

NONE = ast.Constant(None)
TRUE = ast.Constant(value=True)
FALSE = ast.Constant(value=False)


def load(name: str) -> ast.Name:
    """The value of a variable."""
    return ast.Name(name, ast.Load())


def assign(name: str, value: Expr) -> Stmt:
    """`name = value`."""
    return ast.Assign([ast.Name(name, ast.Store())], value)


def unpack(names: Sequence[str], values: Expr) -> Stmt:
    """`a, b, c = values`."""
    targets: list[Expr] = [ast.Name(name, ast.Store()) for name in names]
    return ast.Assign([ast.Tuple(targets, ast.Store())], values)


def bind(name: str, value: Expr) -> Expr:
    """`(name := value)`."""
    return ast.NamedExpr(ast.Name(name, ast.Store()), value)


def call(function: str, *arguments: Expr) -> Expr:
    """`function(arguments)`."""
    return ast.Call(load(function), list(arguments), [])


def is_none(value: Expr) -> Expr:
    """`value is None`."""
    return ast.Compare(value, [ast.Is()], [NONE])


def is_not_none(value: Expr) -> Expr:
    """`value is not None`."""
    return ast.Compare(value, [ast.IsNot()], [NONE])


def is_true(value: Expr) -> Expr:
    """`value is True`."""
    return ast.Compare(value, [ast.Is()], [TRUE])


def is_false(value: Expr) -> Expr:
    """`value is False`."""
    return ast.Compare(value, [ast.Is()], [FALSE])


def negated(test: Expr) -> Expr:
    """`not test`, written plainly where it can be."""
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        flip = {ast.Is: ast.IsNot, ast.IsNot: ast.Is}.get(type(test.ops[0]))
        if flip is not None:
            return ast.Compare(test.left, [flip()], test.comparators)
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return test.operand
    return ast.UnaryOp(ast.Not(), test)


def is_bool(value: Expr) -> Expr:
    """`value is True or value is False`."""
    return ast.BoolOp(ast.Or(), [is_true(value), is_false(value)])


def either(tests: Sequence[Expr]) -> Expr:
    """`test or test`; False for none."""
    if not tests:
        return FALSE
    return tests[0] if len(tests) == 1 else ast.BoolOp(ast.Or(), list(tests))


def both(tests: Sequence[Expr]) -> Expr:
    """`test and test`; True for none."""
    if not tests:
        return TRUE
    return tests[0] if len(tests) == 1 else ast.BoolOp(ast.And(), list(tests))


def choose(test: Expr, consequent: Expr, alternative: Expr) -> Expr:
    """`consequent if test else alternative`."""
    return ast.IfExp(test, consequent, alternative)


def compare(left: Expr, operator: ast.cmpop, right: Expr) -> Expr:
    """`left operator right`."""
    return ast.Compare(left, [operator], [right])


def tuple_of(items: Sequence[Expr]) -> Expr:
    """`(item, item)`."""
    return ast.Tuple(list(items), ast.Load())


def dict_of(items: Mapping[str, Expr]) -> Expr:
    """`{"key": value}`."""
    return ast.Dict([ast.Constant(key) for key in items], list(items.values()))


def item(sequence: Expr, index: int) -> Expr:
    """`sequence[index]`."""
    return ast.Subscript(sequence, ast.Constant(index), ast.Load())


def joined(before: str, middle: Expr, behind: str) -> Expr:
    """`before + middle + behind`, of texts."""
    return ast.BinOp(
        ast.BinOp(ast.Constant(before), ast.Add(), middle), ast.Add(), ast.Constant(behind)
    )


def append(target: str, value: Expr) -> Stmt:
    """`target.append(value)`."""
    return ast.Expr(ast.Call(ast.Attribute(load(target), "append", ast.Load()), [value], []))


def when(test: Expr, body: Sequence[Stmt], otherwise: Sequence[Stmt] = ()) -> Stmt:
    """`if test: body else: otherwise`."""
    return ast.If(test, list(body), list(otherwise))


def for_each(targets: Sequence[str], lists: Sequence[Expr], body: Sequence[Stmt]) -> Stmt:
    """`for targets in zip(lists): body`, with plain iteration over a single list."""
    if len(targets) == 1:
        return ast.For(ast.Name(targets[0], ast.Store()), lists[0], list(body), [])
    names = ast.Tuple([ast.Name(name, ast.Store()) for name in targets], ast.Store())
    return ast.For(names, call("zip", *lists), list(body), [])


def generator(element: Expr, target: str, items: Expr) -> Expr:
    """`element for target in items`."""
    loop = ast.comprehension(ast.Name(target, ast.Store()), items, [], 0)
    return ast.GeneratorExp(element, [loop])


def function(
    name: str, parameters: Sequence[str], body: Sequence[Stmt], scope: Mapping[str, Any]
) -> types.FunctionType:
    """The Python function of these statements, seeing only `scope`."""
    arguments = ast.arguments(
        posonlyargs=[],
        args=[ast.arg(parameter) for parameter in parameters],
        kwonlyargs=[],
        kw_defaults=[],
        defaults=[],
    )
    definition = ast.FunctionDef(name, arguments, list(body), [], None, None)
    if "type_params" in ast.FunctionDef._fields:  # Python 3.12 and later
        setattr(definition, "type_params", [])  # noqa: B010
    module = ast.fix_missing_locations(ast.Module([definition], []))
    code = compile(module, f"<rule set {name}>", "exec", dont_inherit=True)
    (inner,) = [part for part in code.co_consts if isinstance(part, types.CodeType)]
    return types.FunctionType(inner, {"__builtins__": {}, **scope}, name)
