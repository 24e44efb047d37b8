import re

import pytest
import typer.main

from factory.command_line import app
from service.command_line import app as service_app
from tests.docs.pages import PAGES, ROOT, code, name_of

TARGETS = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
#: Folders whose paths a page may name; what an example makes up begins otherwise.
FOLDERS = "bench|contracts|deploy|docs|engine|factory|fixtures|profiles|rules|scripts|service|tests"
MADE_UP = {"rules/my-bank"}


def made(line):
    """The targets of `make` that a line of code names."""
    if not line.lstrip("$ ").startswith("make "):
        return
    for word in re.split(r"\s{2,}", line.strip("$ "))[0].split()[1:]:
        if "=" not in word:
            yield word


def used(line):
    """The words and options behind each `zenops` of a line of code."""
    # Where a command may stand: "zenops" is also a database's name.
    for call in re.findall(r"(?:^|\$ |[;&|] |bin/)zenops ([^#|&;]*)", line):
        yield re.split(r"\s{2,}", call)[0].rstrip(". ").split()


def command_of(words):
    """The command that these words call, and the words that are left."""
    command = typer.main.get_command(app)
    while words and words[0] in getattr(command, "commands", {}):
        command, words = command.commands[words[0]], words[1:]
    return command, words


def options_of(command):
    return {name for parameter in command.params for name in parameter.opts} | {"-h", "--help"}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_make_target_of_a_page_exists(page):
    assert {target for line in code(page) for target in made(line)} <= TARGETS


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_zenops_command_and_option_of_a_page_exists(page):
    unknown = []
    for line in code(page):
        for words in used(line):
            command, rest = command_of(words)
            options = {word for word in rest if word.startswith("-")}
            is_unknown = hasattr(command, "commands") and bool(set(rest) - options)
            if is_unknown or not options <= options_of(command):
                unknown.append(line)

    assert unknown == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_process_of_the_service_that_a_page_names_exists(page):
    processes = typer.main.get_command(service_app).commands
    named = {name for line in code(page) for name in re.findall(r"zenops-service ([a-z-]+)", line)}

    assert named <= processes.keys()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_file_that_a_page_names_is_there(page):
    named = {
        path.rstrip("./")
        for line in code(page)
        for path in re.findall(rf"(?<![\w./-])((?:{FOLDERS})/[\w./-]+)(?![\w*<…])", line)
        if "..." not in path
    }
    lost = {
        path
        for path in named
        if not (ROOT / path).exists() and not any(path.startswith(folder) for folder in MADE_UP)
    }

    assert lost == set()


def test_the_first_page_names_the_two_commands():
    shown = {target for line in code(ROOT / "README.md") for target in made(line)}

    assert {"demo", "test"} <= shown
