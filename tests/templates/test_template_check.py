"""A template's mistakes are told all at once, each with its place."""

import pytest

from factory.rendering.template_check import check_template
from factory.rendering.template_fields import LEAF, Leaf, Record, Table
from tests.templates.forms import altered, form, form_with

FIELDS = {
    "fmv": LEAF,
    "fmv_words": LEAF,
    "present_value": Leaf(("stage-progress",)),
    "progress": Leaf(("stage-progress",)),
    "property": Record(
        {"address": LEAF, "village": LEAF, "dues_rows": Table(Record({"value": LEAF}))}
    ),
    "party": Record({"borrower_name": LEAF}),
    "floors": Table(Record({"label": LEAF, "net": LEAF, "rooms": Table(Record({"area": LEAF}))})),
    "remarks": Table(LEAF),
}


def checked(*paragraphs, required=(), **parts):
    return check_template(form(*paragraphs, **parts), "letter.docx", FIELDS, required)


def told(*paragraphs, **parts):
    """Code, what and place of each problem."""
    found = checked(*paragraphs, **parts).problems
    return [(problem.code, problem.what, problem.why.split("\n")[0]) for problem in found]


def whats(*paragraphs, **parts):
    return [what for _, what, _ in told(*paragraphs, **parts)]


LOOP = [
    ["Floor", "Value"],
    ["{%tr for floor in floors %}", ""],
    ["{{ floor.label }}", "{{ floor.net }}"],
    ["{%tr endfor %}", ""],
]


def test_a_sound_form_has_no_problems():
    result = checked(
        "Value {{ fmv }}, {{ fmv_words }}",
        "{%p if property.village is known %}",
        "Village {{ property.village }}",
        "{%p endif %}",
        tables=[LOOP],
        header="{{ property.address }}",
        required=["fmv"],
    )

    assert result.problems == ()
    assert result.is_sound
    assert result.tags == 11 - 1
    assert result.printed == (
        "floors.label", "floors.net", "fmv", "fmv_words", "property.address", "property.village",
    )  # fmt: skip
    assert "party.borrower_name" in result.left_out
    assert "present_value" not in result.left_out


# ---- fields -----------------------------------------------------------------------------------


def test_an_unknown_field_is_named_with_its_place_and_the_nearest_one():
    assert told("one", "two {{ property.addres }}") == [
        (
            "E645",
            "unknown field 'property.addres', did you mean 'property.address'?",
            "In the document, paragraph 2: {{ property.addres }}",
        )
    ]


def test_a_tag_that_word_has_split_into_runs_is_read_whole():
    assert whats(["{", "{ fm", "w }", "}"]) == ["unknown field 'fmw', did you mean 'fmv'?"]


def test_the_place_in_a_table_is_counted_as_a_reader_counts():
    rows = [*LOOP[:2], ["{{ floor.label }}", "{{ floor.nett }}"], LOOP[3]]

    assert told(tables=[[["a", "b"]], rows]) == [
        (
            "E645",
            "unknown field 'floor.nett', did you mean 'floor.net'?",
            "In the document, table 2, row 3, cell 2: {{ floor.nett }}",
        )
    ]


@pytest.mark.parametrize("part", ["header", "footer"])
def test_headers_and_footers_are_read_too(part):
    ((code, _, place),) = told("text", **{part: "{{ fmw }}"})

    assert code == "E645"
    assert place.startswith(f"In {part}")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("{{ borrower }}", "unknown field 'borrower', did you mean 'party.borrower_name'?"),
        ("{{ address }}", "unknown field 'address', did you mean 'property.address'?"),
        ("{{ fmv.words }}", "unknown field 'fmv.words', did you mean 'fmv_words'?"),
        ("{{ zzz }}", "unknown field 'zzz'"),
        ("{{ net }}", "unknown field 'net'"),
        ("{{ floors }}", "'floors' is a table, and cannot be printed as one text"),
        ("{{ property }}", "'property' is a group of fields, and cannot be printed as one text"),
        ("{{ floors.net }}", "'floors' is a table, so 'floors.net' names no single field"),
        ("{% for f in fmv %}{% endfor %}", "'fmv' is a field, and no table to loop over"),
        ("{{ loop.index }}", "unknown field 'loop', did you mean 'floors'?"),
        ("{% for f in floors %}{{ loop.idx }}{% endfor %}", "unknown field 'loop.idx', did you mean 'loop.index'?"),
        ("{{ (floors|first).nett }}", "unknown field '(floors|first).nett', did you mean '(floors|first).net'?"),
        ("{{ present_value }}", "'present_value' is not computed for reports of this family"),
    ],
)  # fmt: skip
def test_a_name_that_is_no_field_here_is_told(text, what):
    assert whats(text) == [what]


@pytest.mark.parametrize(
    "text",
    [
        "{% for f in floors %}{{ f.net }}{% for r in f.rooms %}{{ r.area }}{% endfor %}{% endfor %}",
        "{% for f in floors if f.net is known %}{{ loop.index }}{% else %}none{% endfor %}",
        "{% for remark in remarks %}{{ remark }}{% endfor %}",
        "{% set home = property %}{{ home.address }}",
        "{{ floors[0].net }}",
        "{{ (floors|last).net }}",
        "{{ property['address'] }}",
        "{{ fmv.field }}",
        "{{ fmv if fmv is known else 'not known' }}",
        "{{ floors|length }}",
        "{% if floors|length > 2 %}{% endif %}",
        "{% for f in floors %}{{ loop.index + 1 }}{% endfor %}",
        "{% if present_value is known %}{{ present_value }}{% endif %}",
        "{% if present_value is defined and present_value.known %}x{% endif %}",
        "{{ present_value|default('') }}",
        "{% if progress is known %}{{ present_value }}{% endif %}",
    ],
)
def test_a_name_that_stands_for_a_field_here_is_not_told(text):
    assert whats(text) == []


def test_a_loop_variable_is_known_only_inside_its_loop():
    assert whats("{% for f in floors %}{{ f.net }}{% endfor %}{{ f.net }}") == ["unknown field 'f'"]


def test_required_figures_that_are_never_printed_are_warnings():
    result = checked("{{ fmv_words }}", required=["fmv", "property.address"])

    assert [(p.code, p.severity, p.what) for p in result.problems] == [
        ("E670", "warning", "the template never prints 'property.address'")
    ]
    assert result.is_sound


def test_what_is_asked_and_not_printed_is_not_printed():
    result = checked("{% if fmv is known %}yes{% endif %}", required=["fmv"])

    assert [problem.code for problem in result.problems] == ["E670"]


# ---- tags -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("paragraphs", "place"),
    [
        (["a", "{{ fmv"], "In the document, paragraph 2: {{ fmv"),
        (["{{ fmv", "}}"], "In the document, paragraph 1: {{ fmv"),
        (["{% if fmv %}x{% endif"], "In the document, paragraph 1: {% endif"),
        (["{{ fmv( }}"], "In the document, paragraph 1: {{ fmv( }}"),
        (["{{ }}"], "In the document, paragraph 1: {{ }}"),
        (["{% for f of floors %}x{% endfor %}"], "In the document, paragraph 1: {% for f of floors %}"),
        (["x", "{% frob %}"], "In the document, paragraph 2: {% frob %}"),
        (["{% if fmv %}x"], "In the document, paragraph 1: {% if fmv %}"),
        (["{% endif %}"], "In the document, paragraph 1: {% endif %}"),
        (["{% else %}"], "In the document, paragraph 1: {% else %}"),
    ],
)  # fmt: skip
def test_a_tag_that_cannot_be_read_is_told_with_its_place(paragraphs, place):
    assert ("E644", place) in [(code, found) for code, _, found in told(*paragraphs)]


def test_what_cannot_be_read_does_not_hide_what_is_unknown():
    codes = [
        code
        for code, _, _ in told("{{ fmv 3 }}", "{% if fmv %}{{ fmw }}", "{{ fmx }}", "{{ a b }}")
    ]

    assert codes.count("E644") == 3
    assert codes.count("E645") == 2


@pytest.mark.parametrize(
    "text",
    [
        "{% include 'other.docx' %}",
        "{% import 'x' as y %}",
        "{% from 'x' import y %}",
        "{% extends 'x' %}",
        "{% macro m() %}{% endmacro %}",
        "{% call fmv() %}{% endcall %}",
        "{% block b %}{% endblock %}",
        "{% filter upper %}x{% endfilter %}",
        "{{ fmv.__class__ }}",
        "{{ fmv['__class__'] }}",
        "{{ fmv.upper() }}",
        "{{ fmv|attr('x') }}",
        "{{ fmv|safe }}",
        "{{ fmv|pprint }}",
        "{{ 2 ** 99 }}",
        "{% for a in floors recursive %}{% endfor %}",
        "{% if fmv is sameas(1) %}{% endif %}",
        "{{ {'a': 1} }}",
        "{{ fmv + 1 }}",
        "{{ -fmv }}",
        "{% if fmv > 5 %}{% endif %}",
        "{% if 5 <= fmv %}{% endif %}",
    ],
)
def test_what_a_template_may_not_do_is_refused(text):
    assert "E643" in [code for code, _, _ in told(text)]


@pytest.mark.parametrize(
    "paragraphs",
    [
        ["{%tr for f in floors %}", "x", "{%tr endfor %}"],
        ["{%p if fmv %} lost", "{%p endif %}"],
        ["{%p if fmv %}{%p endif %}"],
        ["{{p fmv }}"],
        ["{{r fmv }}"],
    ],
)
def test_a_tag_in_the_wrong_place_is_told(paragraphs):
    assert "E648" in [code for code, _, _ in told(*paragraphs)]


def test_a_whole_loop_in_one_row_would_be_lost():
    row = ["{%tr for f in floors %}{{ f.net }}{%tr endfor %}", ""]

    assert {code for code, _, _ in told(tables=[[["a", "b"], row]])} == {"E648"}


@pytest.mark.parametrize(
    "xml",
    [
        '<w:hyperlink w:tooltip="{{ fmv }}"><w:r><w:t>x</w:t></w:r></w:hyperlink>',
        '<w:fldSimple w:instr="REF {{ fmv }}"><w:r><w:t>x</w:t></w:r></w:fldSimple>',
    ],
)
def test_a_tag_outside_the_text_is_told(xml):
    result = check_template(form_with(xml), "letter.docx", FIELDS)

    assert "E648" in [problem.code for problem in result.problems]


@pytest.mark.parametrize(
    "block", [("{% if fmv %}a", "{% endif %}"), ("{% for f in floors %}a", "{% endfor %}")]
)
def test_a_block_that_begins_in_a_paragraph_and_ends_in_a_table_is_told(block):
    begin, end = block

    found = told(begin, tables=[[[end, ""]]])

    assert [(code, place) for code, _, place in found] == [
        ("E647", f"In the document, paragraph 1: {begin.removesuffix('a')}")
    ]


def test_a_condition_may_run_over_paragraphs_and_cells_as_a_whole():
    assert whats("{% if fmv %}a", "b{% else %}c", "d{% endif %}") == []
    assert whats(tables=[[["{%tc if fmv %}", "a", "{%tc endif %}"]]]) == []


def test_comments_of_a_template_say_nothing():
    assert whats("{# fmw is not printed #}{{ fmv }}") == []


# ---- documents --------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04 broken"])
def test_what_is_no_word_document_is_refused(content):
    result = check_template(content, "letter.docx", FIELDS)

    assert not result.is_document
    assert [problem.code for problem in result.problems] == ["E642"]


def test_a_document_that_fetches_its_template_from_elsewhere_is_refused():
    relation = (
        b'<Relationship Id="rId99" Type="http://schemas.openxmlformats.org/officeDocument/2006/'
        b'relationships/attachedTemplate" Target="http://elsewhere.example/a.dotm" '
        b'TargetMode="External"/></Relationships>'
    )
    content = altered(
        form("{{ fmv }}"), "word/_rels/document.xml.rels", b"</Relationships>", relation
    )

    result = check_template(content, "letter.docx", FIELDS)

    assert [problem.code for problem in result.problems] == ["E642"]


@pytest.mark.parametrize(
    "xml",
    [
        '<w:fldSimple w:instr="DATE"><w:r><w:t>x</w:t></w:r></w:fldSimple>',
        '<w:fldSimple w:instr="INCLUDETEXT c:\\x"><w:r><w:t>x</w:t></w:r></w:fldSimple>',
        "<w:object><w:r/></w:object>",
    ],
)
def test_what_a_report_may_not_carry_is_refused_beside_other_mistakes(xml):
    document = form_with(xml)
    content = altered(document, "word/document.xml", b"before ", b"before {{ fmw }}")

    codes = {problem.code for problem in check_template(content, "letter.docx", FIELDS).problems}

    assert codes == {"E642", "E645"}
