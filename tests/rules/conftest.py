from pathlib import Path

import pytest

from contracts.banks import Banks
from contracts.land_units import LandUnits
from contracts.problems import render_problems
from contracts.strict_yaml import read_yaml
from contracts.validation import validate
from engine.catalogue import Catalogue, make_catalogue
from engine.rules.source import read_rule_set

ROOT = Path(__file__).parents[2]


def documents_of(folder: Path):
    return [
        read_yaml(file.read_text(encoding="utf-8"), str(file.relative_to(ROOT)))
        for file in sorted(folder.glob("*.yaml"))
    ]


def read_catalogue(*folders: Path, **more) -> tuple[Catalogue, str]:
    """The catalogue of the rule sets below these folders, and its problems as text."""
    problems, texts, sources = [], {}, []
    for folder in folders:
        for inner in sorted(path for path in folder.iterdir() if path.is_dir()):
            documents = documents_of(inner)
            if not documents:
                continue
            source, found = read_rule_set(documents)
            problems += [problem for document in documents for problem in document.problems]
            problems += found
            texts |= {document.name: document.text for document in documents}
            if source is not None:
                sources.append(source)
    units, _ = validate(LandUnits, read_yaml((ROOT / "rules/units.yaml").read_text(), "units"))
    banks, _ = validate(Banks, read_yaml((ROOT / "rules/banks.yaml").read_text(), "banks"))
    catalogue, found = make_catalogue(sources, units=units, banks=banks, **more)
    problems += found
    problems += catalogue.check()
    return catalogue, render_problems(problems, texts)


@pytest.fixture(scope="session")
def shipped() -> Catalogue:
    folders = [ROOT / "rules"]
    if (ROOT / "fixtures/variants").is_dir():
        folders.append(ROOT / "fixtures/variants")
    catalogue, problems = read_catalogue(*folders)

    assert problems == ""

    return catalogue
