"""Regular expressions of XPath (XML Schema patterns), matched without backtracking.

A pattern becomes a small program whose threads advance together over the text, so that time
grows with the length of the text times the size of the pattern, whatever both are. A
back-reference keeps threads apart by what they captured, which costs more; every step is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from engine.feel.character_classes import (
    CLASS_ESCAPES,
    SINGLE_ESCAPES,
    CharacterClass,
    Contains,
    category,
    opposite,
    variants,
)
from engine.feel.run import Run

_LARGEST_PROGRAM = 5_000
_DEEPEST_GROUP = 40
_LONGEST_PATTERN = 2_000
_FLAGS = frozenset("smixq")
_DOT_EXCEPT = frozenset("\n\r")


class PatternError(Exception):
    """The text is not a pattern, or one that is refused."""


# A pattern's tree: each node knows how to append itself to a program.


@dataclass(frozen=True, slots=True)
class _Characters:
    set: CharacterClass


@dataclass(frozen=True, slots=True)
class _Anchor:
    sign: str


@dataclass(frozen=True, slots=True)
class _Reference:
    group: int


@dataclass(frozen=True, slots=True)
class _Sequence:
    parts: tuple[_Tree, ...]


@dataclass(frozen=True, slots=True)
class _Choice:
    branches: tuple[_Tree, ...]


@dataclass(frozen=True, slots=True)
class _Group:
    inner: _Tree
    number: int


@dataclass(frozen=True, slots=True)
class _Repeat:
    inner: _Tree
    least: int
    most: int | None
    greedy: bool


_Tree = _Characters | _Anchor | _Reference | _Sequence | _Choice | _Group | _Repeat


class _PatternParser:
    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.position = 0
        self.groups = 0
        self.closed: set[int] = set()
        self.depth = 0

    def parse(self) -> _Tree:
        tree = self.choice()
        if self.position < len(self.pattern):
            raise PatternError(f"'{self.peek()}' has no partner")
        return tree

    def peek(self) -> str:
        return self.pattern[self.position : self.position + 1]

    def take(self) -> str:
        sign = self.peek()
        if not sign:
            raise PatternError("the pattern ends too early")
        self.position += 1
        return sign

    def choice(self) -> _Tree:
        branches = [self.sequence()]
        while self.peek() == "|":
            self.position += 1
            branches.append(self.sequence())
        return branches[0] if len(branches) == 1 else _Choice(tuple(branches))

    def sequence(self) -> _Tree:
        parts: list[_Tree] = []
        while self.peek() not in {"", "|", ")"}:
            parts.append(self.quantified(self.atom()))
        return _Sequence(tuple(parts))

    def quantified(self, atom: _Tree) -> _Tree:
        sign = self.peek()
        if sign not in {"?", "*", "+", "{"}:
            return atom
        self.position += 1
        least, most = {"?": (0, 1), "*": (0, None), "+": (1, None)}.get(sign) or self.count()
        greedy = self.peek() != "?"
        if not greedy:
            self.position += 1
        if self.peek() in {"*", "+", "{", "?"} and self.peek():
            raise PatternError("a quantifier follows a quantifier")
        return _Repeat(atom, least, most, greedy)

    def count(self) -> tuple[int, int | None]:
        end = self.pattern.find("}", self.position)
        least, comma, most = self.pattern[self.position : end].partition(",")
        if end < 0 or not _is_count(least) or not (most == "" or _is_count(most)):
            raise PatternError("a count is not closed or is no number")
        self.position = end + 1
        high = int(most) if most else (None if comma else int(least))
        if high is not None and high < int(least):
            raise PatternError("a count ends before it starts")
        return int(least), high

    def atom(self) -> _Tree:
        sign = self.take()
        if sign == "(":
            return self.group()
        if sign == "[":
            return _Characters(self.character_class())
        if sign == ".":
            return _Characters(CharacterClass(members=_DOT_EXCEPT, negated=True))
        if sign in "^$":
            return _Anchor(sign)
        if sign == "\\":
            return self.escape()
        if sign in "?*+{}]":
            raise PatternError(f"'{sign}' has nothing to repeat or close")
        return _Characters(CharacterClass(members=frozenset(sign)))

    def group(self) -> _Tree:
        capturing = self.peek() != "?"
        if not capturing:
            self.position += 1
            if self.take() != ":":
                raise PatternError("only (?: is known of the groups that begin with (?")
        self.depth += 1
        if self.depth > _DEEPEST_GROUP:
            raise PatternError("the groups are nested too deep")
        self.groups += capturing
        number = self.groups
        inner = self.choice()
        if self.take() != ")":
            raise PatternError("a group is not closed")
        self.depth -= 1
        if capturing:
            self.closed.add(number)
        return _Group(inner, number) if capturing else inner

    def escape(self) -> _Tree:
        sign = self.peek()
        if sign.isdigit() and sign.isascii() and sign != "0":
            return self.reference()
        return _Characters(self.escaped())

    def reference(self) -> _Tree:
        number = int(self.take())
        # A further digit belongs to the number only if there are that many groups.
        while self.peek().isdigit() and self.peek().isascii():
            longer = number * 10 + int(self.peek())
            if longer not in self.closed:
                break
            number = longer
            self.position += 1
        if number not in self.closed:
            raise PatternError(f"there is no group {number} before the back-reference")
        return _Reference(number)

    def escaped(self) -> CharacterClass:
        """What stands after a backslash, outside back-references."""
        sign = self.take()
        if sign in SINGLE_ESCAPES:
            return CharacterClass(members=frozenset(SINGLE_ESCAPES[sign]))
        if sign in CLASS_ESCAPES:
            return CharacterClass(escapes=(CLASS_ESCAPES[sign],))
        if sign in "pP":
            contains = self.category()
            return CharacterClass(escapes=(contains if sign == "p" else opposite(contains),))
        raise PatternError(f"'\\{sign}' is not an escape")

    def category(self) -> Contains:
        end = self.pattern.find("}", self.position)
        if self.take() != "{" or end < 0:
            raise PatternError("a category stands in braces")
        contains = category(self.pattern[self.position : end])
        if contains is None:
            raise PatternError(f"'{self.pattern[self.position : end]}' is not a category or block")
        self.position = end + 1
        return contains

    def character_class(self) -> CharacterClass:
        self.depth += 1
        if self.depth > _DEEPEST_GROUP:
            raise PatternError("the classes are nested too deep")
        negated = self.peek() == "^"
        self.position += negated
        members: set[str] = set()
        ranges: list[tuple[str, str]] = []
        escapes: list[Contains] = []
        minus = None
        empty = True
        while self.peek() != "]" or empty:
            if self.peek() == "-" and self.pattern.startswith("-[", self.position) and not empty:
                self.position += 2
                minus = self.character_class()
                if self.peek() != "]":
                    raise PatternError("a subtraction ends its class")
                break
            self.class_item(members, ranges, escapes)
            empty = False
        self.take()
        self.depth -= 1
        return CharacterClass(frozenset(members), tuple(ranges), tuple(escapes), negated, minus)

    def class_item(
        self, members: set[str], ranges: list[tuple[str, str]], escapes: list[Contains]
    ) -> None:
        low = self.class_character(escapes)
        if low is None:
            return
        following = self.pattern[self.position + 1 : self.position + 2]
        if self.peek() == "-" and following not in {"]", "["}:
            self.position += 1
            high = self.class_character(escapes)
            if high is None or high < low:
                raise PatternError("a range of characters ends before it starts")
            ranges.append((low, high))
        else:
            members.add(low)

    def class_character(self, escapes: list[Contains]) -> str | None:
        """The next single character of a class; None when it was a set of them."""
        sign = self.take()
        if sign == "[":
            raise PatternError("'[' stands in a class only after a backslash or in a subtraction")
        if sign != "\\":
            return sign
        found = self.escaped()
        escapes.extend(found.escapes)
        return next(iter(found.members), None)


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 4


# Programs.


@dataclass(slots=True)
class _Instruction:
    """One step: `kind` is character, split, jump, save, anchor, reference or match."""

    kind: str
    set: CharacterClass | None = None
    target: int = 0
    other: int = 0
    sign: str = ""


@dataclass(slots=True)
class _Program:
    instructions: list[_Instruction] = field(default_factory=list)

    def add(self, kind: str, **parts: object) -> _Instruction:
        if len(self.instructions) >= _LARGEST_PROGRAM:
            raise PatternError("the pattern is too large")
        instruction = _Instruction(kind, **parts)  # type: ignore[arg-type]
        self.instructions.append(instruction)
        return instruction

    def append(self, tree: _Tree) -> None:
        if isinstance(tree, _Characters):
            self.add("character", set=tree.set)
        elif isinstance(tree, _Anchor):
            self.add("anchor", sign=tree.sign)
        elif isinstance(tree, _Reference):
            self.add("reference", target=tree.group)
        elif isinstance(tree, _Sequence):
            for part in tree.parts:
                self.append(part)
        elif isinstance(tree, _Choice):
            self.append_choice(tree)
        elif isinstance(tree, _Group):
            self.add("save", target=2 * tree.number)
            self.append(tree.inner)
            self.add("save", target=2 * tree.number + 1)
        else:
            self.append_repeat(tree)

    def append_choice(self, tree: _Choice) -> None:
        jumps = []
        for branch in tree.branches[:-1]:
            split = self.add("split")
            split.target = len(self.instructions)
            self.append(branch)
            jumps.append(self.add("jump"))
            split.other = len(self.instructions)
        self.append(tree.branches[-1])
        for jump in jumps:
            jump.target = len(self.instructions)

    def append_repeat(self, tree: _Repeat) -> None:
        for _ in range(tree.least):
            self.append(tree.inner)
        if tree.most is None:
            start = len(self.instructions)
            split = self.add("split")
            self.append(tree.inner)
            self.add("jump", target=start)
            self.aim(split, start + 1, len(self.instructions), greedy=tree.greedy)
            return
        splits = []
        for _ in range(tree.most - tree.least):
            splits.append((self.add("split"), len(self.instructions)))
            self.append(tree.inner)
        for split, inside in splits:
            self.aim(split, inside, len(self.instructions), greedy=tree.greedy)

    @staticmethod
    def aim(split: _Instruction, inside: int, beyond: int, *, greedy: bool) -> None:
        """Sends a split first into its loop when greedy, else first beyond it."""
        split.target, split.other = (inside, beyond) if greedy else (beyond, inside)


Captures = tuple[int, ...]
# A thread: where in the program, how far into a back-reference, and what it captured.
_Thread = tuple[int, int, Captures]


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern ready to match."""

    instructions: tuple[_Instruction, ...]
    groups: int
    caseless: bool
    dot_all: bool
    multiline: bool
    references: tuple[int, ...]

    def first_match(self, run: Run, text: str, start: int = 0) -> Captures | None:
        """The leftmost match from a position on, as start and end of each group, 0 the whole.

        A group that took no part is -1, -1.
        """
        threads: list[_Thread] = []
        found: Captures | None = None
        for position in range(start, len(text) + 1):
            if found is None:
                fresh = (position, *([-1] * (2 * self.groups + 1)))
                threads = self._spread(run, [*threads, (0, 0, fresh)], text, position)
            character = text[position : position + 1]
            waiting: list[_Thread] = []
            for thread in threads:
                if self.instructions[thread[0]].kind == "match":
                    captures = thread[2]
                    found = (captures[0], position, *captures[2:])
                    # Threads after this one have less priority.
                    break
                if character and (moved := self._step(thread, text, character)) is not None:
                    waiting.append(moved)
            if not waiting and found is not None:
                return found
            threads = waiting
            if found is not None:
                threads = self._spread(run, waiting, text, position + 1)
        return found

    def _spread(self, run: Run, threads: list[_Thread], text: str, position: int) -> list[_Thread]:
        """Follows everything that consumes no character; the order is the order of priority."""
        reached: list[_Thread] = []
        seen: set[object] = set()
        pending = threads[::-1]
        while pending:
            run.tick()
            counter, progress, captures = pending.pop()
            key = (counter, progress, *(captures[i] for i in self._kept()))
            if key in seen:
                continue
            seen.add(key)
            instruction = self.instructions[counter]
            kind = instruction.kind
            if kind == "jump":
                pending.append((instruction.target, 0, captures))
            elif kind == "split":
                pending.append((instruction.other, 0, captures))
                pending.append((instruction.target, 0, captures))
            elif kind == "save":
                saved = list(captures)
                saved[instruction.target] = position
                pending.append((counter + 1, 0, tuple(saved)))
            elif kind == "anchor":
                if self._holds(instruction.sign, text, position):
                    pending.append((counter + 1, 0, captures))
            elif kind == "reference" and progress >= self._length(instruction, captures):
                pending.append((counter + 1, 0, captures))
            else:
                reached.append((counter, progress, captures))
        return reached

    def _kept(self) -> Iterator[int]:
        """The captures that keep threads apart: those that back-references read."""
        for group in self.references:
            yield 2 * group
            yield 2 * group + 1

    @staticmethod
    def _length(instruction: _Instruction, captures: Captures) -> int:
        first, last = captures[2 * instruction.target], captures[2 * instruction.target + 1]
        # A group that took no part matches the empty string.
        return last - first if first >= 0 and last >= 0 else 0

    def _step(self, thread: _Thread, text: str, character: str) -> _Thread | None:
        counter, progress, captures = thread
        instruction = self.instructions[counter]
        if instruction.set is not None:
            if instruction.set.members is _DOT_EXCEPT and self.dot_all:
                return counter + 1, 0, captures
            if instruction.set.contains(character, caseless=self.caseless):
                return counter + 1, 0, captures
            return None
        wanted = text[captures[2 * instruction.target] + progress]
        same = wanted == character or (
            self.caseless and bool(variants(wanted) & variants(character))
        )
        return (counter, progress + 1, captures) if same else None

    def _holds(self, sign: str, text: str, position: int) -> bool:
        if sign == "^":
            if position == 0:
                return True
            return self.multiline and text[position - 1] == "\n" and position < len(text)
        if position == len(text):
            return True
        return self.multiline and text[position] == "\n"

    def matches(self, run: Run, text: str) -> Iterator[Captures]:
        """All matches from left to right, none overlapping another."""
        start = 0
        while start <= len(text):
            captures = self.first_match(run, text, start)
            if captures is None:
                return
            yield captures
            start = captures[1] if captures[1] > captures[0] else captures[1] + 1


@lru_cache(maxsize=512)
def compile_pattern(pattern: str, flags: str = "") -> Pattern:
    """A pattern with its flags: s, m, i, x and q.

    Raises:
        PatternError: the text is no pattern, is too large, or a flag is not known.
    """
    if not set(flags) <= _FLAGS:
        raise PatternError(f"the flags '{flags}' are not among s, m, i, x and q")
    if len(pattern) > _LONGEST_PATTERN:
        raise PatternError("the pattern is too long")
    if "q" in flags:
        literal = (_Characters(CharacterClass(members=frozenset(sign))) for sign in pattern)
        tree: _Tree = _Sequence(tuple(literal))
        groups = 0
    else:
        parser = _PatternParser(_without_spaces(pattern) if "x" in flags else pattern)
        tree = parser.parse()
        groups = parser.groups
    program = _Program()
    program.append(tree)
    program.add("match")
    instructions = tuple(program.instructions)
    references = {item.target for item in instructions if item.kind == "reference"}
    return Pattern(
        instructions,
        groups,
        caseless="i" in flags,
        dot_all="s" in flags,
        multiline="m" in flags,
        references=tuple(sorted(references)),
    )


def _without_spaces(pattern: str) -> str:
    """The pattern without its white space, except inside character classes."""
    kept: list[str] = []
    depth = 0
    escaped = False
    for sign in pattern:
        if sign in " \t\n\r" and depth == 0:
            continue
        if not escaped:
            depth += (sign == "[") - (sign == "]")
        escaped = sign == "\\" and not escaped
        kept.append(sign)
    return "".join(kept)


def expand_replacement(replacement: str, groups: int) -> Callable[[str, Captures], str]:
    r"""A replacement with `$1` for groups, `$0` for the match, and `\$` and `\\`.

    Raises:
        PatternError: a `$` or backslash that means nothing.
    """
    parts: list[str | int] = []
    position = 0
    while position < len(replacement):
        sign = replacement[position]
        following = replacement[position + 1 : position + 2]
        if sign == "\\":
            if following not in {"\\", "$"} or not following:
                raise PatternError("a backslash in a replacement stands before '$' or '\\'")
            parts.append(following)
            position += 2
        elif sign == "$":
            number, position = _group_number(replacement, position + 1, groups)
            parts.append(number)
        else:
            parts.append(sign)
            position += 1

    def expand(text: str, captures: Captures) -> str:
        return "".join(
            part if isinstance(part, str) else _captured(text, captures, part) for part in parts
        )

    return expand


def _group_number(replacement: str, position: int, groups: int) -> tuple[int, int]:
    digit = replacement[position : position + 1]
    if not (digit.isascii() and digit.isdigit()):
        raise PatternError("a '$' in a replacement stands before the number of a group")
    number = int(digit)
    position += 1
    while position < len(replacement) and replacement[position] in "0123456789":
        longer = number * 10 + int(replacement[position])
        if longer > groups:
            break
        number = longer
        position += 1
    return number, position


def _captured(text: str, captures: Captures, group: int) -> str:
    if 2 * group + 1 >= len(captures) or captures[2 * group + 1] < 0:
        return ""
    return text[captures[2 * group] : captures[2 * group + 1]]
