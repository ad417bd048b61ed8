"""Advice for a process that may not write to the database or its folder.

In containers this is the most frequent first error. It opens no file and knows no table.
"""

import os
from pathlib import Path

#: The flag of a file system that is mounted read-only (statvfs(3)); absent on Windows.
_READ_ONLY = getattr(os, "ST_RDONLY", 0)


def permission_advice(path: Path) -> str:
    """Return French advice so that this process can write the file at `path` and in its folder."""
    folder = path.absolute().parent
    if not hasattr(os, "geteuid"):
        return "droits du fichier et de son dossier ?"
    if _closed_to_all(folder):
        return f"{folder} est en lecture seule : la monter en écriture (volume sans « :ro »)"
    user = os.geteuid()
    owner = _owner(path) or _owner(folder) or (0, 0)
    return f"droits du fichier et de son dossier pour l'utilisateur n° {user} ? {_what_to_do(user, owner)}"


def _what_to_do(user: int, owner: tuple[int, int]) -> str:
    if owner[0] == user:
        return "Faire « chmod -R u+rwX » sur ce dossier, vu de l'hôte"
    chown = f"« chown -R {user} » sur ce dossier, vu de l'hôte"
    if owner[0] == 0:
        return f"Faire {chown}"
    as_owner = f"« user: {owner[0]}:{owner[1]} »"
    return f"Lancer cavecron comme leur propriétaire (dans compose : {as_owner}), ou faire {chown}"


def _closed_to_all(folder: Path) -> bool:
    try:
        return bool(os.statvfs(folder).f_flag & _READ_ONLY)
    except OSError:
        return False


def _owner(path: Path) -> tuple[int, int] | None:
    """Return the ids of the user and the group that own a file, None if they are unknown."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_uid, status.st_gid
