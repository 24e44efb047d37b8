"""Tests of the pages in Chromium, on the whole service; collected only when they are named.

`make test-browser` names them. Everything is real: PostgreSQL, Valkey, gunicorn, dispatcher, worker.
"""

import io
import shutil
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def pytest_ignore_collect(collection_path, config):
    del collection_path
    named = [Path(argument.partition("::")[0]).resolve() for argument in config.args]
    if not any(path.is_relative_to(HERE) for path in named):
        return True
    if not any(map(shutil.which, BROWSERS)):
        message = "tests/browser needs Chromium: apt-get install chromium"
        raise RuntimeError(message)
    return None


@pytest.fixture(scope="session")
def running(tmp_path_factory):
    """The whole service, with the demo firm and one more."""
    from service.demonstration import running_alone
    from service.local_services import scratch_folder
    from service.people.seeding import create_firm
    from tests.browser.desk import Desk

    folder = scratch_folder()
    further = {
        "ZENOPS_MODE": "development",
        "ZENOPS_WEB_PROCESSES": "1",
        "ZENOPS_WORKERS": "1",
        "ZENOPS_PDF": "off",
    }
    log = io.FileIO(tmp_path_factory.mktemp("log") / "service.log", "w")
    try:
        with running_alone(folder, log, further) as (service, _):
            from service.database.connections import make_engine

            engine = make_engine(service.settings.database_url, pool_size=1)
            other = create_firm(
                engine,
                slug="other",
                name="Other Specimen Firm",
                admin_email="admin@other.example",
                admin_name="Otto Other",
            )
            engine.dispose()
            people = {one.email: one.password for one in (*service.first_people, other)}
            yield Desk(service.settings.public_url, people)
    finally:
        log.close()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def chromium():
    from playwright.sync_api import sync_playwright

    program = next(found for name in BROWSERS if (found := shutil.which(name)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture
def open_desk(chromium, running):
    """open_desk(email) -> a page of somebody who has logged in; None opens it for nobody.

    Whatever the console says of a violated policy, and every error of a script, fails the test.
    """
    contexts = []
    troubles = []

    def enter(email=None, **how):
        context = chromium.new_context(
            base_url=running.url, **{"viewport": {"width": 1440, "height": 900}, **how}
        )
        context.set_default_timeout(15_000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: troubles.append(f"error: {error}"))
        page.on("console", lambda said: _note(said, troubles))
        if email is not None:
            running.log_in(page, email)
        return page

    yield enter
    for context in contexts:
        context.close()
    assert troubles == []


def _note(said, troubles):
    # A refusal is an answer with a status of 400 and above, which the console repeats.
    if said.type in {"error", "warning"} and "Failed to load resource" not in said.text:
        troubles.append(f"{said.type}: {said.text}")
