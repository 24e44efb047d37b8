"""What is wrong with something a person wrote: where, what, why, and how to mend it.

A fault in data is a `Problem`, never an exception. Every code has an entry in `CODES`, a heading
in docs/errors.md and a folder in fixtures/errors that provokes it.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: What ends a line for an editor; YAML and Python know more, which would shift the line numbers.
LINE_BREAK = re.compile(r"\r\n|\r|\n")


class ContractError(Exception):
    """Something used the contracts in a way that its own code should have prevented."""


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """What a code stands for: a title for its heading, and a paragraph on meaning and cure."""

    title: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault, in the author's own words and file.

    `line` and `column` count from 1; 0 says that there is no place to point at. `length` is how
    many characters are meant. `field` is the path as people write it: `floors[house].age`.
    """

    code: str
    what: str
    why: str = ""
    fix: str = ""
    file: str = ""
    line: int = 0
    column: int = 0
    length: int = 1
    field: str = ""
    severity: str = "error"


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """The problems sorted by file, line, column and code, each once."""
    return tuple(
        sorted(
            dict.fromkeys(problems),
            key=lambda problem: (problem.file, problem.line, problem.column, problem.code),
        )
    )


def nearest(word: str, words: Iterable[str]) -> str | None:
    """The one of `words` that `word` was most likely meant to be, if any is near.

    >>> nearest("land_vlaue", ["building_value", "land_value"])
    'land_value'
    """
    lowered: dict[str, str] = {}
    for candidate in words:
        lowered.setdefault(candidate.lower(), candidate)
    found = difflib.get_close_matches(word.lower()[:200], lowered, n=1, cutoff=0.6)
    return lowered[found[0]] if found else None


def shown(text: object, limit: int = 60) -> str:
    """Somebody's text, safe to print inside a sentence: one line, no control characters, short."""
    cleaned = "".join(map(_visible, str(text)[: limit + 1]))
    return cleaned if len(cleaned) <= limit else cleaned[: limit - 1] + "…"


def render_problems(problems: Iterable[Problem], sources: Mapping[str, str]) -> str:
    """The problems as a person reads them, with the lines they point at.

    Args:
        problems: in any order; they are sorted.
        sources: the text of each file by the name its problems carry; a file without text
            is shown without an excerpt.

    Returns:
        Text that ends with a newline, or nothing for no problems.
    """
    lines_of = {name: LINE_BREAK.split(text) for name, text in sources.items()}
    return "\n".join(_render(problem, lines_of) for problem in in_order(problems))


def problems_to_json(problems: Iterable[Problem]) -> list[dict[str, object]]:
    """The problems as plain values, sorted, for programs."""
    return [
        {
            "code": problem.code,
            "file": problem.file,
            "line": problem.line,
            "column": problem.column,
            "field": problem.field,
            "what": problem.what,
            "why": problem.why,
            "fix": problem.fix,
            "severity": problem.severity,
        }
        for problem in in_order(problems)
    ]


def _render(problem: Problem, lines_of: Mapping[str, list[str]]) -> str:
    place = problem.file
    if problem.line:
        place += f":{problem.line}:{problem.column}"
    head = f"{place}: " if place else ""
    out = [f"{head}{problem.severity} {problem.code}: {problem.what}"]
    lines = lines_of.get(problem.file, [])
    if 0 < problem.line <= len(lines):
        out += _excerpt(lines[problem.line - 1], problem)
    if problem.field and problem.field not in problem.what:
        out.append(f"  Field: {problem.field}")
    if problem.why:
        out.append(f"  {problem.why}")
    if problem.fix:
        out.append(f"  {problem.fix}")
    out.append(f"  more: docs/errors.md#{problem.code}")
    return "\n".join(out) + "\n"


#: As wide as a terminal allows beside the line number.
_EXCERPT = 100


def _excerpt(line: str, problem: Problem) -> list[str]:
    start = max(0, problem.column - 1)
    # A minified JSON file is one line of a megabyte: only what surrounds the place is shown.
    first = 0 if len(line) <= _EXCERPT else max(0, start - _EXCERPT // 2)
    shown_line = line[first : first + _EXCERPT]
    cut_left, cut_right = ("…" if first else ""), ("…" if first + _EXCERPT < len(line) else "")
    before = cut_left + shown_line[: start - first]
    meant = shown_line[start - first : start - first + max(1, problem.length)]
    number = f"{problem.line:>5}"
    text = "".join(map(_visible, cut_left + shown_line + cut_right))
    return [
        f"{number} | {text}".rstrip(),
        f"{' ' * len(number)} | {' ' * _width(before)}{'^' * max(1, _width(meant))}",
    ]


def _visible(character: str) -> str:
    if character == "\t":
        return "→"
    return character if character.isprintable() else "\N{REPLACEMENT CHARACTER}"


def _width(text: str) -> int:
    """Cells on a screen: Devanagari vowel signs take none, wide characters two."""
    return sum(
        0
        if unicodedata.combining(character) or unicodedata.category(character) == "Mn"
        else 2
        if unicodedata.east_asian_width(character) in "WF"
        else 1
        for character in text
    )


#: Every code there is. E1xx reading text, E2xx rule sets, E3xx FEEL, E4xx cases, contracts and
#: quantities, E5xx profiles and field definitions, E6xx bundles, signatures and files on disk.
CODES: Mapping[str, ErrorCode] = {
    "E101": ErrorCode(
        "Characters that cannot be text",
        "The file is not UTF-8, or holds control characters or halves of characters. "
        "Save it as UTF-8 from the editor and take out what was pasted in by accident.",
    ),
    "E102": ErrorCode(
        "Not readable as YAML",
        "The structure of the file breaks at this place: usually a quote or bracket that is not "
        "closed, a colon without a blank after it, or a line that is not indented like its "
        "neighbours. Nothing after the place has been read.",
    ),
    "E103": ErrorCode(
        "A word that YAML readers turn into true, false or nothing",
        "Some readers take NO, yes, on, off, True or NULL for a truth value or for nothing, "
        "others for text. Write true, false or null if that is meant, and put quotes around the "
        "word if it is text.",
    ),
    "E104": ErrorCode(
        "A number that is not written plainly",
        "Readers disagree about 012, 1e3, 0x1F, 1_000, +5, .5 and 12:30: one man's twelve is "
        "another's ten. Write the number plainly, such as 1250.50, or put quotes around it if it "
        "is not a number (a time, a PIN code, a survey number).",
    ),
    "E105": ErrorCode(
        "A key written twice",
        "Most readers keep the last of the two in silence. Keep the one that is right.",
    ),
    "E106": ErrorCode(
        "Tags, anchors, aliases, merge keys and directives",
        "YAML's !tags, &anchors, *aliases, << and %directives make a file mean something else "
        "than it says. Write the value out where it is used; a text that begins with one of "
        "these signs needs quotes.",
    ),
    "E107": ErrorCode(
        "A key that is not text",
        "The name before a colon is a word. Numbers, true, false, nothing, lists and mappings "
        "are not names; put quotes around a name that looks like a number.",
    ),
    "E108": ErrorCode(
        "A tab where only blanks may stand",
        "A tab is as wide as the editor shows it, so indentation by tabs means nothing. "
        "Use blanks.",
    ),
    "E109": ErrorCode(
        "Several documents in one file",
        "A line of three hyphens begins another document. One file holds one.",
    ),
    "E110": ErrorCode(
        "Too large or too deep",
        "The file is larger, or nested deeper, than anything a person writes. It may be "
        "damaged, or be meant to do harm.",
    ),
    "E111": ErrorCode(
        "Not readable as JSON",
        "The structure of the file breaks at this place. Nothing after it has been read.",
    ),
    "E112": ErrorCode(
        "A number beyond what is read",
        "NaN and Infinity are not numbers of JSON, and a number of more than a hundred digits "
        "is no figure of a report.",
    ),
    "E113": ErrorCode(
        "Nothing in the file",
        "The file is empty, or holds comments only.",
    ),
    "E203": ErrorCode(
        "A name that nothing has",
        "A formula, condition, message, decision or list of fields names an input, parameter, "
        "value, column, function, finding or choice that the rule set does not have. Correct the "
        "spelling, or declare it. Names in quotes are texts, names without quotes are figures.",
    ),
    "E204": ErrorCode(
        "Figures or findings that need themselves",
        "Figures are computed one after another, so none can need itself, not even by way of "
        "others. A relation that is used both ways reads the figure that the case states with "
        "given(x), which needs no formula.",
    ),
    "E205": ErrorCode(
        "Units that do not fit",
        "Square feet do not add to square metres, nor an amount to a rate, and a figure comes out "
        'in the unit that it declares. Convert one of them with convert(x, "unit"), and give a '
        "plain number that stands for a measure a name, as a parameter with its unit.",
    ),
    "E206": ErrorCode(
        "A unit that cannot be used here",
        "The unit is unknown, is worth something else from place to place, or measures another "
        "thing than the path or parameter holds. A rule set names units that are the same "
        "everywhere, takes the unit of the case (INR/area, area), or that of a rate beside it "
        "(area of row.rate).",
    ),
    "E207": ErrorCode(
        "A rounding that is missing or cannot be",
        "Every number says how it is rounded, also when it is not: none, or floor, nearest or ceil "
        "with a step in the figure's own unit, such as floor 1000, ceil 500 or nearest 0.01 %.",
    ),
    "E208": ErrorCode(
        "An entry that is not complete",
        "A variant states only what differs from its base; a name that the base does not have is "
        "new, and needs its formula, unit and rounding, or its path. More often it is a name of "
        "the base that was misspelt.",
    ),
    "E209": ErrorCode(
        "A name that is taken",
        "One name means one thing: it stands in one section only, and is no word or function of "
        "FEEL.",
    ),
    "E210": ErrorCode(
        "A path that leads nowhere in the contract",
        "An input is read from, and a figure written into, a place that the contract has. "
        "contracts/schemas/case.schema.json lists them all, and editors complete them. Two figures "
        "cannot be written into one place.",
    ),
    "E211": ErrorCode(
        "A value of another kind",
        "A text cannot be divided, a date is not compared with an amount, a condition is true or "
        "false, and a list is not a single figure. The same holds for what a path of the contract "
        "can hold.",
    ),
    "E212": ErrorCode(
        "A sum over different units",
        "Each row of the column is in the unit that the case gives there, so that a sum would add "
        "cents to square feet. Declare the column a second time in one unit and sum that.",
    ),
    "E213": ErrorCode(
        "Figures compared that may both be unknown",
        "FEEL takes two unknown figures for equal, and a known one for different from an unknown "
        "one, so that the finding would speak of what nobody knows. differ(a, b) is null as soon "
        "as one of them is not known.",
    ),
    "E214": ErrorCode(
        "A rule that asks for the day it is",
        "A report computed again tomorrow must come out the same. Dates come from the case; as_of "
        "is the date of valuation.",
    ),
    "E215": ErrorCode(
        "A message that shows what it cannot",
        "In a finding's message, braces hold the name of a single figure: {fmv}, {row.age}, "
        "{given(fmv)}, {calculated(fmv)}, or {say:words} for an amount in words.",
    ),
    "E216": ErrorCode(
        "A decision whose outcomes do not fit",
        "Every row says what follows (then), all outcomes are of one kind, and are among the words "
        "of 'one of' where there is one. Numbers can be added up, counted or compared under hit: "
        "collect; priority needs the order of the outcomes.",
    ),
    "E217": ErrorCode(
        "A rule set that extends what it cannot",
        "A variant extends one version of another rule set, valuation@1, and no set extends "
        "itself, not even by way of others.",
    ),
    "E218": ErrorCode(
        "Something written twice in a rule set",
        "A rule set may be shared out among files, but each entry stands in one of them, the head "
        "in ruleset.yaml, and a version of a rule set in one folder.",
    ),
    "E219": ErrorCode(
        "A parameter that has no value",
        "The base names a number and leaves it to each bank. A set that is chosen for cases states "
        "it, with its source.",
    ),
    "E220": ErrorCode(
        "A drop of what is not there",
        "A variant takes out entries of its base by their names.",
    ),
    "E221": ErrorCode(
        "A rule set without name or version",
        "A report names the rule set and version that it was computed with, so both stand at the "
        "top of ruleset.yaml.",
    ),
    "E222": ErrorCode(
        "A function that is not given what it takes",
        "The functions of rule sets take their arguments by position, and as many as "
        "docs/writing-rules.md says. given, calculated, convert and raised are worked out before a "
        "list is walked, and raised is asked in findings only.",
    ),
    "E223": ErrorCode(
        "A history that contradicts itself",
        "A parameter has one value on a day, and a value, or a rule set, does not end before it "
        "begins. Both days, from and until, count.",
    ),
    "E229": ErrorCode(
        "A rule set that does not exist",
        "The case, or the command, asks for a rule set by a name that none of the shipped rule "
        "sets has. Rule sets of other firms are kept elsewhere and named with --variants.",
    ),
    "E301": ErrorCode(
        "A formula that is no FEEL expression",
        "Formulas, conditions and the cells of decisions are written in FEEL, the expression "
        "language of DMN 1.5: texts stand in double quotes, equality is a single =, conditions are "
        "joined by and and or. docs/writing-rules.md and docs/feel.md show the rest.",
    ),
    "E302": ErrorCode(
        "A formula that is too long or too deep",
        "No person can check such a formula. Give its parts names, as values of their own.",
    ),
    "E401": ErrorCode(
        "A field that does not exist",
        "A contract, case or other file has the fields that its schema names and no others, so "
        "that a misspelt one is not lost without a word. The message names the nearest field, "
        "and the part that has a field of this name.",
    ),
    "E402": ErrorCode(
        "A field that must be there",
        "Few fields must be there for a file to be read at all; what a report needs beside them "
        "is a matter of readiness, not of reading.",
    ),
    "E403": ErrorCode(
        "Not one of the words a field may have",
        "The field has a fixed choice of words, written in these very letters.",
    ),
    "E404": ErrorCode(
        "Not a number, or not a quantity",
        "A quantity is a number, written plainly and without commas, and its unit: 6.59 cent, "
        '900000 INR/cent, 5 crore INR, 3 bigha 2 katha, or {value: "6.59", unit: cent}. '
        "It has at most 24 digits before the point and 34 in all.",
    ),
    "E405": ErrorCode(
        "A value of another kind",
        "The field holds one kind of value, such as a text, a list or true and false, and "
        "another was written.",
    ),
    "E406": ErrorCode(
        "Not a date",
        "A date is written as year, month and day, 2026-03-31, and must exist in the calendar; "
        "a moment as 2026-03-31T10:15:00, with its zone (+05:30) if it is known.",
    ),
    "E407": ErrorCode(
        "Beyond the bounds of a field",
        "The value is of the right kind, yet too large, too small, too long, or with signs that "
        "the field cannot have.",
    ),
    "E408": ErrorCode(
        "A patch that names a row nobody can find",
        "A mapping in place of a list changes the rows it names by their id. Rows without an id, "
        "and lists of plain values, can only be replaced as a whole.",
    ),
    "E409": ErrorCode(
        "A patch that would leave something unreadable",
        "After the patch the contract would not be one: a field that must be there would be "
        "gone, or a list would become something else.",
    ),
    "E410": ErrorCode(
        "A file outside the case's folder",
        "Files of a case are named by their path below its folder, with '/' between folders. "
        "A path from the root, a drive, '..' and signs that some systems do not allow in file "
        "names are refused.",
    ),
    "E411": ErrorCode(
        "Two rows with one name",
        "Rows of a table are addressed by their id, evidence by its key: each needs its own.",
    ),
    "E412": ErrorCode(
        "A link to evidence that is not there",
        "A link names the key of a piece of evidence of the same case.",
    ),
    "E501": ErrorCode(
        "A path that leads nowhere in the contract",
        "A profile asks for a fact, or a condition reads one, that the contract has no place for. "
        "It could never be known, so the report would never be ready, or the condition never true.",
    ),
    "E502": ErrorCode(
        "A condition that is no FEEL expression",
        "A condition (`when`) is written in FEEL, the expression language of DMN, such as "
        'property.kind != "FLAT" and property.built_up_area != null. Texts stand in double quotes, '
        "a comparison for equality is a single =.",
    ),
    "E503": ErrorCode(
        "A condition about something other than the contract",
        "A condition reads the facts of the contract and nothing else: no figure that is computed, "
        "no clock, no word that a fact cannot have. Otherwise the same case would need other "
        "evidence on another day, or the condition would never change.",
    ),
    "E504": ErrorCode(
        "The same key twice in a profile or among the field definitions",
        "Fields and requirements are told apart by their keys, and profiles by id and version.",
    ),
    "E505": ErrorCode(
        "A requirement that asks for nothing",
        "The least number of pieces is one or more. Evidence that need not be there is "
        "`required: false`.",
    ),
    "E506": ErrorCode(
        "A profile that extends or drops what is not there",
        "A profile extends one version of another profile of the same folder (`extends: "
        "valuation@1`), without a circle, and drops only what that one asks for.",
    ),
    "E507": ErrorCode(
        "A field without a definition",
        "Every field that a profile names has a label for the people who read that it is missing: "
        "in the field definitions, or in the profile itself.",
    ),
    "E508": ErrorCode(
        "A field definition that disagrees with the contract",
        "The definition says what kind of thing a fact is; the contract decides it.",
    ),
    "E509": ErrorCode(
        "Two profiles that answer for the same report",
        "For every report one profile is nearest: by property kind, then bank type, then value "
        "slab. Two that are equally near would be told apart by their names only.",
    ),
    "E510": ErrorCode(
        "A profile that does not exist",
        "The case names a profile, or a version of one, that is not in the catalogue.",
    ),
    "E601": ErrorCode(
        "A file that is not there",
        "The case, the command or the data folder names a file that does not exist, or a piece "
        "of evidence that counts as received names none. Correct the name, or write "
        "status: pending for evidence that is still to come.",
    ),
    "E602": ErrorCode(
        "Something that cannot be read as a file",
        "A folder, a pipe, an archive, or a file without permission stands under the name.",
    ),
    "E603": ErrorCode(
        "A link",
        "A link may lead out of the case's folder, and to another place on another machine, so "
        "none is followed. Put the file itself there.",
    ),
    "E604": ErrorCode(
        "Too large",
        "A case file of more than 16 MB, a piece of evidence of more than 100 MB, or more than "
        "2 GB of evidence is damaged, or is not what it seems.",
    ),
    "E605": ErrorCode(
        "A kind of file that evidence cannot be",
        "Evidence is a JPEG, PNG, WebP, TIFF or HEIC picture, or a PDF. The content decides, not "
        "the ending of the name.",
    ),
    "E606": ErrorCode(
        "A damaged file",
        "The file is empty, breaks off before its end, or begins like a picture and cannot be "
        "opened as one. Copy it again from where it came.",
    ),
    "E607": ErrorCode(
        "A picture of too many pixels",
        "A small file can claim a picture that fills all memory when it is opened. Save it smaller.",
    ),
    "E608": ErrorCode(
        "A place that cannot be written to",
        "The folder does not exist, the disk is full, or something that is no bundle stands where "
        "the bundle is to be. What is there is left as it was.",
    ),
    "E609": ErrorCode(
        "Evidence that changed while the bundle was built",
        "A bundle holds what was evaluated. Build again when nothing writes to the evidence.",
    ),
    "E610": ErrorCode(
        "Not a bundle, or not all of it",
        "The file is no archive, or its end is missing. Copy it again.",
    ),
    "E611": ErrorCode(
        "An archive that zenops did not write",
        "A bundle's archive has one form: stored, sorted, without dates, links, remarks, extra "
        "fields or anything between its files. Whatever differs was written by something else, "
        "by accident or to do harm. Nothing of it is unpacked.",
    ),
    "E612": ErrorCode(
        "A file of a bundle is missing",
        "The manifest lists a file that the archive does not hold.",
    ),
    "E613": ErrorCode(
        "A file in a bundle is unexpected",
        "The archive holds a file that the manifest does not list.",
    ),
    "E614": ErrorCode(
        "A file of a bundle was changed",
        "The bytes of a file are not those whose digest the manifest holds, or the bundle's "
        "digest is not the one that was asked for.",
    ),
    "E615": ErrorCode(
        "A manifest that is not in its form",
        "The manifest holds one sorted line for each file of the payload.",
    ),
    "E616": ErrorCode(
        "Files of a bundle that do not fit together",
        "Each file is as the manifest says, but one of them is not of its shape, or is not the "
        "one that the figures were computed with. Such a bundle was put together by hand.",
    ),
    "E617": ErrorCode(
        "A figure that comes out otherwise",
        "Computed again from the bundle alone, a figure or finding is not what the bundle says: "
        "either its evaluation was changed by hand, or the software's arithmetic was.",
    ),
    "E620": ErrorCode(
        "A key that cannot be used or written",
        "A key file is never overwritten, because what it signed could not be signed again. Keys "
        "are Ed25519 in PEM files, as zenops keygen writes them.",
    ),
    "E621": ErrorCode(
        "A signature that is missing or does not fit",
        "The bundle is not signed, is signed with another key, or its signature was made for "
        "another digest.",
    ),
    "E622": ErrorCode(
        "A bundle that is signed already",
        "A signature is not replaced by one of another key. Sign a copy that has none.",
    ),
    "E623": ErrorCode(
        "A figure that the rule set does not have",
        "Only figures and decisions of the rule set that answered for the case can be explained.",
    ),
    "E630": ErrorCode(
        "A case that gives another result than expected",
        "Rules, software or the case changed. If the new result is right, write it with "
        "zenops golden update, in a commit of its own that says why.",
    ),
    "E631": ErrorCode(
        "An expected result that was edited by hand",
        "Expected results are computed. Change the case or the rules, never the result.",
    ),
    "E632": ErrorCode(
        "An expected result that is missing or left over",
        "Every case has its expected result beside it, and nothing else lies there.",
    ),
    "E638": ErrorCode(
        "A picture that cannot be printed",
        "Its header is sound and the rest is not, or it has so many pixels that opening it takes "
        "more memory than a report may have. Put a sound and smaller copy into the case.",
    ),
    "E639": ErrorCode(
        "The process that fills templates ended",
        "Templates are filled in a process of their own, with limits, so that none can do harm. It "
        "ended before its work was done; no report was written.",
    ),
    "E640": ErrorCode(
        "A bundle without a template",
        "The rule set decides on the key of a template. A bundle holds the digest of the file of "
        "that key; here there was none when it was built, or there is none any more.",
    ),
    "E641": ErrorCode(
        "Another template than the bundle's",
        "A bundle names its template by the digest of the file, so that a report comes out the "
        "same each time. Print it in that file, or build the bundle again.",
    ),
    "E642": ErrorCode(
        "A file that cannot be a template",
        "A template is a plain DOCX of text, styles, tables, headers, footers and pictures of its "
        "own. Macros, embedded objects, links to other places, fields of Word that fetch or ask, "
        "and whatever is damaged or unpacks to more than a document needs, are refused.",
    ),
    "E643": ErrorCode(
        "Something that a template may not say",
        "Templates print fields, repeat parts and leave parts out. Nothing in them calls functions, "
        "includes other files, reaches into objects or builds long texts.",
    ),
    "E644": ErrorCode(
        "An expression that cannot be read",
        "Between the braces stands something that is no expression, a brace is missing, or an if "
        "or for has no end.",
    ),
    "E645": ErrorCode(
        "A field that the report does not have",
        "The template names a field that is not among the data of this report, or prints as a text "
        "what is a list, a part with fields of its own, or true and false.",
    ),
    "E646": ErrorCode(
        "A report beyond the limits",
        "A report may take a minute of computing, some memory and a few hundred pages. What takes "
        "more is a template that repeats itself without end.",
    ),
    "E647": ErrorCode(
        "A template that falls apart",
        "A loop or condition begins in one paragraph, row or cell and ends in another kind of "
        "place, so that what remains is no document.",
    ),
    "E648": ErrorCode(
        "A tag in the wrong place",
        "Tags with p, tr and tc take away the whole paragraph, row or cell that they stand in, and "
        "what else is in it. Only what can be read on the page is filled, not links, names of "
        "pictures or fields of Word.",
    ),
    "E650": ErrorCode(
        "A report that says something else than its bundle",
        "A text of the report names the field that it shows, and reads otherwise than the bundle "
        "gives it. Figures are worked out again from their formulas; what stands in the document "
        "was changed after it was printed, or the report belongs to another bundle.",
    ),
    "E651": ErrorCode(
        "An amount in words that is not its figure",
        "Banks go by the words where the two differ. They are read back and held against the "
        "figure of the same field.",
    ),
    "E652": ErrorCode(
        "A figure that nothing vouches for",
        "An amount, a rate, a percentage or a number of four digits or more stands in the report "
        "without a tag that names its field, and the template has no such words of its own.",
    ),
    "E653": ErrorCode(
        "A tag that names no field",
        "The content control around a text names a field that the bundle does not have.",
    ),
    "E654": ErrorCode(
        "A figure that the report must print, and does not",
        "Every report of its kind states these values; one that leaves them out says too little.",
    ),
    "E655": ErrorCode(
        "A row that was left out",
        "Other rows of the same table are printed. A total beside rows that do not make it up "
        "cannot be followed.",
    ),
    "E656": ErrorCode(
        "A figure of the bundle that its own formula does not give",
        "Each figure is worked out again from the formula and the inputs of its trace, by another "
        "evaluator than the one that computed it. This is a fault of the software.",
    ),
    "E657": ErrorCode(
        "A report that cannot be read",
        "The file is no DOCX, is damaged, or holds something whose text cannot be seen, such as an "
        "embedded object, a chart or another document.",
    ),
    "E660": ErrorCode(
        "No LibreOffice",
        "The PDF is made from the Word document by LibreOffice, which is a program of its own. "
        "Everything else works without it.",
    ),
    "E661": ErrorCode(
        "LibreOffice made no PDF",
        "LibreOffice ended without a PDF, and does not say why.",
    ),
    "E662": ErrorCode(
        "LibreOffice took too long",
        "Pages are laid out within seconds. LibreOffice is ended when it takes minutes.",
    ),
    "E670": ErrorCode(
        "A template that leaves out what a report must say",
        "Each family of reports has figures that every bank's form prints, such as the fair market "
        "value. A report without one of them fails its proof.",
    ),
}
