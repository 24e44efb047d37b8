from decimal import Decimal
from pathlib import Path

import pytest

from contracts.case import Case
from contracts.contract import Contract
from contracts.evaluation import Finding
from contracts.evidence import Evidence, FieldLink
from contracts.field_definitions import FieldDefinitions
from contracts.profile import Profile
from contracts.strict_yaml import read_yaml
from contracts.validation import validate
from engine.profile_check import check_profiles
from engine.readiness import assess, compile_profile

ROOT = Path(__file__).resolve().parents[2]
DEFINITIONS = "field-definitions.yaml"


def read_shipped():
    document = read_yaml((ROOT / "profiles" / DEFINITIONS).read_text("utf-8"), DEFINITIONS)
    definitions, problems = validate(FieldDefinitions, document)
    assert problems == ()
    sources = []
    for path in sorted((ROOT / "profiles").glob("*.yaml")):
        if path.name != DEFINITIONS:
            document = read_yaml(path.read_text("utf-8"), path.name)
            profile, problems = validate(Profile, document)
            assert problems == ()
            sources.append((profile, document))
    profiles, problems = check_profiles(sources, definitions.field_definitions)
    assert problems == ()
    return profiles, definitions.field_definitions


@pytest.fixture(scope="session")
def shipped():
    """The shipped profiles, resolved, in the order of their names."""
    return read_shipped()[0]


@pytest.fixture(scope="session")
def definitions():
    return read_shipped()[1]


@pytest.fixture(scope="session")
def profile_named(shipped):
    by_name = {profile.profile: profile for profile in shipped}
    return lambda name: by_name[name]


@pytest.fixture(scope="session")
def compiled(profile_named, definitions):
    return lambda name: compile_profile(profile_named(name), definitions)


@pytest.fixture(scope="session")
def make_contract():
    def make(report_type="VALUATION", bank_type="SBI", **parts):
        meta = {"report_type": report_type, "bank_type": bank_type, **parts.pop("meta", {})}
        return Contract.model_validate({"meta": meta, **parts})

    return make


@pytest.fixture(scope="session")
def make_evidence():
    """Evidence by type, document type or category; `captured` photographs have all that is asked."""

    def make(key, kind="PHOTO", *, doc_type=None, category=None, captured=True, **more):
        fields = {"key": key, "type": kind, "doc_type": doc_type, **more}
        if category:
            fields["tags"] = {"category": category, **fields.get("tags", {})}
        if captured and kind in {"PHOTO", "GEO"}:
            fields = {
                "captured_at": "2026-11-10T10:15:00",
                "taken_on_site": True,
                "located_at": {"latitude": Decimal("12.3"), "longitude": Decimal("76.6")},
                **fields,
            }
        return Evidence.model_validate(fields)

    return make


@pytest.fixture(scope="session")
def make_finding():
    def make(code, severity="error", outcome="fail"):
        return Finding(code, code, severity, outcome, f"{code} was found.")

    return make


@pytest.fixture(scope="session")
def make_profile(definitions):
    """A compiled profile of the requirements and fields given as YAML would give them."""

    def make(requirements=(), fields=(), **more):
        profile = Profile.model_validate(
            {
                "profile": "trial",
                "version": 1,
                "title": "Trial",
                "requirements": [{"label": need["key"], **need} for need in requirements],
                "fields": fields,
                **more,
            }
        )
        return compile_profile(profile, definitions)

    return make


@pytest.fixture(scope="session")
def ask(make_contract):
    """The readiness of a contract; what is not said is empty."""

    def assess_with(profile, contract=None, evidence=(), links=(), figures=None, findings=()):
        return assess(
            contract or make_contract(),
            evidence,
            [FieldLink(field=field, evidence=key) for field, key in links],
            profile,
            figures=figures or {},
            findings=findings,
        )

    return assess_with


@pytest.fixture(scope="session")
def specimen():
    """The complete specimen case, as its folder holds it."""
    path = ROOT / "fixtures" / "cases" / "specimen-house" / "case.yaml"
    return Case.model_validate(read_yaml(path.read_text("utf-8"), "case.yaml").value)
