"""FEEL text to a syntax tree (DMN 1.5, 10.3.1.2), by precedence climbing.

FEEL names may hold spaces and operators, so the same text reads differently in different scopes:
the parser is told which names are in scope and takes the longest that fits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from decimal import Decimal, DecimalException
from functools import lru_cache
from typing import NoReturn

from engine.feel import nodes
from engine.feel.bounds import DEFAULT_BOUNDS, Bounds
from engine.feel.built_ins import BUILT_INS
from engine.feel.errors import (
    FeelNestingLimitError,
    FeelNumberLimitError,
    FeelSyntaxError,
    FeelTextLimitError,
)
from engine.feel.lexer import Token, tokens_of, unescaped
from engine.feel.run import arithmetic
from engine.feel.temporal import parse_temporal

KEYWORDS = frozenset(
    {
        *("and", "between", "else", "every", "external", "false", "for", "function", "if", "in"),
        *("instance", "null", "of", "or", "return", "satisfies", "some", "then", "true"),
    }
)
# These may stand inside a name that a text declares itself (`{date of birth: ...}`).
_SOFT_KEYWORDS = frozenset({"of", "function", "external", "instance"})
TYPE_NAMES = (
    "date and time",
    "days and time duration",
    "day and time duration",
    "years and months duration",
    "year and month duration",
)
_COMPARISONS = ("=", "!=", "<", "<=", ">", ">=")
# What may begin a range with one end, such as `(< 5)`.
_ONE_ENDED = ("=", "<", "<=", ">", ">=")
_OPENERS = frozenset({"number", "string", "name", "other"})

# A word list trie: a token's text leads on; the key None holds the name that ends there.
Trie = dict[str | None, "Trie | str"]


def parse_expression(
    text: str,
    names: Iterable[str] = frozenset(),
    *,
    entries: Iterable[str] = frozenset(),
    bounds: Bounds = DEFAULT_BOUNDS,
    several: bool = False,
) -> nodes.Node:
    """The syntax tree of an expression.

    Args:
        text: the expression.
        names: the variables and extra functions in scope; built-in names are always known.
        entries: names of context entries, looked for after a dot and inside filters.
        bounds: how long and how deep the text may be.
        several: whether several expressions with commas between them are read as a list.

    Raises:
        FeelSyntaxError: the text is no FEEL expression.
        FeelLimitError: the text is too long or nested too deep.
    """
    try:
        return _parse_expression(text, frozenset(names), frozenset(entries), bounds, several)
    except RecursionError:
        raise _too_deep(bounds) from None


def parse_unary_tests(
    text: str,
    names: Iterable[str] = frozenset(),
    *,
    entries: Iterable[str] = frozenset(),
    bounds: Bounds = DEFAULT_BOUNDS,
) -> nodes.UnaryTests:
    """The syntax tree of the tests in a decision table's cell; arguments as `parse_expression`.

    Raises:
        FeelSyntaxError: the text is no list of unary tests.
        FeelLimitError: the text is too long or nested too deep.
    """
    try:
        return _parse_unary_tests(text, frozenset(names), frozenset(entries), bounds)
    except RecursionError:
        raise _too_deep(bounds) from None


@lru_cache(maxsize=2048)
def _parse_expression(
    text: str,
    names: frozenset[str],
    entries: frozenset[str],
    bounds: Bounds,
    several: bool,
) -> nodes.Node:
    parser = _Parser(text, names, entries, bounds)
    node = parser.expression()
    if several and parser.at(","):
        node = parser.rest_of_list(node)
    parser.finish()
    _check_height(node, bounds)
    return node


@lru_cache(maxsize=2048)
def _parse_unary_tests(
    text: str, names: frozenset[str], entries: frozenset[str], bounds: Bounds
) -> nodes.UnaryTests:
    tests = _Parser(text, names, entries, bounds).unary_tests()
    _check_height(tests, bounds)
    return tests


def _too_deep(bounds: Bounds) -> FeelNestingLimitError:
    """The limit's name when the caller left less of Python's stack than the bounds allow."""
    return FeelNestingLimitError(f"the text is nested deeper than {bounds.nesting}")


def children(node: nodes.Node) -> Iterator[nodes.Node]:
    """The nodes directly below a node."""
    for description in fields(node):
        pending = [getattr(node, description.name)]
        while pending:
            value = pending.pop()
            if isinstance(value, nodes.Node):
                yield value
            elif isinstance(value, tuple):
                pending.extend(value)


def height(node: nodes.Node) -> int:
    """Levels of a syntax tree, counted without recursion."""
    level, deepest = [node], 0
    while level:
        deepest += 1
        level = [child for parent in level for child in children(parent)]
    return deepest


def _check_height(node: nodes.Node, bounds: Bounds) -> None:
    if height(node) > bounds.height:
        raise FeelNestingLimitError(f"the expression has more than {bounds.height} levels")


@lru_cache(maxsize=4096)
def _words(name: str) -> tuple[str, ...]:
    """A name as the tokens that spell it; empty when it cannot be written in an expression."""
    try:
        tokens = tokens_of(name)[:-1]
    except FeelSyntaxError:
        return ()
    return tuple(token.text for token in tokens)


def _add(trie: Trie, name: str) -> None:
    words = _words(name)
    if not words:
        return
    for word in words:
        branch = trie.setdefault(word, {})
        if isinstance(branch, str):  # pragma: no cover - only the key None holds text
            return
        trie = branch
    trie[None] = name


def _trie(names: Iterable[str]) -> Trie:
    trie: Trie = {}
    for name in names:
        _add(trie, name)
    return trie


_BUILT_IN_NAMES = _trie(BUILT_INS)
_TYPES = _trie(TYPE_NAMES)


class _Parser:
    def __init__(
        self, text: str, names: frozenset[str], entries: frozenset[str], bounds: Bounds
    ) -> None:
        if len(text) > bounds.text:
            raise FeelTextLimitError(f"the text has more than {bounds.text} characters")
        self.text = text
        self.tokens = tokens_of(text)
        self.position = 0
        self.depth = 0
        self.bounds = bounds
        self.scopes: list[Trie] = [_BUILT_IN_NAMES, _trie(names)]
        self.entries = _trie(entries)
        self.filters = 0
        self.no_tests: set[int] = set()

    # Reading tokens.

    @property
    def token(self) -> Token:
        return self.tokens[self.position]

    @property
    def previous_end(self) -> int:
        return self.tokens[self.position - 1].end if self.position else 0

    def at(self, *texts: str) -> bool:
        """Whether the next token is one of these symbols or keywords."""
        token = self.token
        return token.kind in {"symbol", "name"} and token.text in texts

    def take(self, *texts: str) -> Token | None:
        if not self.at(*texts):
            return None
        self.position += 1
        return self.tokens[self.position - 1]

    def expect(self, text: str) -> Token:
        token = self.take(text)
        if token is None:
            self.refuse(f"'{text}' is missing before {self.found()}")
        return token

    def found(self) -> str:
        return "the end" if self.token.kind == "end" else f"'{self.token.text}'"

    def refuse(self, message: str) -> NoReturn:
        raise FeelSyntaxError(message, self.token.start, self.token.end)

    def finish(self) -> None:
        if self.token.kind != "end":
            self.refuse(f"{self.found()} was not expected here")

    @contextmanager
    def nested(self) -> Iterator[None]:
        self.depth += 1
        if self.depth > self.bounds.nesting:
            raise FeelNestingLimitError(f"the text is nested deeper than {self.bounds.nesting}")
        # Reading may start again after an error, so the count must hold then too.
        try:
            yield
        finally:
            self.depth -= 1

    @contextmanager
    def scope(self) -> Iterator[Trie]:
        """A new innermost scope, for names that the text itself declares."""
        trie: Trie = {}
        self.scopes.append(trie)
        try:
            yield trie
        finally:
            self.scopes.pop()

    # Names.

    def longest(self, trie: Trie, start: int) -> tuple[int, str]:
        """The longest name of a trie at a token: how many tokens, and the name."""
        best, name, index = 0, "", start
        while True:
            branch = trie.get(self.tokens[index].text) if index < len(self.tokens) - 1 else None
            if not isinstance(branch, dict):
                return best, name
            trie = branch
            index += 1
            ending = trie.get(None)
            if isinstance(ending, str):
                best, name = index - start, ending

    def known_name(self, *, entry: bool = False) -> str | None:
        """Takes the longest name in scope (after a dot: the longest entry name), if any."""
        tries = [self.entries] if entry else [*reversed(self.scopes)]
        if self.filters and not entry:
            tries.append(self.entries)
        best, name = 0, ""
        for trie in tries:
            count, candidate = self.longest(trie, self.position)
            if count > best:
                best, name = count, candidate
        if best == 0 or (best == 1 and self.token.text in KEYWORDS):
            return None
        following = self.tokens[self.position + best]
        if following.kind == "name" and following.text not in KEYWORDS and best == 1 and not entry:
            # `rate code` with only `rate` known is one unknown name, not two names.
            return self.plain_name()
        self.position += best
        return name

    def plain_name(self, *, declared: bool = False) -> str:
        """Takes words up to a keyword or symbol as one name."""
        words: list[str] = []
        while self.token.kind == "name" or (words and self.token.kind == "number"):
            soft = declared and words and self.token.text in _SOFT_KEYWORDS
            if self.token.text in KEYWORDS and not soft:
                break
            words.append(self.token.text)
            self.position += 1
        if not words:
            self.refuse(f"a name is missing before {self.found()}")
        return " ".join(words)

    def entry_name(self) -> str:
        """The name after a dot."""
        known = self.known_name(entry=True)
        if known is not None:
            return known
        for trie in reversed(self.scopes):
            count, name = self.longest(trie, self.position)
            if count > 1:
                self.position += count
                return name
        if self.token.kind == "name" and self.token.text in KEYWORDS:
            # A keyword right after a dot can only be a name.
            self.position += 1
            return self.tokens[self.position - 1].text
        return self.plain_name()

    def name_before(self, *closers: str) -> str | None:
        """Takes a declared name if one of `closers` follows it; it may hold name symbols."""
        index = self.position
        while self.tokens[index].kind in {"name", "number"} or (
            index > self.position and self.tokens[index].text in {".", "/", "-", "'", "+", "*", "?"}
        ):
            index += 1
        closing = self.tokens[index]
        first = self.token
        if index == self.position or first.kind == "number":
            return None
        if closing.kind not in {"symbol", "name"} or closing.text not in closers:
            return None
        name = " ".join(self.text[first.start : self.tokens[index - 1].end].split())
        self.position = index
        return name

    # Expressions, loosest operators first.

    def expression(self) -> nodes.Node:
        with self.nested():
            return self.disjunction()

    def rest_of_list(self, first: nodes.Node) -> nodes.Node:
        items = [first]
        while self.take(","):
            items.append(self.expression())
        return nodes.ListOf(tuple(items), start=first.start, end=items[-1].end)

    def disjunction(self) -> nodes.Node:
        left = self.conjunction()
        while self.take("or"):
            right = self.conjunction()
            left = nodes.Disjunction(left, right, start=left.start, end=right.end)
        return left

    def conjunction(self) -> nodes.Node:
        left = self.comparison()
        while self.take("and"):
            right = self.comparison()
            left = nodes.Conjunction(left, right, start=left.start, end=right.end)
        return left

    def comparison(self) -> nodes.Node:
        left = self.addition()
        while True:
            if operator := self.take(*_COMPARISONS):
                right = self.addition()
                left = nodes.Comparison(operator.text, left, right, start=left.start, end=right.end)
            elif self.take("between"):
                low = self.addition()
                self.expect("and")
                high = self.addition()
                left = nodes.Between(left, low, high, start=left.start, end=high.end)
            elif self.take("in"):
                tests = self.in_tests()
                left = nodes.In(left, tests, start=left.start, end=self.previous_end)
            elif self.at("instance"):
                self.position += 1
                self.expect("of")
                type_name = self.type_name()
                left = nodes.InstanceOf(left, type_name, start=left.start, end=type_name.end)
            else:
                return left

    def addition(self) -> nodes.Node:
        left = self.multiplication()
        while operator := self.take("+", "-"):
            right = self.multiplication()
            left = nodes.Arithmetic(operator.text, left, right, start=left.start, end=right.end)
        return left

    def multiplication(self) -> nodes.Node:
        left = self.exponentiation()
        while operator := self.take("*", "/"):
            right = self.exponentiation()
            left = nodes.Arithmetic(operator.text, left, right, start=left.start, end=right.end)
        return left

    def exponentiation(self) -> nodes.Node:
        left = self.negation()
        while self.take("**"):
            right = self.negation()
            left = nodes.Arithmetic("**", left, right, start=left.start, end=right.end)
        return left

    def negation(self) -> nodes.Node:
        minuses = []
        while minus := self.take("-"):
            minuses.append(minus)
        node = self.postfix()
        for minus in reversed(minuses):
            node = nodes.Negation(node, start=minus.start, end=node.end)
        return node

    def postfix(self) -> nodes.Node:
        node = self.primary()
        while True:
            if self.take("..."):
                name = self.entry_name()
                node = nodes.Descendants(node, name, start=node.start, end=self.previous_end)
            elif self.take("."):
                name = self.entry_name()
                node = nodes.Path(node, name, start=node.start, end=self.previous_end)
            elif self.at("[") and not self.closes_range():
                node = self.filter(node)
            elif self.at("("):
                node = self.call(node)
            else:
                return node

    def closes_range(self) -> bool:
        """Whether `[` ends a range such as `]1..5[` rather than opening a filter."""
        following = self.tokens[self.position + 1]
        if following.kind in _OPENERS:
            return following.text in KEYWORDS - {
                *("if", "for", "some", "every", "function", "true", "false", "null"),
            }
        return following.text not in {"[", "(", "{", "-", "?", "@", "<", "<=", ">", ">=", "="}

    def filter(self, operand: nodes.Node) -> nodes.Node:
        self.expect("[")
        self.filters += 1
        try:
            condition = self.expression()
        finally:
            self.filters -= 1
        self.expect("]")
        return nodes.Filter(operand, condition, start=operand.start, end=self.previous_end)

    def call(self, function: nodes.Node) -> nodes.Node:
        self.expect("(")
        arguments: list[nodes.Node] = []
        names: list[str] = []
        while not self.at(")"):
            if arguments:
                self.expect(",")
            name = self.name_before(":") if names or not arguments else None
            if name is not None:
                names.append(name)
                self.expect(":")
            elif names:
                self.refuse("after a named argument every argument needs a name")
            arguments.append(self.expression())
        self.expect(")")
        return nodes.Call(
            function,
            tuple(arguments),
            tuple(names) if names else None,
            start=function.start,
            end=self.previous_end,
        )

    # Primaries.

    def primary(self) -> nodes.Node:
        token = self.token
        if token.kind == "number":
            self.position += 1
            return nodes.Literal(self.number(token), start=token.start, end=token.end)
        if token.kind == "string":
            self.position += 1
            return nodes.Literal(unescaped(token.text), start=token.start, end=token.end)
        if token.kind == "name":
            return self.name_or_keyword(token)
        if token.kind == "symbol":
            if token.text == "?":
                self.position += 1
                return nodes.Name("?", start=token.start, end=token.end)
            if token.text == "@":
                return self.temporal_literal()
            if token.text == "(":
                return self.parenthesis()
            if token.text in {"[", "]"}:
                return self.list_or_range()
            if token.text == "{":
                return self.context()
            if token.text in _ONE_ENDED:
                comparison = self.comparator()
                return _range_of(comparison, comparison.start, comparison.end)
        return self.refuse(f"an expression is missing before {self.found()}")

    def number(self, token: Token) -> Decimal:
        try:
            return arithmetic(self.bounds.exponent).create_decimal(token.text)
        except DecimalException:
            raise FeelNumberLimitError(
                f"a number has an exponent beyond {self.bounds.exponent}"
            ) from None

    def name_or_keyword(self, token: Token) -> nodes.Node:
        name = self.known_name()
        if name is None:
            reader = {
                "for": self.iteration,
                "some": self.quantified,
                "every": self.quantified,
                "if": self.conditional,
                "function": self.function,
            }.get(token.text)
            if reader:
                return reader()
            if token.text in {"true", "false", "null"}:
                self.position += 1
                value = {"true": True, "false": False, "null": None}[token.text]
                return nodes.Literal(value, start=token.start, end=token.end)
            name = self.plain_name()
        return nodes.Name(name, start=token.start, end=self.previous_end)

    def temporal_literal(self) -> nodes.Node:
        start = self.expect("@").start
        token = self.token
        if token.kind != "string":
            self.refuse("after @ a quoted date, time or duration is missing")
        self.position += 1
        value = parse_temporal(unescaped(token.text))
        return nodes.Literal(value, start=start, end=token.end)

    def parenthesis(self) -> nodes.Node:
        start = self.expect("(").start
        if self.at(*_COMPARISONS):
            comparison = self.comparator()
            self.expect(")")
            if comparison.operator == "!=":
                return nodes.OtherThan(comparison.operand, start=start, end=self.previous_end)
            return _range_of(comparison, start, self.previous_end)
        inner = self.expression()
        if self.take(".."):
            return self.range_end(inner, start, low_closed=False)
        self.expect(")")
        return inner

    def list_or_range(self) -> nodes.Node:
        opening = self.token
        self.position += 1
        items: list[nodes.Node] = []
        while opening.text == "]" or not self.at("]"):
            if items:
                self.expect(",")
            item = self.expression()
            if not items and self.take(".."):
                return self.range_end(item, opening.start, low_closed=opening.text == "[")
            if opening.text == "]":
                self.refuse(f"'..' is missing before {self.found()}")
            items.append(item)
        self.expect("]")
        return nodes.ListOf(tuple(items), start=opening.start, end=self.previous_end)

    def range_end(self, low: nodes.Node, start: int, *, low_closed: bool) -> nodes.Node:
        high = self.expression()
        closing = self.take("]", ")", "[")
        if closing is None:
            self.refuse(f"the end of the range, ']' or ')', is missing before {self.found()}")
        return nodes.RangeOf(
            low, high, low_closed, closing.text == "]", start=start, end=closing.end
        )

    def context(self) -> nodes.Node:
        start = self.expect("{").start
        entries: list[tuple[str, nodes.Node]] = []
        with self.scope() as scope:
            while not self.at("}"):
                if entries:
                    self.expect(",")
                key = self.context_key()
                self.expect(":")
                # The value may be a function that calls itself, so its own name is known.
                _add(scope, key)
                _add(self.entries, key)
                entries.append((key, self.expression()))
        self.expect("}")
        return nodes.ContextOf(tuple(entries), start=start, end=self.previous_end)

    def context_key(self) -> str:
        if self.token.kind == "string":
            self.position += 1
            return unescaped(self.tokens[self.position - 1].text)
        key = self.name_before(":")
        if key is None:
            self.refuse(f"a key and ':' are missing before {self.found()}")
        return key

    def iteration(self) -> nodes.Node:
        start = self.expect("for").start
        with self.scope() as scope:
            iterators = self.iterators(scope)
            self.expect("return")
            _add(scope, "partial")
            body = self.expression()
        return nodes.For(iterators, body, start=start, end=body.end)

    def quantified(self) -> nodes.Node:
        word = self.token
        self.position += 1
        with self.scope() as scope:
            iterators = self.iterators(scope)
            self.expect("satisfies")
            body = self.expression()
        return nodes.Quantified(word.text, iterators, body, start=word.start, end=body.end)

    def iterators(self, scope: Trie) -> tuple[nodes.Iterator, ...]:
        iterators: list[nodes.Iterator] = []
        while not iterators or self.take(","):
            start = self.token.start
            name = self.name_before("in") or self.iterator_name()
            self.expect("in")
            domain = self.expression()
            high = self.expression() if self.take("..") else None
            iterators.append(nodes.Iterator(name, domain, high, start=start, end=self.previous_end))
            _add(scope, name)
        return tuple(iterators)

    def iterator_name(self) -> str:
        """A loop variable; `name_before` also reads the word `in` as part of a name."""
        return self.plain_name(declared=True)

    def conditional(self) -> nodes.Node:
        start = self.expect("if").start
        condition = self.expression()
        self.expect("then")
        consequent = self.expression()
        self.expect("else")
        alternative = self.expression()
        return nodes.If(condition, consequent, alternative, start=start, end=alternative.end)

    def function(self) -> nodes.Node:
        start = self.expect("function").start
        self.expect("(")
        parameters: list[tuple[str, nodes.TypeName | None]] = []
        with self.scope() as scope:
            while not self.at(")"):
                if parameters:
                    self.expect(",")
                name = self.name_before(":", ",", ")") or self.plain_name(declared=True)
                parameters.append((name, self.type_name() if self.take(":") else None))
                _add(scope, name)
            self.expect(")")
            external = self.take("external") is not None
            body = self.expression()
        return nodes.FunctionOf(tuple(parameters), body, external, start=start, end=body.end)

    # Types.

    def type_name(self) -> nodes.TypeName:
        with self.nested():
            return self.nested_type_name()

    def nested_type_name(self) -> nodes.TypeName:
        start = self.token.start
        count, name = self.longest(_TYPES, self.position)
        if count:
            self.position += count
        elif self.at("function"):
            self.position += 1
            name = "function"
        elif self.token.text == "null" and self.token.kind == "name":
            self.position += 1
            name = "Null"
        else:
            name = self.plain_name()
            while self.take("."):
                name += "." + self.plain_name()
        arguments: list[nodes.TypeName] = []
        keys: list[str] = []
        if name in {"list", "range", "context", "function"} and self.take("<"):
            self.type_arguments(name, arguments, keys)
        return nodes.TypeName(
            name, tuple(arguments), tuple(keys), start=start, end=self.previous_end
        )

    def type_arguments(self, name: str, arguments: list[nodes.TypeName], keys: list[str]) -> None:
        while not self.at(">"):
            if arguments:
                self.expect(",")
            if name == "context":
                key = self.name_before(":")
                if key is None:
                    self.refuse(f"a key and ':' are missing before {self.found()}")
                self.expect(":")
                keys.append(key)
            arguments.append(self.type_name())
        self.expect(">")
        if name == "function":
            # The last argument of a function type is its result.
            self.expect("->")
            arguments.append(self.type_name())

    # Unary tests.

    def in_tests(self) -> tuple[nodes.Node, ...]:
        if not self.at("(") or self.position in self.no_tests:
            return (self.comparator() if self.at(*_COMPARISONS) else self.addition(),)
        start = self.position
        try:
            tests = self.parenthesised_tests()
        except FeelSyntaxError:
            tests = None
        if tests is None or self.at(".", "[", "(", "+", "-", "*", "/", "**", ".."):
            # Remembered, or brackets inside one another would be read twice as often each.
            self.no_tests.add(start)
            self.position = start
            return (self.addition(),)
        return tests

    def parenthesised_tests(self) -> tuple[nodes.Node, ...]:
        start = self.expect("(").start
        tests = [self.positive_test()]
        if self.take(".."):
            return (self.range_end(tests[0], start, low_closed=False),)
        while self.take(","):
            tests.append(self.positive_test())
        self.expect(")")
        return tuple(tests)

    def positive_test(self) -> nodes.Node:
        return self.comparator() if self.at(*_COMPARISONS) else self.expression()

    def comparator(self) -> nodes.Comparator:
        operator = self.take(*_COMPARISONS)
        if operator is None:  # pragma: no cover - every caller looks first
            self.refuse("a comparison is missing")
        operand = self.addition()
        return nodes.Comparator(operator.text, operand, start=operator.start, end=operand.end)

    def unary_tests(self) -> nodes.UnaryTests:
        end = len(self.text)
        if self.at("-") and self.tokens[self.position + 1].kind == "end":
            return nodes.UnaryTests((), start=0, end=end)
        if self.at("not") and self.tokens[self.position + 1].text == "(":
            self.position += 1
            try:
                tests = self.parenthesised_tests()
            except FeelSyntaxError:
                tests = ()
            if tests and self.token.kind == "end":
                return nodes.UnaryTests(tests, negated=True, start=0, end=end)
            self.position = 0
        listed = [self.positive_test()]
        while self.take(","):
            listed.append(self.positive_test())
        self.finish()
        return nodes.UnaryTests(tuple(listed), start=0, end=end)


def _range_of(comparison: nodes.Comparator, start: int, end: int) -> nodes.RangeOf:
    """`(< 5)` as a range without a lower end, and so on."""
    operator, operand = comparison.operator, comparison.operand
    low = operand if operator in {"=", ">", ">="} else None
    high = operand if operator in {"=", "<", "<="} else None
    return nodes.RangeOf(
        low, high, operator in {"=", ">="}, operator in {"=", "<="}, start=start, end=end
    )
