"""A report as PDF: LibreOffice lays it out, and what differs from run to run is taken out.

LibreOffice is a program of its own, found by name on the PATH. It gets a profile that nobody else
uses, and goes when the time is up. Same report, same LibreOffice, same fonts: same bytes.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from contracts.problems import Problem, shown
from factory.folders import read_file
from factory.whole_files import cannot_replace, cannot_write, replacing

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Under either name, by system.
PROGRAMS = ("soffice", "libreoffice")
#: A pack of 40 photographs takes five seconds on a small machine; the first start a few more.
TIME_LIMIT_S = 120
LARGEST_DOCX = 512 << 20
#: What LibreOffice needs to find its own files and the fonts; nothing else of the caller's
#: environment reaches it, so that no language, paper size or plug-in of somebody's does.
_KEPT = ("PATH", "HOME", "SYSTEMROOT", "SYSTEMDRIVE", "PROGRAMFILES", "USERPROFILE", "WINDIR")
_FIXED = {"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "TZ": "UTC", "SAL_USE_VCLPLUGIN": "svp"}
#: What a profile has to say that is not so by itself.
_SETTINGS = (
    # A report is paper: nothing in it runs, and nothing is fetched from elsewhere.
    ("Common/Security/Scripting", "MacroSecurityLevel", "3"),
    ("Common/Security/Scripting", "DisableMacrosExecution", "true"),
    ("Common/Security/Scripting", "BlockUntrustedRefererLinks", "true"),
    ("Writer/Content/Update", "Link", "0"),
    # Nor is anything sent.
    ("Common/Misc", "CrashReport", "false"),
    ("Common/Misc", "FirstRun", "false"),
)


def write_pdf(docx: Path, path: Path, *, time_limit_s: float = TIME_LIMIT_S) -> tuple[Problem, ...]:
    """Write a Word document's PDF.

    Args:
        docx: the document.
        path: where the PDF is to be; what is there is replaced once the new one is complete.
        time_limit_s: how long LibreOffice may take.

    Returns:
        Why there is none; then nothing on disk has changed.
    """
    refusal = refuse_pdf(docx, path)
    if refusal is not None:
        return (refusal,)
    content, problems = read_file(docx, str(docx), limit=LARGEST_DOCX)
    if content is None:
        return problems
    pdf, problems = convert(content, str(docx), time_limit_s=time_limit_s)
    if pdf is None:
        return problems
    try:
        with replacing(path) as file:
            file.write(pdf)
    except OSError as error:
        return (cannot_write(path, error.strerror or "the disk refused"),)
    return ()


def refuse_pdf(docx: Path, path: Path) -> Problem | None:
    """Why there can be no PDF at a place, as far as it can be said before there is a document."""
    if program() is None:
        return _not_installed(str(docx))
    return cannot_replace(path, "PDF", b"%PDF")


def program() -> str | None:
    """Where LibreOffice is, or None if it is not on the PATH."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


def convert(
    docx: bytes, name: str, *, time_limit_s: float = TIME_LIMIT_S
) -> tuple[bytes | None, tuple[Problem, ...]]:
    """The PDF of a Word document.

    Args:
        docx: the document.
        name: what to call it in problems.
        time_limit_s: how long LibreOffice may take.

    Returns:
        The normalised PDF, or None and why there is none.
    """
    found = program()
    if found is None:
        return None, (_not_installed(name),)
    with tempfile.TemporaryDirectory(prefix="zenops-pdf-", ignore_cleanup_errors=True) as scratch:
        folder = Path(scratch)
        # A name of its own would go into the PDF.
        source = folder / "report.docx"
        source.write_bytes(docx)
        profile = _profile(folder)
        arguments = [
            found,
            f"-env:UserInstallation={profile.as_uri()}",
            *(
                "--headless",
                "--invisible",
                "--norestore",
                "--nologo",
                "--nodefault",
                "--nolockcheck",
            ),
            *("--convert-to", "pdf:writer_pdf_Export", "--outdir", scratch, str(source)),
        ]
        environment = _environment(os.environ, folder)
        try:
            if not _run(arguments, environment, time_limit_s):
                return None, (_too_slow(name, time_limit_s),)
            pdf = normalised(source.with_suffix(".pdf").read_bytes())
        except (OSError, ValueError):
            # LibreOffice ends with 0 whether it has written something or not.
            return None, (_failed(name),)
        return pdf, ()


def normalised(pdf: bytes) -> bytes:
    """A PDF of LibreOffice's without clock and random numbers.

    Raises:
        ValueError: it is not a PDF, or a damaged one.
    """
    import pikepdf  # noqa: PLC0415  # takes longer to load than the rest of the command line

    out = io.BytesIO()
    try:
        with pikepdf.open(io.BytesIO(pdf)) as document:
            for key in ("/CreationDate", "/ModDate"):
                if key in document.docinfo:
                    del document.docinfo[key]
            # The XMP metadata says the same things once more.
            if "/Metadata" in document.Root:
                del document.Root["/Metadata"]
            for key in ("/DocChecksum", "/ID"):
                if key in document.trailer:
                    del document.trailer[key]
            # The new identity is made from the content; of an old one, half would be kept.
            document.save(out, deterministic_id=True)
    except pikepdf.PdfError as error:
        raise ValueError("not a PDF, or a damaged one") from error
    return out.getvalue()


def _profile(folder: Path) -> Path:
    """A new profile for LibreOffice with our settings in it."""
    items = "".join(
        f'<item oor:path="/org.openoffice.Office.{path}">'
        f'<prop oor:name="{name}" oor:op="fuse"><value>{value}</value></prop></item>\n'
        for path, name, value in _SETTINGS
    )
    profile = folder / "profile"
    (profile / "user").mkdir(parents=True)
    (profile / "user" / "registrymodifications.xcu").write_text(
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<oor:items xmlns:oor="http://openoffice.org/2001/registry" '
        'xmlns:xs="http://www.w3.org/2001/XMLSchema" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">\n'
        f"{items}</oor:items>\n",
        encoding="utf-8",
    )
    return profile


def _environment(own: Mapping[str, str], folder: Path) -> dict[str, str]:
    kept = {name: own[name] for name in _KEPT if name in own}
    return kept | _FIXED | dict.fromkeys(("TMPDIR", "TMP", "TEMP"), str(folder))


def _run(arguments: list[str], environment: dict[str, str], time_limit_s: float) -> bool:
    """Run LibreOffice to its end; False if its time was up first, and it is gone."""
    process = subprocess.Popen(
        arguments,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # soffice starts programs of its own: they form a group, which can be ended as one.
        start_new_session=True,
    )
    try:
        process.wait(time_limit_s)
    except BaseException as error:
        _end(process)
        if isinstance(error, subprocess.TimeoutExpired):
            return False
        raise
    return True


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the program, which is still running, and all that it has started."""
    with contextlib.suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()


def _not_installed(name: str) -> Problem:
    return Problem(
        "E660",
        "LibreOffice is not installed, so there can be no PDF",
        why="Its program soffice lays the pages out; it is not on the PATH.",
        fix="Install it (Debian, Ubuntu: libreoffice-writer-nogui fonts-liberation), or leave "
        "--pdf away.",
        file=shown(name),
    )


def _too_slow(name: str, time_limit_s: float) -> Problem:
    return Problem(
        "E662",
        f"LibreOffice did not finish the PDF within {time_limit_s:g} seconds",
        why="It was stopped; no PDF was written.",
        fix="Try again when the machine is less busy. If that does not help, open the document in "
        "LibreOffice Writer and see where it stops.",
        file=shown(name),
    )


def _failed(name: str) -> Problem:
    return Problem(
        "E661",
        "LibreOffice made no PDF of the document",
        why="It may be installed without Writer, be damaged, or be unable to read the document.",
        fix="Install libreoffice-writer-nogui, and see whether Writer opens the document.",
        file=shown(name),
    )
