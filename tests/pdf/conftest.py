"""Tests of the PDF; they need LibreOffice and poppler, and are collected only when they are named.

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
    missing = [name for name in ("soffice", "pdftotext", "pdftoppm") if not shutil.which(name)]
    if missing:
        message = f"tests/pdf needs {', '.join(missing)}: libreoffice-writer-nogui, poppler-utils"
        raise RuntimeError(message)
    return None
