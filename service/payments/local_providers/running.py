"""Runs the stand-ins: one server for both, each under its own name."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import structlog
from flask import Flask
from werkzeug.serving import make_server
from werkzeug.wrappers import Response

from service.payments.local_providers import desk, razorpay, stripe
from service.payments.local_providers.delivering import Deliveries
from service.payments.local_providers.store import Store
from service.privacy.masking import mask
from service.settings import PAYMENT_VARIABLES

_PROVIDERS: Mapping[str, ModuleType] = {"stripe": stripe, "razorpay": razorpay}


class NotHereError(Exception):
    """The stand-ins cannot run here; the message says why."""


@dataclass(frozen=True)
class StandIn:
    """One provider's stand-in, within this process."""

    store: Store
    deliveries: Deliveries


def check_environment(environ: Mapping[str, str], providers: Sequence[str]) -> None:
    """Refuse what is no place for stand-ins.

    Raises:
        NotHereError: this is production, or a setting is missing.
    """
    if environ.get("ZENOPS_MODE") == "production":
        raise NotHereError(
            "ZENOPS_MODE is production: stand-ins take no money, so there they do not run"
        )
    for provider in providers:
        for name in PAYMENT_VARIABLES[provider]:
            if not environ.get(name, "").split():
                raise NotHereError(f"{name} is missing: {provider} has to know what we know")


def make_app(
    environ: Mapping[str, str], providers: Sequence[str], folder: Path | None = None
) -> tuple[Callable[..., Iterable[bytes]], dict[str, StandIn]]:
    """The server's application, and what is behind it.

    Args:
        environ: the service's settings: keys, secrets, and ZENOPS_PUBLIC_URL, whose webhooks hear.
        providers: `stripe`, `razorpay`, or both.
        folder: where what they know is kept; None keeps it in memory.

    Raises:
        NotHereError: this is no place for stand-ins.
    """
    check_environment(environ, providers)
    app = Flask(__name__, static_folder=None)
    behind = {}
    for name in providers:
        secrets = [environ[variable].split() for variable in PAYMENT_VARIABLES[name]]
        deliveries = Deliveries(
            name,
            f"{environ.get('ZENOPS_PUBLIC_URL', '')}/v1/payments/webhooks/{name}",
            secrets[-1][0],
        )
        store = Store(None if folder is None else folder / f"{name}.json")
        keys = [known[0] for known in secrets[:-1]]
        routes = _PROVIDERS[name].blueprint(store, deliveries, *keys)
        app.register_blueprint(routes, url_prefix=f"/{name}")
        app.register_blueprint(
            desk.blueprint(store, deliveries, _PROVIDERS[name]),
            url_prefix=f"/{name}",
            name=f"{name}-desk",
        )
        behind[name] = StandIn(store, deliveries)
    return _with_faults(app, behind), behind


def run(
    environ: Mapping[str, str],
    providers: Sequence[str],
    *,
    listen: str,
    folder: Path | None,
    log_file: Path | None,
) -> None:
    """Serve until the process is ended; the address is printed once it answers.

    Raises:
        NotHereError: this is no place for stand-ins.
    """
    host, _, port = listen.rpartition(":")
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    application, behind = make_app(environ, providers, folder)
    _configure_log(log_file)
    for one in behind.values():
        one.deliveries.start()
    server = make_server(host, int(port), application, threaded=True)
    sys.stdout.write(f"payment providers at http://{host}:{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


def _with_faults(
    app: Flask, behind: Mapping[str, StandIn]
) -> Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]:
    """The application, with the faults that were asked for, and its memory written after each."""
    log = structlog.get_logger("zenops.payment_provider")

    def serve(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        name, _, path = environ["PATH_INFO"].lstrip("/").partition("/")
        method = environ["REQUEST_METHOD"]
        one = behind.get(name)

        def work() -> Response:
            answer = Response.from_app(app, environ)
            if one is not None and method != "GET":
                one.store.save()
            return answer

        fault = None if one is None else one.store.take_fault(method, f"/{path}")
        answer: Any = work() if fault is None else desk.meet_fault(fault, work)
        log.info("request", method=method, path=environ["PATH_INFO"], status=answer.status_code)
        served: Iterable[bytes] = answer(environ, start)
        return served

    return serve


def _configure_log(log_file: Path | None) -> None:
    """A log of its own: what is said here is no part of the service's."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    output = sys.stdout if log_file is None else log_file.open("a", encoding="utf-8")
    structlog.configure(
        processors=[
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            mask,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        logger_factory=structlog.WriteLoggerFactory(output),
    )
