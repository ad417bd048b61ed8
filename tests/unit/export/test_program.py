"""The program that an exported definition calls, exported by real processes."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.commands import ROOT

_each_folder = pytest.mark.parametrize("folder", ["bin", "Cave à vin 100 %/l'outil"])


def _export(engine: str, program: Path) -> str:
    """Return what an installed program exports that was started by a relative path."""
    program.parent.mkdir(parents=True)
    script = f"#!{sys.executable}\nfrom cavecron.__main__ import entry\nentry()\n"
    program.write_text(script, encoding="utf-8")
    program.chmod(0o755)
    result = subprocess.run(
        ["./cavecron", "export", engine],
        cwd=program.parent, env={"PYTHONPATH": str(ROOT)}, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return result.stdout


@_each_folder
def test_a_crontab_calls_the_program_that_exported_it(tmp_path: Path, folder: str) -> None:
    """The shell gets its path as one word, and cron does not end the line at a percent sign."""
    program = tmp_path / folder / "cavecron"
    line = _export("crontab", program).splitlines()[-1].removeprefix("0 3 * * 0 ")
    assert "%" not in line.replace(r"\%", "")
    assert shlex.split(line.replace(r"\%", "%")) == [str(program), "run", "--due", "cleanup"]


@_each_folder
def test_a_service_calls_the_program_that_exported_it(tmp_path: Path, folder: str) -> None:
    """The path is one word for systemd, quoted where necessary, and without specifiers."""
    program = tmp_path / folder / "cavecron"
    mark = '"' if " " in folder else ""
    path = f"{mark}{program}{mark}".replace("%", "%%")
    assert f"\nExecStart={path} run --due cleanup\n" in _export("systemd", program)


def test_a_module_exports_the_usual_path() -> None:
    """`python -m cavecron` is no program that cron could call."""
    command = [sys.executable, "-m", "cavecron", "export", "crontab"]
    result = subprocess.run(
        command, env={"PYTHONPATH": str(ROOT)}, check=True, capture_output=True, text=True
    )
    assert "0 3 * * 0 /usr/local/bin/cavecron run --due cleanup\n" in result.stdout
