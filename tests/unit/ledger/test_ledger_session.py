"""A connection to the ledger that stays open during a mailing, whatever happens to the file meanwhile."""

import shutil
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from cavecron.database.sqlite import Database
from cavecron.errors import LeaseLostError
from cavecron.ledger.deliveries import Deliveries, DeliveryUpdate
from cavecron.ledger.runs import claim_manual
from cavecron.ledger.store import Ledger
from cavecron.ledger.tables import LedgerError
from tests.support.app_database import NOW, CellarFile

DELIVERIES = "SELECT recipient, state FROM cavecron_delivery ORDER BY recipient"


@dataclass(frozen=True)
class CountedDatabase(Database):
    """A database that keeps all its connections in a list."""

    connections: list[sqlite3.Connection] = field(default_factory=list)

    def connect(self) -> sqlite3.Connection:
        """Return a new connection."""
        connection = super().connect()
        self.connections.append(connection)
        return connection


@pytest.fixture
def deliveries(cellar: CellarFile) -> Deliveries:
    """Return the deliveries of a new run."""
    ledger = Ledger(database=CountedDatabase(cellar.path))
    return Deliveries(ledger=ledger, run=claim_manual(ledger, "report", (), NOW).run)


def connections(deliveries: Deliveries) -> list[sqlite3.Connection]:
    """Return the connections that were opened to the database."""
    database = deliveries.ledger.database
    assert isinstance(database, CountedDatabase)
    return database.connections


def test_many_transactions_use_one_connection(deliveries: Deliveries) -> None:
    """A session opens one connection for all its transactions, because opening takes longer than writing."""
    before = len(connections(deliveries))
    with deliveries.session():
        for number in range(10):
            deliveries.record(now=NOW, started=[str(number)])
        (connection,) = connections(deliveries)[before:]
        assert not connection.in_transaction
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")
    assert len(deliveries.previous()) == 10


def test_a_backup_that_is_restored_meanwhile_gets_the_next_writes(
    deliveries: Deliveries, cellar: CellarFile
) -> None:
    """The session notices the new file under the old name and writes into it, not into the replaced one."""
    backup = cellar.path.with_name("backup.db")
    with deliveries.session():
        shutil.copyfile(cellar.path, backup)
        deliveries.record(now=NOW, started=["1"])
        backup.replace(cellar.path)
        deliveries.record(now=NOW, started=["2"])
    with deliveries.ledger.database.reading() as restored:
        assert restored.execute(DELIVERIES).fetchall() == [("2", "sending")]


def test_a_ledger_of_a_later_version_is_refused_meanwhile_too(
    deliveries: Deliveries, cellar: CellarFile
) -> None:
    """The session notices that a newer cavecron has changed the ledger meanwhile."""
    with deliveries.session():
        deliveries.record(now=NOW, started=["1"])
        cellar.execute("UPDATE cavecron_ledger SET version = 99")
        with pytest.raises(LedgerError, match="plus récent"):
            deliveries.record(now=NOW, started=["2"])
    assert cellar.rows(DELIVERIES) == [("1", "sending")]


def test_tables_that_somebody_removes_meanwhile_are_created_again(
    deliveries: Deliveries, cellar: CellarFile
) -> None:
    """The session creates a missing table again; the run itself is in another table."""
    with deliveries.session():
        deliveries.record(now=NOW, started=["1"])
        cellar.execute("DROP TABLE cavecron_delivery")
        deliveries.record(now=NOW, finished={"1": DeliveryUpdate(state="sent")})
    assert cellar.rows(DELIVERIES) == [("1", "sent")]


def test_a_lost_lease_is_noticed_and_undoes_nothing_else(deliveries: Deliveries, cellar: CellarFile) -> None:
    """Each transaction checks that the run is still this process's; after an error the next one works."""
    with deliveries.session():
        cellar.execute("UPDATE cavecron_run SET owner = 'another'")
        with pytest.raises(LeaseLostError):
            deliveries.record(now=NOW, started=["1"])
        cellar.execute("UPDATE cavecron_run SET owner = ?", (deliveries.ledger.owner,))
        deliveries.record(now=NOW, started=["2"])
    assert cellar.rows(DELIVERIES) == [("2", "sending")]


def test_several_threads_share_the_open_connection(deliveries: Deliveries, cellar: CellarFile) -> None:
    """Threads share one connection, which is closed at the end of the last session."""
    before = len(connections(deliveries))

    def mail(number: int) -> None:
        with deliveries.session():
            for turn in range(5):
                deliveries.record(now=NOW, started=[f"{number}-{turn}"])

    with deliveries.session(), ThreadPoolExecutor(8) as threads:
        assert list(threads.map(mail, range(8))) == [None] * 8
        assert len(connections(deliveries)) == before + 1
    assert cellar.rows("SELECT count(*) FROM cavecron_delivery") == [(40,)]
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connections(deliveries)[-1].execute("SELECT 1")
