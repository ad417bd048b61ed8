"""axe-core, which checks the accessibility of a page; its package is downloaded once and cached."""

import subprocess
import sys
import tempfile
from pathlib import Path
from zipfile import BadZipFile, ZipFile

#: Bundles axe-core 4.12; what it depends on (a browser of its own) is not fetched.
_PACKAGE = "axe-playwright-python==0.1.8"
_SCRIPT = "axe_playwright_python/axe.min.js"


def axe_script() -> str | None:
    """Return the source of axe-core, None if it is not available."""
    folder = Path(tempfile.gettempdir()) / f"cavecron-tests-{_PACKAGE}"
    if not (wheel := _wheel(folder)):
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--timeout", "10", "-d"]
        subprocess.run([*command, str(folder), _PACKAGE], capture_output=True, timeout=100, check=False)
        wheel = _wheel(folder)
    try:
        return ZipFile(wheel).read(_SCRIPT).decode() if wheel else None
    except (BadZipFile, KeyError):
        return None


def _wheel(folder: Path) -> Path | None:
    return next(iter(folder.glob("*.whl")), None)
