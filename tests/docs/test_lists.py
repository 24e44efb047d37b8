"""Pages that list what the code or the project file holds."""

import json
import re
import tomllib

from engine.findings import BUILT_IN
from tests.docs.pages import ROOT


def test_the_page_of_findings_explains_each_that_the_engine_has():
    page = (ROOT / "docs/findings.md").read_text(encoding="utf-8")

    sections = re.findall(r"^### ([A-Z_]+)\n\n\*\*(.+)\*\* \((\w+)\)\.\n\S", page, re.MULTILINE)
    assert sorted(sections) == [
        (code, name, severity) for code, (severity, name) in sorted(BUILT_IN.items())
    ]


def names_of(requirements):
    return sorted(re.split(r"[^\w.-]", requirement)[0] for requirement in requirements)


def test_the_page_of_dependencies_has_a_line_for_each_and_no_other():
    page = (ROOT / "docs/dependencies.md").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"]
    pages = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))

    titles = re.split(r"^## (.+)\n", page, flags=re.MULTILINE)[1:]
    listed = {
        title: sorted(
            name
            for row in re.findall(r"^\| (`.+?) \|", text, re.MULTILINE)
            for name in re.findall(r"`([\w.-]+)`", row)
        )
        for title, text in zip(titles[::2], titles[1::2], strict=True)
    }
    assert listed == {
        "To run": names_of(project["project"]["dependencies"]),
        "To test and check (`dev`)": names_of(project["dependency-groups"]["dev"]),
        "To install (`build`)": names_of(project["dependency-groups"]["build"]),
        "`local`": names_of(extras["local"]),
        "`oidc`": names_of(extras["oidc"]),
        "Of the pages": sorted(pages["devDependencies"]),
        "`assets`": names_of(project["dependency-groups"]["assets"]),
        "`durable`": names_of(extras["durable"]),
        "`bench`": names_of(extras["bench"]),
        "What is not there": [],
    }
