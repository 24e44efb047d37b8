"""Structured logs: one line for each event, the same fields everywhere, nothing secret in them."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any

import structlog

from service.privacy.masking import mask

if TYPE_CHECKING:
    from service.settings import Settings


def configure_logs(settings: Settings | None, process: str) -> None:
    """Send every log of this process to standard output, masked, as JSON or for a person to read.

    Without it nothing is masked, and tracebacks show local variables: it comes before anything else.

    Args:
        settings: the format; None as long as they are not known, and then it is for a person.
        process: what the process is called in each line: web, worker, dispatcher, ...
    """
    render: Any = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if settings is not None and settings.log_format == "json"
        else structlog.dev.ConsoleRenderer(
            colors=False, exception_formatter=structlog.dev.plain_traceback
        )
    )
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _with_process(process),
    ]
    last: list[Any] = [structlog.processors.format_exc_info, mask, render]
    structlog.configure(
        processors=[*shared, *last],
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    # Libraries speak through the standard library; their lines look like ours.
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)


def _with_process(process: str) -> Any:
    def add(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
        event["process"] = process
        return event

    return add
