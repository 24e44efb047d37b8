"""Tests of a pack's PDF need LibreOffice, and are collected only when they are named.

`make test-pdf` names them.
"""

import shutil
from pathlib import Path

HERE = Path(__file__).resolve().parent


def pytest_ignore_collect(collection_path, config):
    del collection_path
    named = [Path(argument.partition("::")[0]).resolve() for argument in config.args]
    if not any(path.is_relative_to(HERE) for path in named):
        return True
    if not shutil.which("soffice"):
        raise RuntimeError("tests of a pack's PDF need libreoffice-writer-nogui")
    return None
