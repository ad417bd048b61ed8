"""The paths in exported definitions."""

from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from tests.support.commands import cavecron


def test_each_path_is_absolute(tmp_path: Path) -> None:
    """An engine starts cavecron in another working folder."""
    (tmp_path / "clé").write_text(Fernet.generate_key().decode())
    (tmp_path / "mine.py").write_text("from cavecron import job\n\n\n@job('mine')\ndef mine(run): ...\n")
    result = cavecron(
        "export", "systemd",
        cwd=tmp_path,
        DATABASE_URL="sqlite:///data/wine.db",
        CAVECRON_MAIL="maildir:courrier",
        CAVECRON_JOBS="mine.py",
        SMTP_ENCRYPTION_KEY_FILE="clé",
    )  # fmt: skip
    assert result.code == 0, result.err
    for line in (
        f'Environment="DATABASE_URL=sqlite:///{tmp_path}/data/wine.db"',
        f'Environment="CAVECRON_MAIL=maildir:{tmp_path}/courrier"',
        f'Environment="CAVECRON_JOBS={tmp_path}/mine.py"',
        f"LoadCredential=SMTP_ENCRYPTION_KEY:{tmp_path}/clé",
        f'ReadWritePaths="{tmp_path}/data" "-{tmp_path}/courrier"',
    ):
        assert f"{line}\n" in result.out


@pytest.mark.parametrize("name", ["clé\nExecStart=bash", "\rclé", "clé\x1b[2J", "\u2028clé"], ids=ascii)
def test_a_path_of_a_secret_that_a_unit_cannot_contain_is_refused(tmp_path: Path, name: str) -> None:
    """The setting LoadCredential of systemd has neither quotes nor escapes; no partial unit is printed."""
    (tmp_path / name).write_text(Fernet.generate_key().decode())
    variables = {"DATABASE_URL": "sqlite:///wine.db", "SMTP_ENCRYPTION_KEY_FILE": str(tmp_path / name)}
    result = cavecron("export", "systemd", cwd=tmp_path, **variables)
    assert (result.code, result.out) == (1, ""), result.err
    assert "une unité ne peut charger un fichier dont le chemin a un retour à la ligne" in result.err
    assert "ExecStart=bash\n" not in result.err
    assert not set(result.err) & set("\x1b\u2028")
