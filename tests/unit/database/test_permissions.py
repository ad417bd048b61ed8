"""The advice if cavecron may not write; tests/container has the same in real containers."""

import os
from pathlib import Path

import pytest

from cavecron.database.permissions import permission_advice


def test_ones_own_files_need_only_their_mode(tmp_path: Path) -> None:
    """The user owns the files already, so a change of owner would not help."""
    path = tmp_path / "wine.db"
    path.touch()
    assert "Faire « chmod -R u+rwX » sur ce dossier" in permission_advice(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_files_of_a_nas_user_are_best_used_as_that_user(tmp_path: Path) -> None:
    """The application writes these files as well and must not lose them by a change of owner."""
    path = tmp_path / "wine.db"
    path.touch()
    os.chown(path, 1026, 100)
    advice = permission_advice(path)
    assert "Lancer cavecron comme leur propriétaire (dans compose : « user: 1026:100 »)" in advice
    assert "ou faire « chown -R 0 »" in advice


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_without_the_file_its_folder_counts(tmp_path: Path) -> None:
    """The owner of the folder counts while the file does not exist."""
    os.chown(tmp_path, 1026, 100)
    assert "« user: 1026:100 »" in permission_advice(tmp_path / "wine.db")
