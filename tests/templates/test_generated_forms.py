"""Whatever a form says: the check tells it, and what it passes can be filled."""

from hypothesis import given, settings
from hypothesis import strategies as st

from factory.rendering.filling import as_context, fill_template, load_template
from factory.rendering.template_check import check_template
from factory.rendering.template_fields import LEAF, Record, Table
from tests.templates.forms import form

FIELDS = {
    "fmv": LEAF,
    "property": Record({"address": LEAF}),
    "floors": Table(Record({"label": LEAF, "net": LEAF})),
    "remarks": Table(LEAF),
}


def shown(field):
    return {"text": f"of {field}", "field": field, "known": True}


FLOORS = [{"label": shown("label"), "net": shown("net")} for _ in range(2)]
DATA = as_context(
    {
        "fmv": shown("fmv"),
        "property": {"address": shown("property.address")},
        "floors": FLOORS,
        "remarks": [shown("remark")],
    }
)
EMPTY = as_context({**DATA, "floors": [], "remarks": []})

PIECES = st.sampled_from(
    [
        "words ", "{{ fmv }}", "{{ property.address }}", "{{ floors }}", "{{ floor.net }}",
        "{{ fmv|upper }}", "{{ fmv.words }}", "{{ loop.index + 1 }}", "{% if floors|length > 1 %}",
        "{% if fmv is known %}", "{% else %}", "{% endif %}", "{% for floor in floors %}",
        "{% for remark in remarks %}", "{{ remark }}", "{% endfor %}", "{%p if fmv %}", "{%p endif %}",
        "{%tr for floor in floors %}", "{%tr endfor %}", "{%p for floor in floors %}",
        "{%p endfor %}", "{%- if fmv %}", "{% endif -%}", "{{", "}}", "{", "}", "{%", "%}", "{# x #}",
        "{{ fmv", "<b>", "&amp;", "{% set x = fmv %}", "{{ x }}", "{% vm %}", "{% colspan 2 %}",
        "{{r fmv }}", "{% raw %}", "{{ 'a' ~ fmv }}", "{{ 1 + 1 }}", "{{ fmv + 1 }}",
    ]
)  # fmt: skip
PARAGRAPHS = st.lists(PIECES, max_size=3)
#: Some forms are put together from whole blocks, so that many of them are sound.
BLOCKS = st.sampled_from(
    [
        [["{%p if fmv is known %}"], ["{{ fmv }}"], ["{%p endif %}"]],
        [["{%p for floor in floors %}"], ["{{ floor.net }}"], ["{%p endfor %}"]],
        [["{% for r in remarks %}", "{{ r }}", "{% endfor %}"]],
        [["{% if floors %}", "a"], ["b", "{% endif %}"]],
        [["{{", " fmv ", "}}"]],
    ]
)
FORMS = st.lists(st.one_of(BLOCKS, PARAGRAPHS.map(lambda runs: [runs])), max_size=4).map(
    lambda blocks: [runs for block in blocks for runs in block]
)
CELLS = st.lists(PIECES, max_size=2).map("".join)
TABLES = st.one_of(
    st.just(
        [["{%tr for floor in floors %}", ""], ["{{ floor.net }}", "x"], ["{%tr endfor %}", ""]]
    ),
    st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=3),
)


@given(FORMS, st.lists(TABLES, max_size=2))
@settings(max_examples=40, deadline=None)
def test_a_form_that_passes_the_check_can_be_filled(paragraphs, tables):
    content = form(*paragraphs, tables=tables)

    result = check_template(content, "own.docx", FIELDS)

    loaded, refused = load_template(content, "own.docx")
    if refused:
        assert not result.is_sound
    elif result.is_sound:
        for data in (DATA, EMPTY):
            filled, problems = fill_template(loaded, data)
            assert problems == ()
            assert filled is not None
