"""What gunicorn loads in each web process."""

import os

from flask import Flask

from service.api.application import create_app
from service.bootstrap import make_service
from service.settings import read_settings
from service.telemetry.logs import configure_logs


def application() -> Flask:
    """The API and pages, with connections of this process alone.

    Raises:
        ValueError: the settings are wrong; `zenops-service web` says so before it comes to this.
    """
    settings, problems = read_settings(os.environ, logins=("api",))
    if settings is None:
        raise ValueError("\n".join(problems))
    configure_logs(settings, "web")
    return create_app(make_service(settings, login="api"))
