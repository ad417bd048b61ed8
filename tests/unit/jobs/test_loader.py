"""Custom jobs: their declaration, and the errors in their files, which are reported with the line."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from cavecron import job
from cavecron.errors import ConfigurationError
from cavecron.jobs.builtin import BUILT_IN_JOBS
from cavecron.jobs.context import Run
from cavecron.jobs.job import Job, JobError
from cavecron.jobs.loader import load, load_for, load_jobs
from tests.support.commands import cavecron, unprivileged

GOOD = """
from cavecron import Run, job

@job("low_stock", title="alerte de stock bas", day="mon", hour=9, minute=0)
def low_stock(run: Run) -> str:
    return "rien"

@job("tasting", cron="0 18 * * fri")
async def tasting(run):
    return "santé"
"""


def write(folder: Path, text: str, name: str = "mine.py") -> str:
    """Write a file; return its path."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def custom_jobs(*sources: str) -> Sequence[Job]:
    """Return the jobs of these sources without the built-in ones; fail if there are problems."""
    jobs, problems = load_jobs(sources)
    assert not problems
    return jobs[len(BUILT_IN_JOBS) :]


def test_a_file_declares_jobs(tmp_path: Path) -> None:
    """A decorated function is enough to declare a job; it needs no registration elsewhere."""
    low_stock, tasting = custom_jobs(write(tmp_path, GOOD))
    assert (low_stock.name, low_stock.title) == ("low_stock", "alerte de stock bas")
    assert (low_stock.defaults.prefix, low_stock.defaults.day, low_stock.defaults.hour) == (
        "LOW_STOCK",
        "mon",
        9,
    )
    assert (tasting.title, tasting.defaults.cron) == ("tasting", "0 18 * * fri")


def test_a_module_declares_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A source can be any module that Python can import."""
    write(tmp_path, GOOD, "cellar_jobs_of_a_test.py")
    monkeypatch.syspath_prepend(tmp_path)
    assert [entry.name for entry in custom_jobs("cellar_jobs_of_a_test")] == ["low_stock", "tasting"]


def test_a_job_under_two_names_is_one(tmp_path: Path) -> None:
    """An alias of a job in the same module is not a second job."""
    assert len(custom_jobs(write(tmp_path, GOOD + "\nother = low_stock\n"))) == 2


def test_a_job_can_be_called_in_a_test_of_its_author() -> None:
    """A decorated function can still be called directly, for example in a test."""

    @job("mine")
    def mine(run: Run) -> str:
        return f"got {run}"

    assert mine("a run").startswith("got")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("def f(:", "mine.py, ligne 1 : invalid syntax (SyntaxError)", id="syntax"),
        pytest.param("import os\n\n1 / 0", "mine.py, ligne 3 : division by zero", id="raises"),
        pytest.param("import absent_module", "ligne 1 : No module named 'absent_module'", id="import"),
        pytest.param("raise SystemExit(3)", "mine.py, ligne 1 : 3 (SystemExit)", id="SystemExit"),
        pytest.param("x = 1", "mine.py : aucun job n'y est déclaré", id="no job"),
        pytest.param(
            "from cavecron import job\n\n@job('x')\ndef x(): pass",
            "mine.py, ligne 3 : x() doit accepter un seul argument, le Run : def x(run)",
            id="no argument",
        ),
        pytest.param(
            "from cavecron import job\n\n@job('x')\ndef x(a, b): pass",
            "x() doit accepter un seul argument",
            id="two",
        ),
        pytest.param(
            "from cavecron import job\njob('x')(3)", "@job attend une fonction, pas 3", id="no function"
        ),
        pytest.param(
            "from cavecron import job\n@job('Low-Stock')\ndef x(run): pass", "un nom en minuscules", id="name"
        ),
        pytest.param(
            f"from cavecron import job\n@job('{'x' * 51}')\ndef x(run): pass",
            "de 50 caractères au plus",
            id="long name",
        ),
        pytest.param(
            "from cavecron import job\n@job('x', day='monday')\ndef x(run): pass",
            "job 'x' : un jour parmi",
            id="day",
        ),
        pytest.param(
            "from cavecron import job\n@job('x', cron='0 0 31 2 *')\ndef x(run): pass",
            "cette date n'arrive jamais",
            id="cron",
        ),
        pytest.param(
            "from cavecron import job\n@job('cleanup')\ndef x(run): pass",
            "mine.py, ligne 2 : le nom 'cleanup' est déjà pris par un job de cavecron",
            id="name of a built-in job",
        ),
        pytest.param(
            "from cavecron import job\n@job('weekly_report')\ndef x(run): pass",
            "est déjà pris par un job de cavecron",
            id="variables of a built-in job",
        ),
    ],
)
def test_an_error_in_a_file_is_reported_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    """Each problem is one sentence with the file and line, and the built-in jobs are still loaded."""
    jobs, (problem,) = load_jobs([write(tmp_path, text)])
    assert problem.startswith("CAVECRON_JOBS : ")
    assert message in problem
    assert jobs == BUILT_IN_JOBS


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("/absent/x.py", "/absent/x.py : fichier introuvable ; est-il monté dans le conteneur ?"),
        ("absent_module_of_mine", "absent_module_of_mine : No module named 'absent_module_of_mine'"),
        ("..", "CAVECRON_JOBS : .."),
        ("", "CAVECRON_JOBS : "),
    ],
)
def test_a_missing_source_is_reported(source: str, message: str) -> None:
    """A missing file and a missing module are reported with the name of the source."""
    _jobs, (problem,) = load_jobs([source])
    assert message in problem


def test_a_file_that_cannot_be_read_is_reported(tmp_path: Path) -> None:
    """The reason is French, and the user who needs the permission is named."""
    source = write(tmp_path, GOOD)
    Path(source).chmod(0)
    result = cavecron("next", prefix=unprivileged(), CAVECRON_JOBS=source)
    assert result.code == 2
    assert result.err == (
        "cavecron : Configuration invalide : 1 problème\n"
        f"  CAVECRON_JOBS : {source} : fichier illisible (accès refusé) ;"
        f" l'utilisateur n° {os.geteuid()} peut-il le lire, et ouvrir son dossier ?\n"
    )


def test_a_file_that_the_jobs_cannot_read_is_named(tmp_path: Path) -> None:
    """An error of the job's own code keeps the name of its file and the line."""
    source = write(tmp_path, f"open({str(tmp_path)!r})")
    _jobs, (problem,) = load_jobs([source])
    assert problem == (
        f"CAVECRON_JOBS : {source}, ligne 1 : [Errno 21] Is a directory: '{tmp_path}' (IsADirectoryError)"
    )


def test_a_name_used_in_two_files_is_reported(tmp_path: Path) -> None:
    """The problem names the places of both declarations."""
    one, two = (write(tmp_path, GOOD, name) for name in ("one.py", "two.py"))
    _jobs, problems = load_jobs([one, two])
    assert len(problems) == 2
    assert f"{two}, ligne 4 : le nom 'low_stock' est déjà pris par {one}, ligne 4" in problems[0]


def test_a_wrong_declaration_is_an_error_where_it_stands() -> None:
    """The decorator itself raises the error, for programs that embed the scheduler."""
    with pytest.raises(JobError, match="un nom en minuscules"):
        job("")(lambda run: None)


def test_relative_paths_are_resolved_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths become absolute when they are read, because a job may change the working folder."""
    monkeypatch.chdir(tmp_path)
    environ = {
        "DATABASE_URL": "sqlite:///cave/wine.db",
        "CAVECRON_MAIL": "maildir:courrier",
        "SMTP_CA_FILE": "ca.pem",
    }
    settings, _jobs = load(environ)
    assert settings.database == tmp_path / "cave" / "wine.db"
    assert settings.maildir == tmp_path / "courrier"
    assert settings.smtp_ca_file == tmp_path / "ca.pem"
    settings = load_for((), {})
    assert (settings.database, settings.maildir, settings.smtp_ca_file) == (Path("/data/wine.db"), None, None)


def test_a_file_of_jobs_that_changes_the_folder_changes_no_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`os.chdir(os.path.dirname(__file__))` at the top of a script is common: paths are resolved before."""
    monkeypatch.chdir(tmp_path)
    tmp_path.joinpath("jobs").mkdir()
    start = "import os\nos.chdir(os.path.dirname(os.path.abspath(__file__)))\n"
    write(tmp_path / "jobs", start + GOOD)
    write(tmp_path, GOOD.replace("low_stock", "other").replace("tasting", "another"), "second.py")
    write(tmp_path, "sqlite:///cave/wine.db", "url")
    environ = {
        "CAVECRON_JOBS": "jobs/mine.py,second.py",
        "DATABASE_URL_FILE": "url",
        "CAVECRON_MAIL": "maildir:courrier",
        "CAVECRON_STATUS_DIR": "etat",
        "SMTP_CA_FILE": "ca.pem",
    }
    settings, jobs = load(environ)
    assert len(jobs) == len(BUILT_IN_JOBS) + 4
    assert settings.database == tmp_path / "cave" / "wine.db"
    assert settings.maildir == tmp_path / "courrier"
    assert settings.status_dir == tmp_path / "etat"
    assert settings.smtp_ca_file == tmp_path / "ca.pem"


def test_a_relative_path_that_cannot_be_read_is_shown_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which folder it was searched in is what a person needs to know."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError) as raised:
        load({"DATABASE_URL_FILE": "url", "CAVECRON_JOBS": "mine.py"})
    assert raised.value.problems == (
        f"CAVECRON_JOBS : {tmp_path}/mine.py : fichier introuvable ; est-il monté dans le conteneur ?",
        f"DATABASE_URL_FILE='url' : fichier {tmp_path}/url illisible (il n'existe pas)"
        " ; le secret est-il monté ?",
    )
    settings, _jobs = load({"SMTP_CA_FILE": "ca.pem"})
    (warning,) = settings.warnings
    assert warning.startswith(f"SMTP_CA_FILE='{tmp_path}/ca.pem' : fichier illisible (il n'existe pas)")


def test_a_relative_path_of_a_wrong_file_of_certificates_is_shown_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every warning about the file names the same path, whatever is wrong with the file."""
    monkeypatch.chdir(tmp_path)
    tmp_path.joinpath("folder.pem").mkdir()
    tmp_path.joinpath("text.pem").touch()
    for name, problem in (
        ("folder.pem", "un fichier ordinaire"),
        ("text.pem", "un fichier de certificats PEM"),
    ):
        settings, _jobs = load({"SMTP_CA_FILE": name})
        assert [f"SMTP_CA_FILE='{tmp_path}/{name}' : {problem}" in each for each in settings.warnings] == [
            True
        ]


@pytest.mark.parametrize(
    ("files", "chosen"),
    [([], "ma cave.db"), (["ma cave.db"], "ma cave.db"), (["ma%20cave.db"], "ma%20cave.db")],
    ids=["none yet", "the decoded name", "the name as it is written"],
)
def test_percent_escapes_are_decoded_as_the_application_does(
    tmp_path: Path, files: list[str], chosen: str
) -> None:
    """SQLAlchemy 2.1 decodes percent escapes and 2.0 does not, so the existing file decides."""
    for name in files:
        (tmp_path / name).touch()
    settings = load_for((), {"DATABASE_URL": f"sqlite+pysqlite:///{tmp_path}/ma%20cave.db"})
    assert settings.database == tmp_path / chosen
