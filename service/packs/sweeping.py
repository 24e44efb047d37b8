"""Removes what killed jobs have left: objects that no row names, and folders that nobody works in."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from sqlalchemy import text

from service import clock
from service.database.connections import transaction
from service.identifiers import read_id
from service.objects.storage import delete, listed
from service.packs.making import FOLDER_PREFIX

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import Connection

    from service.bootstrap import Service
    from service.objects.storage import Found

#: Longer than any job takes, with all of its attempts.
AGE = timedelta(days=1)
#: What folders begin with in which a process builds something for a while. One that was killed
#: leaves its folder, which may be as large as a firm's archive.
FOLDER_PREFIXES = (
    FOLDER_PREFIX,
    "zenops-export-",
    "zenops-bundle-",
    "zenops-upload-",
    "zenops-thumbnail-",
)
_KEYS = text("select object_key from pack_artifacts where tenant_id = :tenant")


def sweep(service: Service, *, older_than: timedelta = AGE) -> tuple[int, int]:
    """Remove what jobs of packs have left behind, for all firms.

    Args:
        service: with the login of jobs.
        older_than: what is younger may belong to a job that is under way; folders are always left
            for `AGE`.

    Returns:
        How many objects, and how many folders of this machine, were removed.
    """
    before = clock.now() - older_than
    # Whose folder it is cannot be asked, so only its age tells that nobody works in it.
    left_before = clock.now() - max(older_than, AGE)
    with transaction(service.engine, role="zen_system") as connection:
        tenants = list(connection.scalars(text("select tenant_id from tenants")))
    objects = 0
    for tenant in tenants:
        with transaction(service.engine, role="zen_worker", tenant_id=tenant) as connection:
            known = set(connection.scalars(_KEYS, {"tenant": tenant}))
        for found in listed(service.objects, f"{tenant}/packs"):
            if found.modified_at < before and found.key not in known:
                with transaction(service.engine, role="zen_worker", tenant_id=tenant) as connection:
                    objects += _remove_orphan(service, connection, tenant, found)
    return objects, _remove_folders(left_before.timestamp())


def _remove_orphan(service: Service, connection: Connection, tenant: UUID, found: Found) -> bool:
    """Remove an object if no artifact is it and its operation is over."""
    operation = read_id(PurePosixPath(found.key).name[:36])
    # Held until the object is gone: whoever starts the operation again waits, and writes it anew.
    status = connection.scalar(
        text(
            "select status from operations where tenant_id = :tenant and operation_id = :operation"
            " for update"
        ),
        {"tenant": tenant, "operation": operation},
    )
    # Its job may have ended well since the keys were read.
    if status in {"pending", "sent", "running"} or connection.scalar(
        text("select 1 from pack_artifacts where tenant_id = :tenant and object_key = :key"),
        {"tenant": tenant, "key": found.key},
    ):
        return False
    delete(service.objects, found.key)
    return True


def _remove_folders(before: float) -> int:
    removed = 0
    for path in Path(tempfile.gettempdir()).iterdir():
        if not path.name.startswith(FOLDER_PREFIXES):
            continue
        with suppress(OSError):
            seen = path.lstat()
            if seen.st_uid == os.geteuid() and seen.st_mtime < before:
                shutil.rmtree(path)
                removed += 1
    return removed
