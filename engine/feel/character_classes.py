"""Character classes of XML Schema patterns: ranges, escapes, categories, blocks, subtraction."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

# The blocks of Unicode that texts of this trade can hold, by their XML Schema names.
_BLOCKS: dict[str, tuple[int, int]] = {
    "BasicLatin": (0x0000, 0x007F),
    "Latin-1Supplement": (0x0080, 0x00FF),
    "LatinExtended-A": (0x0100, 0x017F),
    "LatinExtended-B": (0x0180, 0x024F),
    "IPAExtensions": (0x0250, 0x02AF),
    "SpacingModifierLetters": (0x02B0, 0x02FF),
    "CombiningDiacriticalMarks": (0x0300, 0x036F),
    "Greek": (0x0370, 0x03FF),
    "GreekandCoptic": (0x0370, 0x03FF),
    "Cyrillic": (0x0400, 0x04FF),
    "Armenian": (0x0530, 0x058F),
    "Hebrew": (0x0590, 0x05FF),
    "Arabic": (0x0600, 0x06FF),
    "Syriac": (0x0700, 0x074F),
    "Thaana": (0x0780, 0x07BF),
    "Devanagari": (0x0900, 0x097F),
    "Bengali": (0x0980, 0x09FF),
    "Gurmukhi": (0x0A00, 0x0A7F),
    "Gujarati": (0x0A80, 0x0AFF),
    "Oriya": (0x0B00, 0x0B7F),
    "Tamil": (0x0B80, 0x0BFF),
    "Telugu": (0x0C00, 0x0C7F),
    "Kannada": (0x0C80, 0x0CFF),
    "Malayalam": (0x0D00, 0x0D7F),
    "Sinhala": (0x0D80, 0x0DFF),
    "Thai": (0x0E00, 0x0E7F),
    "Lao": (0x0E80, 0x0EFF),
    "Tibetan": (0x0F00, 0x0FFF),
    "Myanmar": (0x1000, 0x109F),
    "Georgian": (0x10A0, 0x10FF),
    "HangulJamo": (0x1100, 0x11FF),
    "Ethiopic": (0x1200, 0x137F),
    "Cherokee": (0x13A0, 0x13FF),
    "Khmer": (0x1780, 0x17FF),
    "Mongolian": (0x1800, 0x18AF),
    "LatinExtendedAdditional": (0x1E00, 0x1EFF),
    "GreekExtended": (0x1F00, 0x1FFF),
    "GeneralPunctuation": (0x2000, 0x206F),
    "SuperscriptsandSubscripts": (0x2070, 0x209F),
    "CurrencySymbols": (0x20A0, 0x20CF),
    "LetterlikeSymbols": (0x2100, 0x214F),
    "NumberForms": (0x2150, 0x218F),
    "Arrows": (0x2190, 0x21FF),
    "MathematicalOperators": (0x2200, 0x22FF),
    "MiscellaneousTechnical": (0x2300, 0x23FF),
    "BoxDrawing": (0x2500, 0x257F),
    "BlockElements": (0x2580, 0x259F),
    "GeometricShapes": (0x25A0, 0x25FF),
    "MiscellaneousSymbols": (0x2600, 0x26FF),
    "Dingbats": (0x2700, 0x27BF),
    "CJKSymbolsandPunctuation": (0x3000, 0x303F),
    "Hiragana": (0x3040, 0x309F),
    "Katakana": (0x30A0, 0x30FF),
    "CJKUnifiedIdeographs": (0x4E00, 0x9FFF),
    "HangulSyllables": (0xAC00, 0xD7A3),
    "PrivateUse": (0xE000, 0xF8FF),
    "Specials": (0xFFF0, 0xFFFD),
}
_CATEGORIES = frozenset(
    {
        *("L", "Lu", "Ll", "Lt", "Lm", "Lo", "M", "Mn", "Mc", "Me", "N", "Nd", "Nl", "No"),
        *("P", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Z", "Zs", "Zl", "Zp"),
        *("S", "Sm", "Sc", "Sk", "So", "C", "Cc", "Cf", "Co", "Cn", "Cs"),
    }
)

Contains = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class CharacterClass:
    """A set of characters.

    Attributes:
        members: single characters.
        ranges: first and last character of each range.
        escapes: other sets that belong to it.
        negated: whether it holds all other characters instead.
        minus: characters taken out again.
    """

    members: frozenset[str] = frozenset()
    ranges: tuple[tuple[str, str], ...] = ()
    escapes: tuple[Contains, ...] = ()
    negated: bool = False
    minus: CharacterClass | None = None

    def contains(self, character: str, *, caseless: bool) -> bool:
        """Whether a character is in the set, in either case when `caseless`."""
        forms = variants(character) if caseless else (character,)
        found = any(self._holds(form) for form in forms)
        if found == self.negated:
            return False
        return self.minus is None or not self.minus.contains(character, caseless=caseless)

    def _holds(self, character: str) -> bool:
        return (
            character in self.members
            or any(low <= character <= high for low, high in self.ranges)
            or any(escape(character) for escape in self.escapes)
        )


def variants(character: str) -> frozenset[str]:
    """The forms of a character in either case."""
    lower, upper = character.lower(), character.upper()
    forms = {character, lower, upper, lower.upper(), upper.lower()}
    return frozenset(form for form in forms if len(form) == 1)


def category(name: str) -> Contains | None:
    r"""The characters of `\p{name}`: a Unicode category, or a block after `Is`; else None."""
    if name in _CATEGORIES:
        return lambda character: unicodedata.category(character).startswith(name)
    first, last = _BLOCKS.get(name.removeprefix("Is"), (1, 0)) if name.startswith("Is") else (1, 0)
    return (lambda character: first <= ord(character) <= last) if first <= last else None


def opposite(contains: Contains) -> Contains:
    """All characters that a set does not hold."""
    return lambda character: not contains(character)


def _is_name_start(character: str) -> bool:
    return character in ":_" or unicodedata.category(character) in {"Lu", "Ll", "Lt", "Lm", "Lo"}


def _is_name_part(character: str) -> bool:
    return (
        _is_name_start(character)
        or character in "-.·"
        or unicodedata.category(character) in {"Nd", "Nl", "Mn", "Mc"}
    )


def _is_word(character: str) -> bool:
    return unicodedata.category(character)[0] not in "PZC"


def _is_digit(character: str) -> bool:
    return unicodedata.category(character) == "Nd"


def _is_space(character: str) -> bool:
    return character in " \t\n\r"


SINGLE_ESCAPES: dict[str, str] = {"n": "\n", "r": "\r", "t": "\t"} | {
    sign: sign for sign in "\\|.?*+(){}-[]^$"
}
CLASS_ESCAPES: dict[str, Contains] = {
    "d": _is_digit,
    "D": opposite(_is_digit),
    "w": _is_word,
    "W": opposite(_is_word),
    "s": _is_space,
    "S": opposite(_is_space),
    "i": _is_name_start,
    "I": opposite(_is_name_start),
    "c": _is_name_part,
    "C": opposite(_is_name_part),
}
