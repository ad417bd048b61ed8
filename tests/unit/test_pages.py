"""The pages inside the project are true: their names are in the source, and they cite no other page."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from cavecron.config.settings import known_names
from cavecron.demo import schema
from cavecron.ledger.tables import ensure_tables
from tests.support.commands import ROOT
from tests.support.source_names import NAME, full_names, is_known
from tests.unit.test_layers import FOLDERS

DEVELOPERS_PAGE, CONTRACT, TESTS = (
    ROOT / path / "README.md" for path in ("cavecron", "cavecron/appdb", "tests")
)
PROMISES = 11

#: Words in backticks that are not names of the project: words of SQL, JSON, Python or French notes.
OTHER_WORDS: dict[Path, frozenset[str]] = {
    DEVELOPERS_PAGE: frozenset(
        {"async", "manual", "now()", "replay", "sending", "sent", "failed", "deferred", "abandoned"}
    ),
    CONTRACT: frozenset(
        {
            "DATETIME",
            "BOOLEAN",
            "JSON",
            "TZ",
            "Z",
            "delete",
            "foreign_keys",
            "Infinity",
            "int()",
            "round(x, 1)",
        }
        | {"year", "apogee", "apogée", "immédiatement", "bientôt", "cavecron_"}
        | {"an", "à", "y", "urgent", "optimal", "parfait", "pending", "sent", "failed"}
        | {"garde", "garder", "conserver", "vieillissement", "boire", "consommer"}
        | {"maintenant", "rapidement", "weekly_report", "test_email"}
    ),
}
#: Files of the project, and what they must not cite: pages and issues outside the project.
TEXTS = ("cavecron", "tests", "packaging", "examples", ".ci", "README.md", "CHANGELOG.md", "Containerfile")
OUTSIDE_CITATION = re.compile(
    r"\bshared/|\b(?:facts|design) page\b|\b(?:house|design|style|cave-a-vin)\.md\b|\bthe brief\b"
    r"|\bissues? \d|\bthe issues?\b",
    re.IGNORECASE,
)
PROMISE_CITATION = re.compile(r"\bpromises? (\d+)(?:(?: to |-|, | and )(\d+))?", re.IGNORECASE)


def in_backticks(page: str) -> list[str]:
    """Return the texts in single backticks on a page, outside its fenced blocks."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", page, flags=re.MULTILINE | re.DOTALL))


def fenced(page: str, tag: str) -> str:
    """Return the content of the one fenced block with this tag."""
    (block,) = re.findall(rf"^```text {tag}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    return str(block)


def columns(connection: sqlite3.Connection) -> dict[str, list[str]]:
    """Return the columns of each table."""
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {
        table: [row[1] for row in connection.execute(f'PRAGMA table_info("{table}")')] for table in tables
    }


def stored_names() -> frozenset[str]:
    """Return the names of tables, columns and indices of the application and of the ledger."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        schema.create(connection)
        ensure_tables(connection)
        indices = {
            name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'index'")
        }
        tables = columns(connection)
    return frozenset(
        {*indices, *(f"{table}.{column}" for table in tables for column in tables[table]), *tables}
    )


def unknown(page: Path) -> Iterator[str]:
    """Yield each name in backticks on a page that is no name in the source, of a table or of a variable."""
    known = full_names() | stored_names() | known_names()
    allowed = OTHER_WORDS.get(page, frozenset()) | {
        *re.findall(r"^([A-Z]+)\b", (ROOT / "tests/unit/test_layers.py").read_text(), re.MULTILINE)
    }
    for name in in_backticks(page.read_text(encoding="utf-8")):
        if re.fullmatch(r"[\w.-]+(?:/[\w.-]+)+\.\w+", name):
            if not (ROOT / name).exists():
                yield name
        elif re.fullmatch(NAME, name) and name not in allowed and not is_known(name, known):
            yield name


@pytest.mark.parametrize("page", [DEVELOPERS_PAGE, CONTRACT], ids=["cavecron", "appdb"])
def test_every_name_on_the_page_is_in_the_source(page: Path) -> None:
    """A renamed function makes this test fail, so that the page that names it is changed too."""
    assert not list(unknown(page))


@pytest.mark.parametrize("page", [DEVELOPERS_PAGE, CONTRACT], ids=["cavecron", "appdb"])
def test_no_word_is_allowed_that_the_page_lacks(page: Path) -> None:
    """The list of other words contains only words of the page, so that it cannot hide a renamed function."""
    assert OTHER_WORDS[page] <= set(in_backticks(page.read_text(encoding="utf-8")))


@pytest.mark.parametrize("name", ["Scheduler._turn", "catch_up.look", "scan_twice", "wine.quality", "post"])
def test_a_name_that_is_gone_is_found(name: str, tmp_path: Path) -> None:
    """The rule finds a name that does not exist, so that no finding on the pages means something."""
    page = tmp_path / "README.md"
    page.write_text(f"`Scheduler` and `{name}`, `wine.quantity`", encoding="utf-8")
    assert list(unknown(page)) == [name]


def test_every_word_of_the_glossary_has_its_name_in_the_code() -> None:
    """Each word of the glossary names its part of the code; otherwise the rule above would check nothing."""
    rows = re.search(
        r"^## Words\n(.*?)^## ", DEVELOPERS_PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    assert rows
    words = [line.split("|") for line in rows[1].splitlines() if line.startswith("| ")][1:]
    assert len(words) >= 20
    assert all(in_backticks(word[3]) for word in words)


def test_the_picture_of_the_layers_is_that_of_the_test() -> None:
    """The picture shows all folders, in the order in which imports are allowed."""
    picture = fenced(DEVELOPERS_PAGE.read_text(encoding="utf-8"), "layers")
    assert tuple(line.split()[0] for line in picture.splitlines()) == FOLDERS


def test_the_tables_on_the_page_are_those_of_the_application() -> None:
    """The page lists the names of all columns in the order in which the application creates them."""
    block = fenced(CONTRACT.read_text(encoding="utf-8"), "tables")
    flat = re.sub(r"UNIQUE\([^)]*\)|\(\d+\)|\(index\)", "", " ".join(block.split()))
    documented = {
        table: [column.split()[0] for column in body.split(",") if column.strip()]
        for table, body in re.findall(r'"?(\w+)"?\(([^)]*)\)', flat)
    }
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        schema.create(connection)
        assert documented == columns(connection)


def test_every_test_and_file_that_is_named_exists() -> None:
    """The tests and files that the page names exist, so that its table of situations can be used."""
    names = [name for name in in_backticks(TESTS.read_text(encoding="utf-8")) if name.startswith("tests/")]
    missing = []
    for name in names:
        path, _, test = name.partition("::")
        source = (ROOT / path).read_text(encoding="utf-8") if (ROOT / path).is_file() else ""
        if not re.search(rf"^def {test}\(" if test else "", source, re.MULTILINE) or not source:
            missing.append(name)
    assert not missing
    assert len([name for name in names if "::" in name]) >= 20


def test_every_folder_of_tests_is_documented() -> None:
    """The page describes each folder of tests: its content and its duration."""
    documented = set(re.findall(r"^\| `(\w+)` \|", TESTS.read_text(encoding="utf-8"), re.MULTILINE))
    assert documented == {path.parent.name for path in (ROOT / "tests").glob("*/__init__.py")}


def texts() -> Iterator[tuple[Path, str]]:
    """Yield the project's texts without this file, which contains the patterns."""
    for part in TEXTS:
        top = ROOT / part
        for path in [top] if top.is_file() else sorted(top.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts and path != Path(__file__):
                try:
                    yield path, path.read_text(encoding="utf-8")
                except UnicodeDecodeError:
                    continue  # a picture


def test_every_build_with_docker_names_the_containerfile() -> None:
    """Docker looks for a Dockerfile, and the project has none."""
    builds = [
        (path, command) for path, text in texts() for command in re.findall(r"docker build [^`\n]*", text)
    ]
    assert {path.relative_to(ROOT).as_posix() for path, _command in builds} >= {
        "README.md",
        "examples/LISEZMOI.md",
        "packaging/README.md",
    }
    assert [(path, command) for path, command in builds if " -f Containerfile " not in command] == []


def test_docker_and_podman_ignore_the_same_files() -> None:
    """Docker reads .dockerignore, Podman .containerignore; both files are one."""
    docker, podman = (ROOT / name for name in (".dockerignore", ".containerignore"))
    assert docker.read_text(encoding="utf-8") == podman.read_text(encoding="utf-8")
    assert docker.is_symlink() or not (ROOT / ".git").exists()  # an archive may have a copy instead


def test_every_promise_that_is_cited_is_on_the_page() -> None:
    """Each promise that code or tests cite by number is on the page."""
    documented = [
        int(number)
        for number in re.findall(r"^(\d+)\. \*\*", DEVELOPERS_PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert documented == list(range(1, PROMISES + 1))
    cited = {
        int(number)
        for _path, text in texts()
        for pair in PROMISE_CITATION.findall(text)
        for number in pair
        if number
    }
    assert cited
    assert cited <= set(documented)


def test_nothing_cites_a_page_that_lies_elsewhere() -> None:
    """The project cites nothing outside it, because a reader may have only the project."""
    assert [
        f"{path}: {citation[0]}" for path, text in texts() if (citation := OUTSIDE_CITATION.search(text))
    ] == []


@pytest.mark.parametrize(
    "text", ["see shared/x", "the facts page", "issue 13", "as house.md says", "the issue"]
)
def test_a_page_that_lies_elsewhere_is_found(text: str) -> None:
    """The rule finds a citation in each sample, so that no finding in the project means something."""
    assert OUTSIDE_CITATION.search(text)
