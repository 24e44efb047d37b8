"""How gunicorn runs the web processes; `zenops-service web` adds address and numbers."""

import os
import shutil
from typing import Any

from prometheus_client import multiprocess

worker_class = "gthread"
timeout = 60
graceful_timeout = 10
keepalive = 5
# The service logs its requests itself, with tenant and request id.
accesslog = None
loglevel = "warning"
# No other way in than the address.
control_socket_disable = True
# Who the client is, and whether it came over TLS, is decided by ZENOPS_TRUSTED_PROXIES alone.
forwarded_allow_ips = ""
limit_request_line = 4094
limit_request_fields = 64


def child_exit(_server: Any, worker: Any) -> None:
    """A process that has ended no longer counts among the living."""
    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(_server: Any) -> None:
    """The counts of these processes go with the last of them."""
    shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)
