"""A report is proved by its bundle; one that somebody touched is found out, figure by figure."""

import json
from dataclasses import replace
from decimal import Decimal

import pytest
from typer.testing import CliRunner

from factory.command_line import app
from factory.report.proof import proof_of, prove
from tests.report.conftest import (
    NAMES,
    Tampered,
    packed,
    paragraph,
    parts_named,
    parts_of,
    run,
    tagged,
)

HOUSE = "specimen-house"


@pytest.mark.parametrize("name", NAMES)
def test_the_report_of_a_fixture_case_is_proved(name, printed):
    proof = proof_of(parts_named(name), printed(name))
    assert proof.problems == ()
    assert proof.tagged > 20


def test_the_proof_counts_what_it_proved(printed):
    proof = proof_of(parts_named(HOUSE), printed(HOUSE))
    assert proof.tagged > 150
    assert 20 < proof.figures < proof.tagged


def words(report, tag, old, new):
    """Change some of the words of an amount."""
    text = report.text(tag)
    assert old in text, text
    report.write(tag, text.replace(old, new))


def swap(report, one, other):
    """Let two fields change places."""
    first, second = report.text(one), report.text(other)
    report.write(one, second)
    report.write(other, first)


def footer(report, tag):
    """The part that shows a field at the foot of the pages."""
    return next(name for name in report.parts if "foot" in name and tag in str(report.parts[name]))


def plain(text):
    """A paragraph of plain text."""
    return paragraph(run(text))


def in_numbering(report):
    """A list that writes an amount before each of its items."""
    types = report.parts["[Content_Types].xml"].decode()
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml.numbering+xml"
    name = "word/numbering-2.xml"
    report.parts["[Content_Types].xml"] = types.replace(
        "</Types>", f'<Override PartName="/{name}" ContentType="{kind}"/></Types>'
    ).encode()
    report.parts[name] = (
        '<w:numbering xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
        '<w:lvlText w:val="₹9,00,000 %1"/></w:numbering>'
    ).encode()


#: What was done; what to find: code, field, and words of the message that name printed and expected.
TAMPERED = {
    "a digit of the value": (
        lambda r: r.write("fmv", "₹1,77,64,490"),
        ("E650", "fmv", "₹1,77,64,490", "₹1,77,64,480"),
    ),
    "two digits turned": (
        lambda r: r.write("realizable", "₹1,86,76,256"),
        ("E650", "realizable", "₹1,86,76,256", "₹1,68,76,256"),
    ),
    "a digit more": (
        lambda r: r.write("land_value", "₹12,48,00,000"),
        ("E650", "land_value", "₹12,48,00,000", "₹1,24,80,000"),
    ),
    "two figures swapped": (
        lambda r: swap(r, "land_value", "building_value"),
        ("E650", "building_value", "₹1,24,80,000", "₹47,04,480"),
    ),
    "grouped as elsewhere": (
        lambda r: r.write("say", "₹17,764,480"),
        ("E650", "say", "₹17,764,480", "₹1,77,64,480"),
    ),
    "the rupee sign lost": (
        lambda r: r.write("distress", "1,42,11,584"),
        ("E650", "distress", "1,42,11,584", "₹1,42,11,584"),
    ),
    "another currency": (
        lambda r: r.write("distress", "$1,42,11,584"),
        ("E650", "distress", "$1,42,11,584", "₹1,42,11,584"),
    ),
    "a minus": (
        lambda r: r.write("items_value", "-₹5,80,000"),
        ("E650", "items_value", "-₹5,80,000", "₹5,80,000"),
    ),
    "a figure taken out": (
        lambda r: r.write("guideline_value", ""),
        ("E650", "guideline_value", "''", "₹98,40,000"),
    ),
    "digits of another script": (
        lambda r: r.write("extras_value", "₹९५,०००"),
        ("E650", "extras_value", "₹९५,०००", "₹95,000"),
    ),
    "a percentage": (
        lambda r: r.write("guideline_variance", "16.83 %"),
        ("E650", "guideline_variance", "16.83 %", "26.83 %"),
    ),
    "a depreciation": (
        lambda r: r.write("floors[ground].depreciation", "2.00 %"),
        ("E650", "floors[ground].depreciation", "2.00 %", "12.00 %"),
    ),
    "the share of the realizable value": (
        lambda r: r.write("parameters.realizable_share", "90 %"),
        ("E650", "parameters.realizable_share", "90 %", "95 %"),
    ),
    "the unit of a rate": (
        lambda r: r.write("valued_rate:both", "₹55,972.33 per sq ft (₹5,200 per sq ft)"),
        ("E650", "valued_rate:both", "per sq ft (", "per sq m ("),
    ),
    "the rate beside it": (
        lambda r: r.write("guideline_rate_sqm:both", "₹44,132.03 per sq m (₹4,200 per sq ft)"),
        ("E650", "guideline_rate_sqm:both", "₹4,200", "₹4,100"),
    ),
    "the unit of an area": (
        lambda r: r.write("land_area_sqm:both", "222.97 sq m (2,400 sq yd)"),
        ("E650", "land_area_sqm:both", "2,400 sq yd", "2,400 sq ft"),
    ),
    "an area": (
        lambda r: r.write("built_up_area_sqm:both", "344.33 sq m (2,630 sq ft)"),
        ("E650", "built_up_area_sqm:both", "344.33", "244.33"),
    ),
    "a fact of a row": (
        lambda r: r.write("contract.valuation_inputs.extras[tank].amount", "₹80,000"),
        ("E650", "contract.valuation_inputs.extras[tank].amount", "₹80,000", "₹30,000"),
    ),
    "a date": (
        lambda r: r.write("contract.valuation_inputs.inspection_date", "1 November 2026"),
        ("E650", "contract.valuation_inputs.inspection_date", "1 November", "10 November"),
    ),
    "the owner": (
        lambda r: r.write("contract.party.owner_name", "Somebody Else"),
        ("E650", "contract.party.owner_name", "Somebody Else", "Meenakshi"),
    ),
    "a yes for a no": (
        lambda r: r.write("contract.property.independent_access", "no"),
        ("E650", "contract.property.independent_access", "'no'", "'yes'"),
    ),
    "a zero for what is not stated": (
        lambda r: r.write("contract.manual_fields.remarks_text", "0"),
        ("E650", "contract.manual_fields.remarks_text", "'0'", "'not stated'"),
    ),
    "the valuer's registration": (
        lambda r: r.write("firm.valuer.registration", "CAT-I/SPECIMEN/0043"),
        ("E650", "firm.valuer.registration", "0043", "0042"),
    ),
    "the digest in the footer": (
        lambda r: r.write("bundle.digest", "0" * 64, footer(r, "bundle.digest")),
        ("E650", "bundle.digest", "0" * 64, parts_named(HOUSE).digest),
    ),
    "the day until which it is valid": (
        lambda r: r.write(
            "report.validity_until", "11 February 2028", footer(r, "report.validity_until")
        ),
        ("E650", "report.validity_until", "2028", "2027"),
    ),
    "the caption of a photograph": (
        lambda r: (
            r.write("evidence[khata].label", "Sale deed")
            if "evidence[khata].label" in str(r.parts)
            else r.write("evidence[exterior-front].label", "Front of another house")
        ),
        ("E650", "evidence[exterior-front].label", "another house", "Front of the house"),
    ),
    "a word of the words": (
        lambda r: words(r, "say:words", "Sixty Four", "Sixty Five"),
        ("E651", "say:words", "₹1,77,65,480", "₹1,77,64,480"),
    ),
    "crore for lakh": (
        lambda r: words(r, "realizable:words", "Lakh", "Crore"),
        ("E651", "realizable:words", "Sixty Eight Crore", "₹1,68,76,256"),
    ),
    "the words of another amount": (
        lambda r: words(r, "distress:words", r.text("distress:words"), "Rupees Two Crore Only"),
        ("E651", "distress:words", "₹2,00,00,000", "₹1,42,11,584"),
    ),
    "words that are none": (
        lambda r: words(r, "distress:words", r.text("distress:words"), "As above"),
        ("E651", "distress:words", "no amount", "₹1,42,11,584"),
    ),
    "a tag that is none": (
        lambda r: r.rename("guideline_value", "guidline_value"),
        ("E653", "guidline_value", "guidline_value", "guideline_value"),
    ),
    "the tag of another figure": (
        lambda r: r.rename("realizable", "distress"),
        ("E650", "distress", "₹1,68,76,256", "₹1,42,11,584"),
    ),
    "a tag taken off": (
        lambda r: r.unwrap("fmv"),
        ("E652", "", "₹1,77,64,480", "document"),
    ),
    "a tag taken off a percentage": (
        lambda r: r.unwrap("guideline_variance"),
        ("E652", "", "26.83 %", "document"),
    ),
    "the tag's name taken off": (
        lambda r: r.rename("land_value", ""),
        ("E652", "", "₹1,24,80,000", "document"),
    ),
    "a required figure left out": (
        lambda r: r.remove("distress"),
        ("E654", "distress", "printed nowhere", "₹1,42,11,584"),
    ),
    "a floor left out": (
        lambda r: r.drop_row("floors[first].net"),
        ("E655", "floors[first]", "floors[first]", "is not printed"),
    ),
    "an item left out": (
        lambda r: r.drop_row("contract.valuation_inputs.extras[sit_out].amount"),
        ("E655", "extras[sit_out]", "extras[sit_out]", "is not printed"),
    ),
    "a sale left out": (
        lambda r: r.drop_row("contract.valuation_inputs.sale_instances[s2].location"),
        ("E655", "sale_instances[s2]", "sale_instances[s2]", "is not printed"),
    ),
    "an amount in a paragraph of its own": (
        lambda r: r.append(plain("Recommended loan: ₹1,50,00,000")),
        ("E652", "", "₹1,50,00,000", "Recommended loan"),
    ),
    "an amount with Rs.": (
        lambda r: r.append(plain("Fee: Rs. 500")),
        ("E652", "", "Rs. 500", "Fee"),
    ),
    "a grouped number": (
        lambda r: r.append(plain("Stamp duty 8,73,600")),
        ("E652", "", "8,73,600", "Stamp duty"),
    ),
    "a number of five digits": (
        lambda r: r.append(plain("Rent 32500 a month")),
        ("E652", "", "32500", "Rent"),
    ),
    "an amount in lakh": (
        lambda r: r.append(plain("About 95 lakh")),
        ("E652", "", "95 lakh", "About"),
    ),
    "an amount in words": (
        lambda r: r.append(plain("Rupees Two Crore Only")),
        ("E652", "", "Rupees Two Crore Only", "document"),
    ),
    "an amount in two runs": (
        lambda r: r.append(paragraph(run("Loan ₹1,5"), run("0,000"))),
        ("E652", "", "₹1,50,000", "Loan"),
    ),
    "an amount in the words of the template": (
        lambda r: r.static("Format-A", "Format-A, up to ₹9 crore"),
        ("E652", "", "₹9 crore", "Format-A"),
    ),
    "another limit in the words of the template": (
        lambda r: r.static("Rs 5 crore", "Rs 7 crore"),
        ("E652", "", "Rs 7 crore", "properties up to"),
    ),
    "a digit behind a figure": (
        lambda r: r.after("fmv", "0"),
        ("E652", "", "...0", "document"),
    ),
    "a unit behind a figure": (
        lambda r: r.after("fmv", " lakh"),
        ("E652", "", "... lakh", "document"),
    ),
    "an amount in a control without a tag": (
        lambda r: r.append(paragraph(tagged("", run("₹3,00,000")))),
        ("E652", "", "₹3,00,000", "document"),
    ),
    "an amount in a text box": (
        lambda r: r.append(
            paragraph(f"<w:r><w:txbxContent>{plain('₹4,00,000')}</w:txbxContent></w:r>")
        ),
        ("E652", "", "₹4,00,000", "document"),
    ),
    "an amount before the items of a list": (
        in_numbering,
        ("E652", "", "₹9,00,000", "numbering"),
    ),
    "a paragraph printed twice, once with another amount": (
        lambda r: r.append(paragraph(tagged("fmv", run("₹2,00,00,000")))),
        ("E650", "fmv", "₹2,00,00,000", "₹1,77,64,480"),
    ),
    "another document inside": (
        lambda r: r.append("<w:altChunk/>"),
        ("E657", "", "another document", "cannot be read"),
    ),
    "an embedded sheet": (
        lambda r: r.append(paragraph("<w:r><w:object/></w:r>")),
        ("E657", "", "an embedded object", "cannot be read"),
    ),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_a_tampered_report_is_found_out(name, printed):
    deed, (code, field, *named) = TAMPERED[name]
    report = Tampered(printed(HOUSE))
    deed(report)
    problems = prove(parts_named(HOUSE), report.bytes())
    found = [item for item in problems if (item.code, item.field) == (code, field)]
    assert found, problems
    told = f"{found[0].what} {found[0].why}".replace("\u00a0", " ")
    for text in named:
        assert text in told


def test_at_least_thirty_reports_are_tampered_with():
    assert len(TAMPERED) >= 30


def test_only_what_was_touched_is_told(printed):
    report = Tampered(printed(HOUSE))
    report.write("fmv", "₹1")
    problems = prove(parts_named(HOUSE), report.bytes())
    assert {(item.code, item.field) for item in problems} == {("E650", "fmv")}


def test_a_report_of_another_bundle_is_not_proved(printed):
    problems = prove(parts_named("specimen-mill"), printed(HOUSE))
    assert "bundle.digest" in {problem.field for problem in problems}


def test_a_bundle_whose_figure_is_wrong_proves_no_report(renderer):
    parts = parts_named(HOUSE)
    trace = tuple(
        replace(entry, value=Decimal(17900000)) if entry.field == "fmv" else entry
        for entry in parts.evaluation.trace
    )
    wrong = replace(parts, evaluation=replace(parts.evaluation, trace=trace))
    document, _ = renderer.print_parts(wrong)
    problems = prove(wrong, document)
    assert [(item.code, item.field) for item in problems] == [("E656", "fmv")]
    assert "₹1,79,00,000" in problems[0].why
    assert "₹1,77,64,480" in problems[0].why


def test_blanks_and_line_breaks_that_an_editor_changes_do_not_matter(printed):
    report = Tampered(printed(HOUSE))
    report.write("land_area_sqm:both", "222.97 sq m  (2,400 sq ft)", every=True)
    assert prove(parts_named(HOUSE), report.bytes()) == ()


def test_a_figure_that_the_templates_own_words_hold_needs_no_tag(printed):
    report = Tampered(printed(HOUSE))
    report.static("Rs 5 crore", "Rs 5 crore")
    assert prove(parts_named(HOUSE), report.bytes()) == ()


def test_the_words_of_a_firms_own_template_may_stand_in_its_report():
    own = packed(parts_of_template("Limit of 12,34,567 rupees"))
    report = packed(parts_of_template("Limit of 12,34,567 rupees"))
    problems = prove(parts_named(HOUSE), report, template=own)
    assert "E652" not in {problem.code for problem in problems}
    changed = packed(parts_of_template("Limit of 12,34,568 rupees"))
    problems = prove(parts_named(HOUSE), changed, template=own)
    assert "E652" in {problem.code for problem in problems}


def parts_of_template(text):
    """The files of a document with one paragraph."""
    from tests.report.conftest import document

    return parts_of(document(paragraph(run(text))))


@pytest.fixture(scope="module")
def files(printed, tmp_path_factory):
    """A bundle, its report, and one that somebody changed."""
    folder = tmp_path_factory.mktemp("proof")
    good, bad, none = (folder / name for name in ("good.docx", "bad.docx", "none.docx"))
    good.write_bytes(printed(HOUSE))
    report = Tampered(printed(HOUSE))
    report.write("fmv", "₹1")
    bad.write_bytes(report.bytes())
    none.write_bytes(b"no document")
    return parts_named(HOUSE).path, good, bad, none


def command(*words):
    """What the command line says: exit code, output, errors."""
    result = CliRunner().invoke(app, ["proof", *map(str, words)], catch_exceptions=False)
    return result.exit_code, result.stdout, result.stderr


def test_the_command_ends_with_0_for_a_report_that_is_proved(files):
    bundle, good, _, _ = files
    code, out, err = command(bundle, good)
    assert (code, err) == (0, "")
    assert "figures worked out again" in out


def test_the_command_ends_with_1_and_names_each_difference(files):
    bundle, _, bad, _ = files
    code, out, err = command(bundle, bad)
    assert (code, out) == (1, "")
    assert "'fmv' reads '₹1', not '₹1,77,64,480'" in err


def test_the_command_ends_with_2_for_what_is_no_report_or_no_bundle(files):
    bundle, good, _, none = files
    for words in ((bundle, none), (good, good), (bundle, "nowhere.docx")):
        code, out, err = command(*words)
        assert (code, out) == (2, "")
        assert "error E6" in err


def test_the_command_answers_programs_in_json(files):
    bundle, good, bad, _ = files
    code, out, _ = command(bundle, good, "--json")
    answer = json.loads(out)
    assert code == 0
    assert answer["proved"] is True
    assert answer["problems"] == []
    code, out, _ = command(bundle, bad, "--json")
    answer = json.loads(out)
    assert code == 1
    assert answer["proved"] is False
    assert [item["field"] for item in answer["problems"]] == ["fmv"]
