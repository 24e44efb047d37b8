"""Templates and data that try to break out, break down, or break the document.

Each is refused by name, or printed as what it is; none runs code, and no report is torn.
"""

import docx
import pytest

from factory.rendering.tagging import printable
from tests.rendering.conftest import DATA, altered, is_sound, leaf, made, packed, parts_of, texts_of

REFUSED, UNREADABLE, UNKNOWN, ENDLESS, TORN, NO_TEMPLATE = (
    "E643", "E644", "E645", "E646", "E647", "E642",
)  # fmt: skip

EXPRESSIONS = {
    # Ways into the objects behind the data.
    "{{ fmv.__class__ }}": REFUSED,
    "{{ ''.__class__.__mro__[1].__subclasses__() }}": REFUSED,
    "{{ fmv['__class__'] }}": REFUSED,
    "{{ floors['__class__']['__base__'] }}": REFUSED,
    "{{ fmv['_' ~ '_class__'] }}": UNKNOWN,
    "{{ fmv|attr('__class__') }}": REFUSED,
    "{{ fmv|attr('\\x5f\\x5fclass\\x5f\\x5f') }}": REFUSED,
    "{{ fmv['\\x5f\\x5fclass\\x5f\\x5f'] }}": REFUSED,
    "{{ fmv.upper }}": UNKNOWN,
    "{{ fmv.format }}": UNKNOWN,
    "{{ property.items }}": UNKNOWN,
    "{{ property.items() }}": REFUSED,
    "{{ property.pop('address') }}": REFUSED,
    "{{ property.update({'address': 1}) }}": REFUSED,
    "{{ floors.append }}": UNKNOWN,
    "{{ floors.append(1) }}": REFUSED,
    "{{ floors.clear() }}": REFUSED,
    "{{ floors.__len__() }}": REFUSED,
    "{{ fmv.encode('utf-8') }}": REFUSED,
    "{{ (1).real }}": UNKNOWN,
    "{{ 1.5.hex() }}": REFUSED,
    # Names that Jinja or web frameworks bring along.
    "{{ cycler }}": UNKNOWN,
    "{{ cycler('a').next() }}": REFUSED,
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}": REFUSED,
    "{{ joiner }}": UNKNOWN,
    "{{ joiner.__init__.__globals__ }}": REFUSED,
    "{{ namespace }}": UNKNOWN,
    "{% set found = namespace(a=1) %}{{ found.a }}": REFUSED,
    "{% set floors.a = 1 %}": REFUSED,
    "{{ dict(a=1) }}": REFUSED,
    "{{ lipsum(100000) }}": REFUSED,
    "{{ lipsum.__globals__ }}": REFUSED,
    "{{ self }}": UNKNOWN,
    "{{ self._TemplateReference__context }}": REFUSED,
    "{{ super() }}": REFUSED,
    "{{ caller() }}": REFUSED,
    "{{ varargs }}": UNKNOWN,
    "{{ config }}": UNKNOWN,
    "{{ config.items() }}": REFUSED,
    "{{ request.application.__globals__ }}": REFUSED,
    "{{ get_flashed_messages.__globals__ }}": REFUSED,
    "{{ url_for.__globals__.os.system('true') }}": REFUSED,
    "{{ __builtins__ }}": REFUSED,
    "{{ __import__('os').system('true') }}": REFUSED,
    "{{ range.__self__ }}": REFUSED,
    "{{ range }}": UNKNOWN,
    "{{ loop }}": UNKNOWN,
    "{% for a in floors %}{{ loop }}{% endfor %}": UNKNOWN,
    "{% for a in floors %}{{ loop._iterable }}{% endfor %}": REFUSED,
    "{% for a in floors %}{{ loop.cycle('a', 'b') }}{% endfor %}": REFUSED,
    "{% for a in floors %}{{ loop.changed }}{% endfor %}": UNKNOWN,
    "{% for a in floors recursive %}{{ loop(floors) }}{% endfor %}": REFUSED,
    # What the renderer itself uses.
    "{{ _state }}": REFUSED,
    "{{ _state.faults.clear() }}": REFUSED,
    "{{ fmv|_run(0) }}": REFUSED,
    "{{ floors|_rows }}": REFUSED,
    "{% set _state = 1 %}": REFUSED,
    # Filters and tests that reach further, or make texts of any length.
    "{{ fmv|safe }}": REFUSED,
    "{{ '<w:br/>'|safe }}": REFUSED,
    "{{ fmv|xmlattr }}": REFUSED,
    "{{ floors|map(attribute='__class__')|list }}": REFUSED,
    "{{ floors|map('attr', '__class__')|list }}": REFUSED,
    "{{ floors|groupby('__class__') }}": REFUSED,
    "{{ floors|selectattr('__class__')|list }}": REFUSED,
    "{{ floors|sum(attribute='__class__') }}": REFUSED,
    "{{ property|tojson }}": REFUSED,
    "{{ floors|pprint }}": REFUSED,
    "{{ floors|random }}": REFUSED,
    "{{ 'a'|center(500000000) }}": REFUSED,
    "{{ 'a'|indent(500000000) }}": REFUSED,
    "{{ 'a b'|wordwrap(1) }}": REFUSED,
    "{{ floors|batch(100000000, 'x')|list }}": REFUSED,
    "{{ 'a'|replace('a', 'b' ) }}": REFUSED,
    "{{ 'http://example.org'|urlize }}": REFUSED,
    "{{ '%s'|format(fmv) }}": REFUSED,
    "{{ fmv is callable }}": REFUSED,
    "{{ fmv is filter }}": REFUSED,
    "{{ '%0500000000d' % 1 }}": REFUSED,
    "{{ '{0.__class__}'.format(fmv) }}": REFUSED,
    "{{ '{0.__class__}'.format_map(property) }}": REFUSED,
    "{{ 'a' * 500000000 }}": REFUSED,
    "{{ floors * 100000000 }}": REFUSED,
    "{{ 'a' + 'b' }}": REFUSED,
    "{{ 9 ** 9 ** 9 }}": REFUSED,
    "{{ 999999999999 * 999999999999 * 9 }}": REFUSED,
    "{{ range(1000000000)|length }}": REFUSED,
    "{{ range('a') }}": REFUSED,
    "{{ range(1, 2, 0) }}": UNKNOWN,
    "{{ 1 / 0 }}": UNKNOWN,
    "{{ floors|join('x' * 9) }}": REFUSED,
    "{{ fmv|join }}": REFUSED,
    "{% for a in fmv %}{{ a }}{% endfor %}": UNKNOWN,
    "{% for a in 5 %}{{ a }}{% endfor %}": UNKNOWN,
    "{% for a in range(1000) %}{% for b in range(1000) %}x{% endfor %}{% endfor %}": ENDLESS,
    "{% for a in range(1000) %}{% for b in range(1000) %}{% endfor %}{% endfor %}": ENDLESS,
    # Other files, and pieces of programs.
    "{% include '/etc/passwd' %}": REFUSED,
    "{% include fmv %}": REFUSED,
    "{% import 'os' as os %}": REFUSED,
    "{% from 'os' import system %}": REFUSED,
    "{% extends '/etc/passwd' %}": REFUSED,
    "{% block a %}{% endblock %}": REFUSED,
    "{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}": REFUSED,
    "{% call a() %}{% endcall %}": REFUSED,
    "{% filter upper %}a{% endfilter %}": REFUSED,
    "{% autoescape false %}{{ fmv }}{% endautoescape %}": REFUSED,
    "{% with a = 1 %}{{ a }}{% endwith %}": REFUSED,
    "{% set a %}text{% endset %}": REFUSED,
    "{% do floors.clear() %}": UNREADABLE,
    "{% debug %}": UNREADABLE,
    "{% trans %}a{% endtrans %}": UNREADABLE,
    "{% break %}": UNREADABLE,
    "{% exec 'import os' %}": UNREADABLE,
    # What cannot be read at all.
    "{{ }}": UNREADABLE,
    "{{ fmv": UNREADABLE,
    "{{ fmv }": UNREADABLE,
    "{% if fmv %}": UNREADABLE,
    "{% endfor %}": UNREADABLE,
    "{{ fmv) }}": UNREADABLE,
    "{{ fmv) ~ (say }}": UNREADABLE,
    "{{ " + "(" * 3000 + "fmv" + ")" * 3000 + " }}": UNREADABLE,
    "{{ " + "[" * 120 + "]" * 120 + " }}": UNREADABLE,
    "{{ " + "[" * 50 + "]" * 50 + " }}": REFUSED,
    "{{ fmv" + ".a" * 200 + " }}": REFUSED,
    "{{ " + "not " * 5000 + "fmv }}": UNREADABLE,
    # Pieces of Word's own language, and blocks that cut across it.
    "{{p fmv }}": REFUSED,
    "{{r fmv }}": REFUSED,
    "{{tr fmv }}": UNREADABLE,
    "{%p if say is known %} {{ fmv }}": UNREADABLE,
}


@pytest.mark.parametrize("text", EXPRESSIONS, ids=[text[:50] for text in EXPRESSIONS])
def test_a_hostile_expression_is_refused_by_name(printer, text):
    report, problems = printer(made("before", text, "after"))

    assert report is None
    assert {problem.code for problem in problems} == {EXPRESSIONS[text]}


TORN_BLOCKS = (
    ("{%p if say is known %}", "{{ fmv }}", "text {% endif %} more"),
    ("text {% if say is known %} more", "{%p endif %}"),
    ("{% for a in floors %} text", "{%p endfor %}"),
)


@pytest.mark.parametrize("paragraphs", TORN_BLOCKS)
def test_a_block_that_cuts_across_paragraphs_is_refused_or_leaves_a_whole_document(
    printer, paragraphs
):
    report, problems = printer(made("before", *paragraphs))

    assert is_sound(report) if report else {problem.code for problem in problems} == {TORN}


HARMLESS = (
    "{% raw %}{{ fmv.__class__ }}{% endraw %}",
    "{# {{ ''.__class__ }} #}visible",
    "{_{ fmv }_}",
    "${7*7} #{7*7} <%= 7*7 %> {7*7}",
    "{{ '{{ fmv }}' }}",
    "{{ '<w:p/>' }}",
    "{{ ']]>' }}",
    "{{ fmv|upper|lower|title|trim }}",
    "{% for a in floors %}{% for b in floors %}{{ a.label }}{% endfor %}{% endfor %}",
    "{% set a = 1 %}{{ a }}",
)


@pytest.mark.parametrize("text", HARMLESS)
def test_what_only_looks_hostile_is_printed(printer, text):
    report, problems = printer(made("before", text, "after"))

    assert not problems
    assert is_sound(report)
    assert texts_of(report)[0] == "before"
    assert texts_of(report)[-1] == "after"


VALUES = (
    "&<>\"'",
    "]]>",
    "<![CDATA[x]]>",
    "<!-- x -->",
    "<?xml version='1.0'?>",
    "&amp;&#0;&#x10FFFF;",
    "</w:t></w:r></w:p><w:p><w:r><w:t>injected",
    "<w:br w:type='page'/>",
    "</w:sdtContent></w:sdt>",
    "{{ 7 * 7 }}",
    "{{ fmv.__class__ }}",
    "{% for a in range(1000) %}x{% endfor %}",
    "{%p if x %}",
    "{#",
    "}}",
    "{_{ 7 }_}",
    "a\x00b",
    "a\x01\x02\x03\x0b\x0c\x0e\x1fb",
    "a\x7f\x80\x9fb",
    "a\ud800b",
    "a\udfff",
    "a\ufffe\uffffb",
    "₹\u202e10,00,000\u202c",
    "\u2066abc\u2069\u061c",
    "a\u200fb",
    "a\u2028b\u2029c\x85d",
    "a\r\nb\rc\nd",
    "\t\ttabs\t",
    "a\a\fb",
    "   blanks   ",
    "",
    "x" * 50_000,
    "\n" * 500,
    "x\u0301" * 2_000,
    "😀🏠👨‍👩‍👧",
    '=HYPERLINK("http://example.org")',
    "%s%n%x$(id)`id`",
    "../../etc/passwd",
    'INCLUDETEXT "/etc/passwd"',
    "' or 1=1 --",
    "\\x5f\\u0041",
)


@pytest.mark.parametrize("value", VALUES, ids=[ascii(value)[:40] for value in VALUES])
def test_a_hostile_value_is_printed_as_what_it_is(printer, value):
    data = DATA | {"fmv": leaf(value, "fmv")}
    report, problems = printer(made("before {{ fmv }} after"), data)

    assert not problems
    assert is_sound(report)
    lines = printable(value).replace("\r\n", "\n")
    for sign in ("\r", "\x85", "\u2028", "\u2029"):
        lines = lines.replace(sign, "\n")
    assert texts_of(report) == [f"before {lines} after"]


@pytest.mark.parametrize("value", VALUES, ids=[ascii(value)[:40] for value in VALUES])
def test_a_hostile_name_of_a_field_or_key_breaks_nothing(printer, value):
    data = DATA | {"fmv": leaf("1", value), value: leaf("2", "b")}
    report, problems = printer(made("{{ fmv }}"), data)

    assert not problems
    assert is_sound(report)
    assert texts_of(report) == ["1"]


@pytest.mark.parametrize(
    "sign", "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u061c\x00\x1b"
)
def test_signs_that_turn_numbers_around_or_cannot_be_seen_are_marked(sign):
    assert printable(f"1{sign}2") == "1\ufffd2"


def relation(kind, target, mode=' TargetMode="External"'):
    """A line to be added to what the document refers to."""
    return (
        b"</Relationships>",
        f'<Relationship Id="rId99" Type="http://schemas.openxmlformats.org/officeDocument/2006/'
        f'relationships/{kind}" Target="{target}"{mode}/></Relationships>'.encode(),
    )


RELS = "word/_rels/document.xml.rels"
TYPES = "[Content_Types].xml"
BODY = "word/document.xml"
PARAGRAPH = b"<w:p><w:r><w:t>mark</w:t></w:r></w:p>"
DOCTYPE = b'<!DOCTYPE w:document [<!ENTITY a "aaaaaaaaaa">]>'


def _kind(name, kind):
    return b"</Types>", f'<Override PartName="/{name}" ContentType="{kind}"/></Types>'.encode()


def _field(code):
    return PARAGRAPH, (
        '<w:p><w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText>'
        f"{code[:3]}</w:instrText></w:r><w:r><w:instrText>{code[3:]}</w:instrText></w:r>"
        '<w:r><w:fldChar w:fldCharType="end"/></w:r></w:p>'
    ).encode()


def _renamed(name, other):
    def change(content):
        parts = parts_of(content)
        parts[other] = parts.pop(name)
        return packed(parts)

    return change


def _doubled(content):
    import io
    import warnings
    import zipfile

    out = io.BytesIO(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with zipfile.ZipFile(out, "a") as archive:
            archive.writestr(BODY, b"<x/>")
    return out.getvalue()


def _encrypted(content):
    marked = bytearray(content)
    at = marked.index(b"PK\x01\x02")
    marked[at + 8] |= 1
    marked[6] |= 1
    return bytes(marked)


FILES = {
    "nothing": lambda _: b"",
    "a text": lambda _: b"Fair market value: {{ fmv }}",
    "half an archive": lambda content: content[: len(content) // 2],
    "an archive without its directory": lambda content: content[:-30],
    "an archive of something else": lambda _: packed({"a.txt": b"a"}),
    "a spreadsheet": {
        TYPES: (b"wordprocessingml.document.main", b"spreadsheetml.sheet.main"),
    },
    "a document with macros": {TYPES: (
        b"application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml",
        b"application/vnd.ms-word.document.macroEnabled.main+xml",
    )},
    "macros beside the text": {
        "word/vbaProject.bin": b"macros",
        TYPES: _kind("word/vbaProject.bin", "application/vnd.ms-office.vbaProject"),
    },
    "macros under another name": {"word/media/image1.bin": b"macros"},
    "a template of Word's own kind": {TYPES: (b"document.main+xml", b"template.main+xml")},
    "an embedded object": {"word/embeddings/oleObject1.bin": b"\xd0\xcf\x11\xe0"},
    "an object in the text": {BODY: (PARAGRAPH, b"<w:p><w:r><w:object/></w:r></w:p>")},
    "a control": {"word/activeX/activeX1.xml": b"<a/>", TYPES: _kind(
        "word/activeX/activeX1.xml", "application/vnd.ms-office.activeX+xml"
    )},
    "another document": {BODY: (
        PARAGRAPH, (b'<w:altChunk xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/'
        b'relationships" r:id="rId1"/>')
    )},
    "a template elsewhere": {RELS: relation("attachedTemplate", "http://example.org/a.dotm")},
    "a picture elsewhere": {RELS: relation("image", "http://example.org/a.png")},
    "an object elsewhere": {RELS: relation("oleObject", "file:///etc/passwd")},
    "a document elsewhere": {RELS: relation("aFChunk", "https://example.org/a.docx")},
    "a frame elsewhere": {RELS: relation("frame", "https://example.org/a.htm")},
    "a link that runs a script": {RELS: relation("hyperlink", "javascript:alert(1)")},
    "a link to a file": {RELS: relation("hyperlink", "file://server/share/a.exe")},
    "a part that is not there": {RELS: relation("image", "media/none.png", mode="")},
    "a part outside": {RELS: relation("image", "../../../../etc/passwd", mode="")},
    "a document type": {BODY: (b"<w:document", DOCTYPE + b"<w:document")},
    "entities within entities": {"word/styles.xml": (
        b'<!DOCTYPE s [<!ENTITY a "aaaaaaaaaa">'
        + b"".join(f'<!ENTITY {chr(98 + i)} "{f"&{chr(97 + i)};" * 10}">'.encode() for i in range(9))
        + b']><w:styles xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">&j;'
        b"</w:styles>"
    )},
    "an entity that is a file": {"word/styles.xml": (
        b'<!DOCTYPE s [<!ENTITY a SYSTEM "file:///etc/passwd">]><w:styles xmlns:w='
        b'"http://schemas.openxmlformats.org/wordprocessingml/2006/main">&a;</w:styles>'
    )},
    "a document type in sixteen bits": {"word/styles.xml": (
        '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE s [<!ENTITY a "b">]><s/>'.encode("utf-16")
    )},
    "text that is not well-formed": {BODY: (b"</w:body>", b"")},
    "a bomb of blanks": {"word/media/image9.png": b" " * 21_000_000},
    "a bomb of paragraphs": {BODY: (PARAGRAPH, b"<w:p/>" * 500_000)},
    "elements in elements": {BODY: (PARAGRAPH, b"<w:p>" * 5_000 + b"</w:p>" * 5_000)},
    "too many parts": {f"word/media/image{i}.png": b"x" for i in range(600)},
    "a way out": _renamed("word/settings.xml", "../settings.xml"),
    "a way from the root": _renamed("word/settings.xml", "/etc/settings.xml"),
    "a part with two names": _renamed("word/settings.xml", "word\\settings.xml"),
    "a part that is there twice": _doubled,
    "an encrypted part": _encrypted,
    "a field that starts a program": {BODY: _field('DDEAUTO c:\\\\windows\\\\system32\\\\cmd.exe "/k"')},
    "a field that reads a file": {BODY: _field('INCLUDETEXT "/etc/passwd"')},
    "a field that fetches a picture": {BODY: _field('INCLUDEPICTURE "http://example.org/a.png"')},
    "a field that tells the day": {BODY: _field("DATE")},
    "a field that asks": {BODY: _field("ASK x")},
    "a field with an expression": {BODY: _field("PAGE {{ fmv }}")},
    "a field in one piece": {BODY: (
        PARAGRAPH, b'<w:p><w:fldSimple w:instr=" LINK Excel.Sheet.8 a.xls "/></w:p>'
    )},
    "a tracked change": {BODY: (
        PARAGRAPH, b'<w:p><w:ins w:id="1" w:author="a"><w:r><w:t>x</w:t></w:r></w:ins></w:p>'
    )},
    "a shape of an old kind": {BODY: (PARAGRAPH, b"<w:p><w:r><w:pict/></w:r></w:p>")},
    "a text from elsewhere": {BODY: (
        PARAGRAPH, (b'<w:p><w:sdt><w:sdtPr><w:dataBinding w:xpath="/a" w:storeItemID="{0}"/>'
        b"</w:sdtPr><w:sdtContent><w:r><w:t>x</w:t></w:r></w:sdtContent></w:sdt></w:p>")
    )},
    "comments": {"word/comments.xml": b"<a/>", TYPES: _kind(
        "word/comments.xml",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.comments+xml",
    )},
    "a mail merge": {"word/settings.xml": (
        b'<w:settings xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
        b'<w:mailMerge><w:query w:val="SELECT *"/></w:mailMerge></w:settings>'
    )},
    "a drawing of another kind": {"word/media/image8.emf": b"\x01\x00\x00\x00"},
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file_is_refused_as_a_template(printer, name):
    content = made("mark", "{{ fmv }}")
    change = FILES[name]
    hostile = change(content) if callable(change) else altered(content, change)

    report, problems = printer(hostile)

    assert report is None
    assert {problem.code for problem in problems} == {NO_TEMPLATE}


HARMLESS_FILES = {
    "an expression in the properties": {"docProps/core.xml": (
        b"<dc:creator>python-docx", b"<dc:creator>{{ ''.__class__.__mro__ }}"
    )},
    "a link to a page": {RELS: relation("hyperlink", "https://example.org/")},
    "data of the firm's own": {"customXml/item9.xml": b"<a>{{ ''.__class__ }}</a>"},
    "an expression in the styles": {"word/styles.xml": (b"Normal", b"{{ fmv.__class__ }}")},
}  # fmt: skip


@pytest.mark.parametrize("name", HARMLESS_FILES)
def test_what_a_template_may_carry_does_no_harm(printer, name):
    report, problems = printer(altered(made("{{ fmv }}"), HARMLESS_FILES[name]))

    assert not problems
    assert is_sound(report)
    assert b"__class__" not in parts_of(report)["docProps/core.xml"]


def test_shapes_that_word_keeps_twice_are_printed_once(printer):
    twice = (
        b'<w:p><w:r><mc:AlternateContent xmlns:mc="http://schemas.openxmlformats.org/'
        b'markup-compatibility/2006"><mc:Choice Requires="wps"/><mc:Fallback><w:pict/>'
        b"</mc:Fallback></mc:AlternateContent></w:r></w:p>"
    )
    report, problems = printer(altered(made("mark", "{{ fmv }}"), {BODY: (PARAGRAPH, twice)}))

    assert not problems
    assert b"pict" not in parts_of(report)[BODY]


def test_there_are_more_than_a_hundred_hostile_inputs():
    assert len(EXPRESSIONS) + len(VALUES) + len(FILES) > 200
    assert docx.__version__
