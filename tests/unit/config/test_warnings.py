"""Settings that are valid but cannot work: they cause a warning when they are read."""

from pathlib import Path

from cavecron.config.settings import load


def test_settings_that_cannot_work_are_a_warning(tmp_path: Path) -> None:
    """An invalid key or authority file is reported at once, instead of failing at the next slot."""
    no_authority = tmp_path / "ca.pem"
    no_authority.write_text("rien", encoding="utf-8")
    key = "A" * 43 + "="
    environ = {"SMTP_ENCRYPTION_KEY": f"{key},secret", "SMTP_CA_FILE": str(no_authority)}
    warnings = load(environ, lambda path: Path(path).read_text(encoding="utf-8")).warnings
    assert warnings[0].startswith("SMTP_ENCRYPTION_KEY (clé n° 2 sur 2) : une clé Fernet")
    assert warnings[1].startswith(f"SMTP_CA_FILE='{no_authority}' : un fichier de certificats PEM")
    assert "secret" not in str(warnings)
    assert len(warnings) == 2
