"""The templates that ZenOps brings: built from their outlines, sound, and complete as forms."""

import os
import re
import subprocess
import sys
import zipfile
from functools import cache
from pathlib import Path

import pytest
from lxml import etree

from contracts.strict_yaml import read_yaml
from factory.catalogue import read_catalogue
from factory.rendering.template_check import check_template
from factory.rendering.template_families import FAMILIES, fields_of_family, names_of_reports
from factory.rendering.template_files import FOLDER, find_template, list_templates, read_register

ROOT = Path(__file__).resolve().parents[2]
OUTLINES = FOLDER / "outlines"
W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
FORMS = [template.key for template in read_register() if template.family != "annexures"]
#: Acts that the undertaking names; every other number of four digits is a figure.
ACTS = {"1957", "1958", "1961"}

#: What a bank's clerk looks for, in the form's order (domain facts 1.1 to 1.8).
BLOCKS = {
    "SBI_UNDER_5CR_V1": [
        "Summary of values", "Annexure-XIV", "Format-A", "1  Customer", "2  Property",
        "3  Documents seen", "4  Physical details", "5  Tenure", "6  Stage of construction",
        "7  Violations", "8  Areas", "9  Valuation", "Justification", "10  Assumptions",
        "11  Declaration", "12  Valuer", "13  Enclosures", "Opinion of the valuer",
        "For the Bank", "Annexure-IV", "(a)", "(y)", "Disclosure", "Annexure-V",
    ],
    "PSU_GENERIC_OVER_5CR_V1": [
        "Summary of values", "I  General", "13  Boundaries", "16", "II  Characteristics",
        "Part A", "Part B", "Part C", "Part D", "Part E", "Part F", "Total abstract", "Say",
        "Opinion of the valuer", "Declaration", "For the Bank", "Enclosures",
    ],
    "COOP_LB_V1": [
        "1  Purpose", "Persons accompanying", "3  Customer", "4  Property", "5  Documents",
        "6  Physical details", "7  Tenure", "8  Status", "Violations", "10  Areas", "11  Note",
        "12  Building", "As per actual", "As per plan", "13  Extra items", "14  Total abstract",
        "I  Market value", "II  Guidance value", "15  Certificate", "16  Declaration",
    ],
    "AGRI_GENERIC_V1": [
        "Format-B", "9  Documents", "10  Boundaries", "11  Land", "Source of water", "Mutation",
        "Encumbrance", "Value of the land", "Trees", "Abstract", "Opinion of the valuer",
    ],
    "FLAT_COMPOSITE_V1": [
        "Summary of values", "Format-C", "I  General", "II  Building", "Lift", "III  Flat",
        "Undivided share", "IV  Marketability", "V  Rate", "VI  Composite rate", "Valuation",
        "Total", "Say", "Opinion of the valuer",
    ],
    "REVALUATION_V1": [
        "Summary of values", "Revaluation report", "Since the previous valuation",
        "Fair market value then", "Change, in rupees", "Total abstract", "Opinion of the valuer",
    ],
    "STAGE_PROGRESS_V1": [
        "Plan approved", "Applicant's estimate", "Resistance to earthquakes",
        "Progress item by item", "Building, floor by floor", "Abstract", "At present",
        "Certificate", "Present value",
    ],
    "DPR_V1": [
        "1  Executive summary", "2  Promoters", "3  Product", "4  Market", "5  Technical plan",
        "6  Cost", "7  Means of finance", "8a  Profit and loss", "8b  Debt service",
        "9  Schedule", "10  Risks", "11  Clearances", "Certificate",
    ],
}  # fmt: skip


@cache
def catalogue():
    library = read_catalogue(ROOT)
    assert library.catalogue, library.problems
    return library.catalogue


@cache
def parts(key):
    with zipfile.ZipFile(find_template(key).path) as file:
        return {name: file.read(name) for name in file.namelist()}


@cache
def document(key):
    return etree.fromstring(parts(key)["word/document.xml"])


@cache
def paragraphs(key):
    return ["".join(p.itertext(f"{W}t")) for p in document(key).iter(f"{W}p")]


def build(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "scripts/build_templates.py", *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_templates_are_what_their_outlines_say():
    checked = build("--check", PYTHONHASHSEED="7", TZ="Asia/Kolkata", LC_ALL="C")

    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_file_is_registered_and_every_outline_is_used():
    register = read_register()
    keys = [key for template in register for key in (template.key, *template.serves)]
    forms = {path.stem for path in OUTLINES.glob("*.yaml")} - {"furniture"}
    shared = "".join(path.read_text("utf-8") for path in OUTLINES.glob("**/*.yaml"))

    assert len(keys) == len(set(keys))
    assert {path.name for path in FOLDER.glob("*.docx")} == {t.file for t in register}
    assert forms == {Path(template.file).stem.lower() for template in register}
    for part in OUTLINES.glob("parts/*.yaml"):
        assert re.search(rf"part: {part.stem}\b", shared), part.name


def test_every_key_that_a_rule_set_decides_has_its_template():
    decided = set()
    for path in (ROOT / "rules").glob("*/*.yaml"):
        decisions = read_yaml(path.read_text("utf-8"), path.name).value.get("decisions", {})
        rows = decisions.get("template_key", {}).get("rows", [])
        decided |= {row["then"] for row in rows}

    assert decided
    assert {key for key in decided if find_template(key) is None} == set()


def test_a_key_of_nobody_has_no_template():
    assert find_template("FORM_OF_NOBODY_V1") is None


def test_an_alias_finds_the_file_that_serves_it():
    found = find_template("REPOGEN_STAGE_PROGRESS_SBI_FORMAT_A_V1")

    assert found.key == "REPOGEN_STAGE_PROGRESS_SBI_FORMAT_A_V1"
    assert found.sha256 == find_template("STAGE_PROGRESS_V1").sha256


@pytest.mark.parametrize("key", FORMS)
def test_a_template_names_only_fields_that_its_family_has(key):
    template = find_template(key)
    fields = fields_of_family(names_of_reports(catalogue()), template.family)
    must_print = FAMILIES[template.family].must_print
    checked = check_template(template.path.read_bytes(), key, fields, must_print)

    assert [problem.what for problem in checked.problems] == []
    assert checked.tags > 100


@pytest.mark.parametrize("key", FORMS)
def test_a_template_has_every_block_of_its_form_in_order(key):
    missing, at = [], 0
    for block in BLOCKS[key]:
        found = next(
            (i for i, text in enumerate(paragraphs(key)) if i >= at and text.startswith(block)),
            None,
        )
        if found is None and block == "Annexure-XIV":
            found = next(i for i, text in enumerate(paragraphs(key)) if block in text)
        if found is None:
            missing.append(block)
        else:
            at = found
    assert missing == []


@pytest.mark.parametrize("key", [template.key for template in read_register()])
def test_no_figure_stands_in_the_template_itself(key):
    for name, part in parts(key).items():
        if name.startswith("word/") and name.endswith(".xml") and name != "word/settings.xml":
            text = " ".join(etree.fromstring(part).itertext(f"{W}t"))
            static = re.sub(r"\{\{.*?\}\}|\{%.*?%\}", " ", text, flags=re.DOTALL)
            figures = set(re.findall(r"[₹]\s?\d|\d{1,3}(?:,\d{2,3})+|\d{4,}", static))
            assert figures <= ACTS, name


@pytest.mark.parametrize("key", FORMS)
def test_rows_stay_whole_and_heads_are_repeated(key):
    for row in document(key).iter(f"{W}tr"):
        text = "".join(row.itertext(f"{W}t"))
        styles = [style.get(f"{W}val") for style in row.iter(f"{W}pStyle")]
        if text.startswith("{%tr"):
            continue
        assert row.find(f"{W}trPr/{W}cantSplit") is not None, text
        if "CellHead" in styles:
            assert row.find(f"{W}trPr/{W}tblHeader") is not None, text


@pytest.mark.parametrize("key", FORMS)
def test_a_list_that_may_be_empty_never_leaves_an_empty_table(key):
    for table in document(key).iter(f"{W}tbl"):
        rows = [
            "".join(row.itertext(f"{W}t"))
            for row in table.iter(f"{W}tr")
            if row.find(f"{W}trPr/{W}tblHeader") is None
        ]
        if rows[0].startswith("{%tr for") and len(always_there(rows)) <= 1:
            assert condition_before(table).startswith("{%p if"), rows[:3]


def always_there(rows):
    """Rows outside of loops and conditions; a list's total is one."""
    depth, found = 0, []
    for row in rows:
        if row.startswith(("{%tr for", "{%tr if")):
            depth += 1
        elif row.startswith("{%tr end"):
            depth -= 1
        elif depth == 0:
            found.append(row)
    return found


def condition_before(table):
    """The statement before a table, with nothing but a caption between them."""
    before = table.getprevious()
    if "BlockHeading" in {style.get(f"{W}val") for style in before.iter(f"{W}pStyle")}:
        before = before.getprevious()
    return "".join(before.itertext(f"{W}t"))


def test_depreciation_is_a_column_of_percentages_and_no_amount():
    for key in FORMS:
        texts = "\n".join(paragraphs(key))
        assert ".depreciated" not in texts, key


def test_co_operative_banks_have_no_cover_and_nothing_of_another_bank():
    texts = "\n".join(paragraphs("COOP_LB_V1"))

    assert "Summary of values" not in texts
    assert "State Bank" not in texts
    assert texts.count("{{ party.bank_name }}") == 1


def test_letter_and_summary_come_first_where_the_register_says_so():
    for template in list_templates():
        has_summary = any("Summary of values" in text for text in paragraphs(template.key))
        assert has_summary == template.cover, template.key


def test_one_face_and_the_styles_of_the_annexures_are_in_every_template():
    for template in read_register():
        styles = etree.fromstring(parts(template.key)["word/styles.xml"])
        names = {name.get(f"{W}val") for name in styles.iter(f"{W}name")}
        faces = {fonts.get(f"{W}ascii") for fonts in styles.iter(f"{W}rFonts")}
        assert {"Annexure Heading", "Annexure Caption"} <= names
        assert faces == {"Times New Roman"}


def test_the_code_of_conduct_and_the_undertaking_are_whole():
    texts = paragraphs("SBI_UNDER_5CR_V1")
    texts = texts[texts.index("Annexure-IV") :]
    clauses = [text[1] for text in texts if re.match(r"\([a-z]\)", text)]

    assert clauses == list("abcdefghijklmnopqrstuvwxy")
    assert sum(bool(re.match(r"\d+\.[A-Z]", text)) for text in texts) == 30


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ([{"chapter": "One"}], "form of 1, block 1: a block is one of"),
        ([{"paragraph": "One", "colour": "red"}], "form of 1, block 1: unknown colour"),
        ([{"part": "nowhere"}], "there is no part 'nowhere'"),
        ([{"form": [["1", "One"]]}], "row 1: 2 cells for 3 columns"),
        ([{"form": [{"band": "1  Alone"}]}], "a band heads rows"),
        ([{"table": [["1"]], "columns": [{"width": 100}]}], "75 mm short of the page"),
        ([{"line": None}], "block 1: a text is missing"),
    ],
)
def test_a_fault_of_an_outline_is_named_with_its_place(monkeypatch, blocks, message):
    monkeypatch.syspath_prepend(ROOT / "scripts")
    import word_template as word

    with pytest.raises(word.OutlineError) as raised:
        word.Page(word.Margins(), {}).blocks(blocks, "form of 1")
    assert message in str(raised.value)
