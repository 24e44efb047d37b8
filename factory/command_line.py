"""The command `zenops`: reads its arguments, calls the piece that does the work, prints.

Exit codes: 0 done (for a case: ready), 1 evaluated but not ready, or a check that found a
difference, 2 wrong input. Results go to standard output, problems to standard error.
"""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from contracts.case import Case
    from contracts.problems import Problem
    from engine.evaluation import Examination
    from factory.case_files import CaseFile
    from factory.catalogue import Library

# The pieces are imported where they are used: `zenops --help` answers at once.
# ruff: noqa: PLC0415

READY, NOT_READY, WRONG_INPUT = 0, 1, 2

app = typer.Typer(
    name="zenops",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
golden_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
app.add_typer(golden_app, name="golden")
templates_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
app.add_typer(templates_app, name="templates")

CasePath = Annotated[
    Path, typer.Argument(metavar="CASE", help="A case's folder, or its YAML or JSON file.")
]
BundlePath = Annotated[Path, typer.Argument(metavar="BUNDLE", help="The bundle's file.")]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print JSON, and problems as JSON, for programs.")
]
AsOf = Annotated[
    str | None,
    typer.Option(
        metavar="DATE",
        help="Day whose rules and parameters hold, as 2026-03-31; else the case's own.",
    ),
]
RulesetId = Annotated[
    str | None,
    typer.Option(metavar="ID", help="Rule set, as psu or psu@1; else the one that answers."),
]
DataFolder = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="FOLDER",
        envvar="ZENOPS_DATA",
        help="Folder with rules and profiles; else the one beside the software.",
    ),
]
Variants = Annotated[
    list[Path] | None,
    typer.Option(
        "--variants", metavar="FOLDER", help="Folder of further rule sets; may be repeated."
    ),
]
CasesFolder = Annotated[
    Path,
    typer.Argument(metavar="FOLDER", help="Folder of cases with their expected results."),
]
TemplatePath = Annotated[
    Path, typer.Argument(metavar="FILE.docx", help="A Word document with tags.")
]
AsPdf = Annotated[
    bool, typer.Option("--pdf", help="Make a PDF beside it, with LibreOffice if it is installed.")
]
FamilyKey = Annotated[
    str | None,
    typer.Option(
        metavar="KEY", help="Kind of report, as sbi, or the key of a template that it replaces."
    ),
]
GOLDEN_CASES = Path("fixtures/cases")


def main() -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that has no rupee sign gets a question mark, never a stack trace.
        with contextlib.suppress(AttributeError, ValueError):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    app(prog_name="zenops")


@app.callback()
def zenops() -> None:
    """From a property valuation case to a verified report bundle."""


@app.command()
def evaluate(
    case: CasePath,
    as_json: AsJson = False,
    trace: Annotated[
        bool, typer.Option("--trace", help="Show how each figure was derived.")
    ] = False,
    as_of: AsOf = None,
    ruleset: RulesetId = None,
    data: DataFolder = None,
    variants: Variants = None,
) -> None:
    """Compute every figure of a case, and say what is missing."""
    read, library, examination = _evaluated(
        case, as_of=as_of, ruleset=ruleset, data=data, variants=variants, as_json=as_json
    )
    del library
    if as_json:
        from contracts.canonical_json import to_plain

        _print_json(to_plain(examination.evaluation))
    else:
        from factory.presentation import evaluation_text

        print(evaluation_text(read, examination, trace=trace))
    _finish(examination)


@app.command()
def build(
    case: CasePath,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="BUNDLE", help="Where the bundle is to be.")
    ],
    as_json: AsJson = False,
    as_of: AsOf = None,
    ruleset: RulesetId = None,
    data: DataFolder = None,
    variants: Variants = None,
    template: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="A template of your own, for the report to be printed in."
        ),
    ] = None,
) -> None:
    """Evaluate a case and freeze the result into a bundle."""
    from factory.bundle import write_bundle

    own = None if template is None else _own_template(template, as_json=as_json)
    read = _read(case, as_json=as_json)
    bundled, library, examination = _evaluated(
        case, as_of=as_of, ruleset=ruleset, data=data, variants=variants, as_json=as_json, read=read
    )
    bundle, problems = write_bundle(
        bundled, examination.evaluation, library, read.files, output, template=own
    )
    if bundle is None:
        _refuse(problems, {}, as_json=as_json)
    if as_json:
        readiness = examination.evaluation.readiness
        _print_json(
            {
                "bundle": str(bundle.path),
                "digest": bundle.digest,
                "files": bundle.files,
                "size": bundle.size,
                "ready": readiness.ready,
                "completeness_score": readiness.completeness_score,
            }
        )
    else:
        from factory.presentation import bundle_text, evaluation_text

        print(evaluation_text(bundled, examination, trace=False), end="\n\n")
        print(bundle_text(bundle))
    _finish(examination)


@app.command()
def verify(
    bundle: BundlePath,
    public_key: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Demand a signature by the owner of this key."),
    ] = None,
    digest: Annotated[
        str | None, typer.Option(metavar="SHA256", help="Demand this digest.")
    ] = None,
    recompute: Annotated[
        bool, typer.Option("--recompute", help="Compute all figures again from the bundle alone.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check a bundle, file by file."""
    from contracts.problems import Problem, problems_to_json
    from factory.verification import verify_bundle

    key = None
    if public_key is not None:
        from factory.signing import read_public_key

        key, problems = read_public_key(public_key)
        if key is None:
            _refuse(problems, {}, as_json=as_json)
    result = verify_bundle(bundle, recompute=recompute)
    problems = result.problems
    if key is not None and result.digest is not None:
        from factory.signing import signed_by

        problems += signed_by(result.signature, key, str(bundle))
    if digest is not None and result.digest not in {None, digest.lower()}:
        problems += (
            Problem(
                "E614",
                "the bundle is not the one that the digest stands for",
                why=f"Its own digest is {result.digest}.",
                fix="Check which bundle, and which digest, belong to the report.",
                file=str(bundle),
            ),
        )
    if as_json:
        _print_json(
            {
                "bundle": str(bundle),
                "digest": result.digest,
                "sound": not problems,
                "missing": list(result.missing),
                "unexpected": list(result.unexpected),
                "changed": list(result.changed),
                "signed_with": result.signature.public_key if result.signature else None,
                "problems": problems_to_json(problems),
            }
        )
    else:
        from factory.presentation import verification_text

        print(verification_text(str(bundle), result, recomputed=recompute))
    if problems:
        _tell(problems, {}, as_json=as_json)
        # A file that is no bundle at all is wrong input; a bundle that differs is a finding.
        raise typer.Exit(WRONG_INPUT if result.digest is None else NOT_READY)


@app.command()
def render(
    bundle: BundlePath,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="REPORT", help="Where the DOCX is to be.")
    ],
    template: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The template of your own that the bundle was built with."
        ),
    ] = None,
    pdf: AsPdf = False,
    as_json: AsJson = False,
) -> None:
    """Print a bundle as a Word document."""
    from factory.rendering.renderer import render_report

    _refuse_pdf(output, pdf=pdf, as_json=as_json)
    report, problems = render_report(bundle, output, template=template)
    if report is None:
        _refuse(problems, {}, as_json=as_json)
    written_pdf = _write_pdf(output, pdf=pdf, as_json=as_json)
    _say_done(
        {
            "report": str(report.path),
            "pdf": written_pdf,
            "sha256": report.sha256,
            "size": report.size,
            "template": report.template,
            "bundle_digest": report.bundle_digest,
        },
        f"Report    {report.path}\n"
        + (f"PDF       {written_pdf}\n" if written_pdf else "")
        + f"Template  {report.template}\nBundle    {report.bundle_digest}",
        as_json=as_json,
    )


@app.command()
def proof(
    bundle: BundlePath,
    report: Annotated[Path, typer.Argument(metavar="REPORT", help="The report, a DOCX.")],
    template: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The template of your own that the bundle was built with."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Hold a finished report against its bundle, figure by figure."""
    from contracts.problems import problems_to_json
    from factory.folders import read_file
    from factory.rendering.renderer import template_of
    from factory.report.bundle_parts import read_parts
    from factory.report.proof import proof_of
    from factory.report.text_model import LARGEST_REPORT

    parts, problems = read_parts(bundle)
    if parts is None:
        _refuse(problems, {}, as_json=as_json)
    content, _, problems = template_of(parts, template)
    if content is None:
        _refuse(problems, {}, as_json=as_json)
    document, problems = read_file(report, str(report), limit=LARGEST_REPORT)
    if document is None:
        _refuse(problems, {}, as_json=as_json)
    result = proof_of(parts, document, template=content, name=str(report))
    if not result.is_document:
        _refuse(result.problems, {}, as_json=as_json)
    if as_json:
        _print_json(
            {
                "report": str(report),
                "bundle_digest": parts.digest,
                "proved": not result.problems,
                "figures": result.figures,
                "tagged": result.tagged,
                "problems": problems_to_json(result.problems),
            }
        )
    if result.problems:
        _tell(result.problems, {}, as_json=as_json)
        raise typer.Exit(NOT_READY)
    if not as_json:
        print(
            f"Report  {report}\nBundle  {parts.digest}\n"
            f"Proved  {result.tagged} tagged texts, {result.figures} figures worked out again"
        )


@app.command()
def sign(
    bundle: BundlePath,
    key: Annotated[Path, typer.Option(metavar="FILE", help="The private key.")],
    signer: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Whose key it is, in words.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check a bundle, and sign its digest."""
    from factory.signing import sign_bundle
    from factory.verification import verify_bundle

    result = verify_bundle(bundle)
    if result.digest is None or not result.sound:
        _refuse(result.problems, {}, as_json=as_json)
    signature, problems = sign_bundle(bundle, key, result.digest, signer=signer)
    if signature is None:
        _refuse(problems, {}, as_json=as_json)
    if as_json:
        _print_json({"digest": signature.bundle_sha256, "public_key": signature.public_key})
    else:
        print(f"Signed {bundle}\nDigest {signature.bundle_sha256}\nKey    {signature.public_key}")


@app.command()
def keygen(
    key: Annotated[Path, typer.Argument(metavar="KEY", help="Where the private key is to be.")],
    as_json: AsJson = False,
) -> None:
    """Make a private key, and KEY.pub to be given away."""
    from factory.signing import make_keys

    pair, problems = make_keys(key)
    if pair is None:
        _refuse(problems, {}, as_json=as_json)
    if as_json:
        _print_json(
            {
                "private": str(pair.private),
                "public": str(pair.public),
                "public_key": pair.fingerprint,
            }
        )
    else:
        print(f"Private  {pair.private}\nPublic   {pair.public}\nKey      {pair.fingerprint}")


@app.command()
def explain(
    case: CasePath,
    field: Annotated[
        str, typer.Argument(metavar="FIELD", help="A figure, such as fmv or floors[house].net.")
    ],
    as_of: AsOf = None,
    ruleset: RulesetId = None,
    data: DataFolder = None,
    variants: Variants = None,
    as_json: AsJson = False,
) -> None:
    """Say in words where a figure or decision comes from."""
    from engine.explanation import explain as explained

    _, _, examination = _evaluated(
        case, as_of=as_of, ruleset=ruleset, data=data, variants=variants, as_json=as_json
    )
    explanation, fault = explained(examination, field)
    if explanation is None:
        from contracts.problems import Problem

        problem = Problem(
            "E623",
            fault,
            why="Only figures and decisions of the rule set can be explained.",
            fix="List them with: zenops evaluate CASE --trace",
            field=field,
        )
        _refuse((problem,), {}, as_json=as_json)
    if as_json:
        _print_json({"field": field, "explanation": explanation})
    else:
        print(explanation)


@golden_app.callback()
def golden() -> None:
    """Compare whole cases with expected results."""


@golden_app.command()
def check(
    folder: CasesFolder = GOLDEN_CASES, data: DataFolder = None, as_json: AsJson = False
) -> None:
    """Compare every case with its expected result."""
    from factory.golden import check_golden

    library = _library(data, _variants_beside(folder), as_json=as_json)
    count, problems = check_golden(folder, library)
    if problems:
        _tell(problems, {}, as_json=as_json)
        raise typer.Exit(NOT_READY)
    _say_done({"cases": count}, f"{count} cases are as expected.", as_json=as_json)


@golden_app.command()
def update(
    folder: CasesFolder = GOLDEN_CASES, data: DataFolder = None, as_json: AsJson = False
) -> None:
    """Write the expected result of every case anew."""
    from factory.golden import update_golden

    library = _library(data, _variants_beside(folder), as_json=as_json)
    changed, problems = update_golden(folder, library)
    if problems:
        _refuse(problems, {}, as_json=as_json)
    _say_done(
        {"changed": changed},
        "\n".join(f"Written: {name}" for name in changed) or "Nothing has changed.",
        as_json=as_json,
    )


@templates_app.callback()
def templates() -> None:
    """Look at templates: those that are shipped, and a firm's own."""


@templates_app.command("list")
def list_shipped(as_json: AsJson = False) -> None:
    """List the templates that are shipped."""
    from factory.presentation import templates_text
    from factory.rendering.template_files import list_templates

    found = list_templates()
    if not as_json:
        print(templates_text(found))
        return
    _print_json(
        [
            {
                "key": template.key,
                "title": template.title,
                "family": template.family,
                "file": template.path.name,
                "sha256": template.sha256,
            }
            for template in found
        ]
    )


@templates_app.command("check")
def check_own(
    template: TemplatePath,
    family: FamilyKey = None,
    data: DataFolder = None,
    variants: Variants = None,
    as_json: AsJson = False,
) -> None:
    """Check a firm's own template: its tags, their places, what it leaves out."""
    from contracts.problems import problems_to_json
    from factory.folders import read_file
    from factory.presentation import template_check_text
    from factory.rendering.docx_package import LARGEST_TEMPLATE
    from factory.rendering.template_check import check_template
    from factory.rendering.template_families import FAMILIES, fields_of_family, names_of_reports

    name = _family(family)
    library = _library(data, variants, as_json=as_json)
    assert library.catalogue is not None
    content, problems = read_file(template, str(template), limit=LARGEST_TEMPLATE)
    if content is None:
        _refuse(problems, {}, as_json=as_json)
    fields = fields_of_family(names_of_reports(library.catalogue), name)
    must_print = FAMILIES[name].must_print if name else ()
    result = check_template(content, str(template), fields, must_print)
    if not result.is_document:
        _refuse(result.problems, {}, as_json=as_json)
    if as_json:
        _print_json(
            {
                "template": str(template),
                "family": name,
                "sound": result.is_sound,
                "tags": result.tags,
                "printed": list(result.printed),
                "never_printed": list(result.left_out),
                "problems": problems_to_json(result.problems),
            }
        )
    else:
        print(template_check_text(str(template), name, result))
    if result.problems:
        _tell(result.problems, {}, as_json=as_json)
    raise typer.Exit(READY if result.is_sound else NOT_READY)


@templates_app.command("preview")
def preview_own(
    template: TemplatePath,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="OUT.docx", help="Where the DOCX is to be.")
    ],
    family: FamilyKey = None,
    bundle: Annotated[
        Path | None,
        typer.Option(metavar="BUNDLE", help="Fill it with this bundle instead of examples."),
    ] = None,
    pdf: AsPdf = False,
    data: DataFolder = None,
    variants: Variants = None,
    as_json: AsJson = False,
) -> None:
    """Fill a firm's own template with examples, each field shaded."""
    from factory.rendering.template_families import names_of_reports
    from factory.rendering.template_preview import preview

    name = _family(family)
    library = _library(data, variants, as_json=as_json)
    assert library.catalogue is not None
    _refuse_pdf(output, pdf=pdf, as_json=as_json)
    names = names_of_reports(library.catalogue)
    problems = preview(template, output, names, family=name, bundle=bundle)
    if problems:
        _refuse(problems, {}, as_json=as_json)
    written_pdf = _write_pdf(output, pdf=pdf, as_json=as_json)
    _say_done(
        {"preview": str(output), "pdf": written_pdf},
        f"Preview  {output}" + (f"\nPDF      {written_pdf}" if written_pdf else ""),
        as_json=as_json,
    )


def _refuse_pdf(output: Path, *, pdf: bool, as_json: bool) -> None:
    """End at once if a PDF is wanted and there can be none."""
    if not pdf:
        return
    from factory.rendering.pdf import refuse_pdf

    beside = output.with_suffix(".pdf")
    if beside == output:
        raise typer.BadParameter("it names the DOCX; the PDF gets its name", param_hint="--output")
    refusal = refuse_pdf(output, beside)
    if refusal is not None:
        _refuse((refusal,), {}, as_json=as_json)


def _write_pdf(output: Path, *, pdf: bool, as_json: bool) -> str | None:
    """Write a document's PDF beside it, if it is wanted; the document stays if that fails."""
    if not pdf:
        return None
    from factory.rendering.pdf import write_pdf

    beside = output.with_suffix(".pdf")
    problems = write_pdf(output, beside)
    if problems:
        _refuse(problems, {}, as_json=as_json)
    return str(beside)


def _family(key: str | None) -> str | None:
    """The family that an option names."""
    from contracts.problems import nearest
    from factory.rendering.template_families import FAMILIES, family_of

    if key is None:
        return None
    found = family_of(key)
    if found is None:
        close = nearest(key, FAMILIES)
        hint = f"did you mean {close}?" if close else f"there are: {', '.join(FAMILIES)}"
        raise typer.BadParameter(f"no reports are called '{key}', {hint}", param_hint="--family")
    return found


def _variants_beside(folder: Path) -> list[Path]:
    """Rule sets of other firms, which only cases use."""
    variants = folder.parent / "variants"
    return [variants] if variants.is_dir() else []


def _own_template(path: Path, *, as_json: bool) -> bytes:
    """The bytes of a firm's own template, if it is one."""
    from factory.folders import read_file
    from factory.rendering.docx_package import LARGEST_TEMPLATE, read_package

    content, problems = read_file(path, str(path), limit=LARGEST_TEMPLATE)
    if content is None:
        _refuse(problems, {}, as_json=as_json)
    package, problems = read_package(content, path.name)
    if package is None:
        _refuse(problems, {}, as_json=as_json)
    return content


def _read(path: Path, *, as_json: bool) -> CaseFile:
    from factory.case_files import read_case_file

    read = read_case_file(path)
    if read.case is None:
        _refuse(read.problems, read.sources, as_json=as_json)
    return read


def _library(data: Path | None, variants: Sequence[Path] | None, *, as_json: bool) -> Library:
    from factory.catalogue import SHIPPED, read_catalogue

    library = read_catalogue(data or SHIPPED, variants=variants or ())
    if library.catalogue is None:
        _refuse(library.problems, library.sources, as_json=as_json)
    return library


def _evaluated(
    path: Path,
    *,
    as_of: str | None,
    ruleset: str | None,
    data: Path | None,
    variants: Sequence[Path] | None,
    as_json: bool,
    read: CaseFile | None = None,
) -> tuple[Case, Library, Examination]:
    """The case as a bundle would hold it, what it was evaluated with, and the outcome."""
    from engine.catalogue import CatalogueError
    from engine.evaluation import examine
    from factory.bundle import as_bundled
    from factory.catalogue import check_wanted

    day = _day(as_of)
    read = read or _read(path, as_json=as_json)
    assert read.case is not None
    library = _library(data, variants, as_json=as_json)
    assert library.catalogue is not None
    problems = check_wanted(library.catalogue, read, ruleset)
    if problems:
        _refuse(problems, read.sources, as_json=as_json)
    case = as_bundled(read.case)
    try:
        return case, library, examine(case, library.catalogue, as_of=day, ruleset=ruleset)
    except CatalogueError:
        _refuse(library.catalogue.check(), library.sources, as_json=as_json)


def _day(as_of: str | None) -> date | None:
    if as_of is None:
        return None
    from contracts.dates import parse_day

    try:
        return parse_day(as_of)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--as-of") from None


def _finish(examination: Examination) -> NoReturn:
    raise typer.Exit(READY if examination.evaluation.readiness.ready else NOT_READY)


def _refuse(problems: Sequence[Problem], sources: Mapping[str, str], *, as_json: bool) -> NoReturn:
    _tell(problems, sources, as_json=as_json)
    raise typer.Exit(WRONG_INPUT)


def _tell(problems: Sequence[Problem], sources: Mapping[str, str], *, as_json: bool) -> None:
    from contracts.problems import problems_to_json, render_problems

    if as_json:
        text = json.dumps({"problems": problems_to_json(problems)}, ensure_ascii=False, indent=2)
        print(text, file=sys.stderr)
    else:
        print(render_problems(problems, sources), end="", file=sys.stderr)


def _say_done(values: Mapping[str, Any], text: str, *, as_json: bool) -> None:
    if as_json:
        _print_json(values)
    else:
        print(text)


def _print_json(value: Any) -> None:
    # Programs read UTF-8, whatever the terminal can show.
    text = json.dumps(value, ensure_ascii=False, indent=2) + "\n"
    if hasattr(sys.stdout, "buffer"):
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode())
        sys.stdout.buffer.flush()
    else:
        print(text, end="")
