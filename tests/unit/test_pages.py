"""The pages inside the project are true: their names are in the source, nothing cites a page elsewhere."""

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

HOUSE, CONTRACT, TESTS = (ROOT / path / "README.md" for path in ("cavecron", "cavecron/appdb", "tests"))
PROMISES = 11

#: Words in backticks that are of SQL, JSON, Python, a shell or the French of a note.
OTHERS: dict[Path, frozenset[str]] = {
    HOUSE: frozenset(
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
#: Files that are the project's, and what they must not cite: a page, or a list of work, that lies elsewhere.
TEXTS = ("cavecron", "tests", "packaging", "examples", ".ci", "README.md", "CHANGELOG.md", "Containerfile")
ELSEWHERE = re.compile(
    r"\bshared/|\b(?:facts|design) page\b|\b(?:house|design|style|cave-a-vin)\.md\b|\bthe brief\b"
    r"|\bissues? \d|\bthe issues?\b",
    re.IGNORECASE,
)
CITED = re.compile(r"\bpromises? (\d+)(?:(?: to |-|, | and )(\d+))?", re.IGNORECASE)


def in_backticks(page: str) -> list[str]:
    """Return what stands in single backticks on a page, outside of its fenced blocks."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", page, flags=re.MULTILINE | re.DOTALL))


def fenced(page: str, tag: str) -> str:
    """Return the one fenced block with this tag."""
    (block,) = re.findall(rf"^```text {tag}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    return str(block)


def columns(connection: sqlite3.Connection) -> dict[str, list[str]]:
    """Return the columns of each table."""
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {
        table: [row[1] for row in connection.execute(f'PRAGMA table_info("{table}")')] for table in tables
    }


def stored_names() -> frozenset[str]:
    """Return tables, columns and indices of the application and of the ledger."""
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
    """Yield each name in backticks on a page that neither the source, nor a table, nor a variable has."""
    known = full_names() | stored_names() | known_names()
    allowed = OTHERS.get(page, frozenset()) | {
        *re.findall(r"^([A-Z]+)\b", (ROOT / "tests/unit/test_layers.py").read_text(), re.MULTILINE)
    }
    for name in in_backticks(page.read_text(encoding="utf-8")):
        if re.fullmatch(r"[\w.-]+(?:/[\w.-]+)+\.\w+", name):
            if not (ROOT / name).exists():
                yield name
        elif re.fullmatch(NAME, name) and name not in allowed and not is_known(name, known):
            yield name


@pytest.mark.parametrize("page", [HOUSE, CONTRACT], ids=["cavecron", "appdb"])
def test_every_name_on_the_page_is_in_the_source(page: Path) -> None:
    """Whoever renames a function finds the page that names it."""
    assert not list(unknown(page))


@pytest.mark.parametrize("page", [HOUSE, CONTRACT], ids=["cavecron", "appdb"])
def test_no_word_is_allowed_that_the_page_lacks(page: Path) -> None:
    """The list of other words is no place to hide what was renamed."""
    assert OTHERS[page] <= set(in_backticks(page.read_text(encoding="utf-8")))


@pytest.mark.parametrize("name", ["Scheduler._turn", "catch_up.look", "scan_twice", "wine.quality", "post"])
def test_a_name_that_is_gone_is_found(name: str, tmp_path: Path) -> None:
    """The rule is seen to find something before its silence means anything."""
    page = tmp_path / "README.md"
    page.write_text(f"`Scheduler` and `{name}`, `wine.quantity`", encoding="utf-8")
    assert list(unknown(page)) == [name]


def test_every_word_of_the_glossary_has_its_name_in_the_code() -> None:
    """A glossary without names would pass the rule above."""
    rows = re.search(r"^## Words\n(.*?)^## ", HOUSE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert rows
    words = [line.split("|") for line in rows[1].splitlines() if line.startswith("| ")][1:]
    assert len(words) >= 20
    assert all(in_backticks(word[3]) for word in words)


def test_the_picture_of_the_layers_is_that_of_the_test() -> None:
    """Each folder stands on it, in the order in which imports are allowed."""
    picture = fenced(HOUSE.read_text(encoding="utf-8"), "layers")
    assert tuple(line.split()[0] for line in picture.splitlines()) == FOLDERS


def test_the_tables_on_the_page_are_those_of_the_application() -> None:
    """Names and order of all columns, as its release creates them."""
    block = fenced(CONTRACT.read_text(encoding="utf-8"), "tables")
    flat = re.sub(r"UNIQUE\([^)]*\)|\(\d+\)|\(index\)", "", " ".join(block.split()))
    told = {
        table: [column.split()[0] for column in body.split(",") if column.strip()]
        for table, body in re.findall(r'"?(\w+)"?\(([^)]*)\)', flat)
    }
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        schema.create(connection)
        assert told == columns(connection)


def test_every_test_and_file_that_is_named_is_there() -> None:
    """The table of situations is of use only while it leads to the tests."""
    named = [name for name in in_backticks(TESTS.read_text(encoding="utf-8")) if name.startswith("tests/")]
    missing = []
    for name in named:
        path, _, test = name.partition("::")
        source = (ROOT / path).read_text(encoding="utf-8") if (ROOT / path).is_file() else ""
        if not re.search(rf"^def {test}\(" if test else "", source, re.MULTILINE) or not source:
            missing.append(name)
    assert not missing
    assert len([name for name in named if "::" in name]) >= 20


def test_every_folder_of_tests_is_told() -> None:
    """With what is in it, and how long it takes."""
    told = set(re.findall(r"^\| `(\w+)` \|", TESTS.read_text(encoding="utf-8"), re.MULTILINE))
    assert told == {path.parent.name for path in (ROOT / "tests").glob("*/__init__.py")}


def texts() -> Iterator[tuple[Path, str]]:
    """Yield the project's own texts, this file left out: it has to say what it looks for."""
    for part in TEXTS:
        top = ROOT / part
        for path in [top] if top.is_file() else sorted(top.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts and path != Path(__file__):
                try:
                    yield path, path.read_text(encoding="utf-8")
                except UnicodeDecodeError:
                    continue  # a picture


def test_every_promise_that_is_cited_is_on_the_page() -> None:
    """By its number, in code and tests."""
    told = [
        int(number)
        for number in re.findall(r"^(\d+)\. \*\*", HOUSE.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert told == list(range(1, PROMISES + 1))
    cited = {
        int(number) for _path, text in texts() for pair in CITED.findall(text) for number in pair if number
    }
    assert cited
    assert cited <= set(told)


def test_nothing_cites_a_page_that_lies_elsewhere() -> None:
    """Whoever has this project has all that it speaks of."""
    assert [f"{path}: {found[0]}" for path, text in texts() if (found := ELSEWHERE.search(text))] == []


@pytest.mark.parametrize(
    "text", ["see shared/x", "the facts page", "issue 13", "as house.md says", "the issue"]
)
def test_a_page_that_lies_elsewhere_is_found(text: str) -> None:
    """The rule is seen to find something before its silence means anything."""
    assert ELSEWHERE.search(text)
