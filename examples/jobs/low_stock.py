"""An alert by mail when wines run out: CAVECRON_JOBS=/jobs/low_stock.py, then `cavecron run low_stock`."""

from cavecron import Run, job

#: To whom, and from how many bottles on.
TO = "marie@example.org"
AT_MOST = 2


@job("low_stock", title="alerte de stock bas", day="mon", hour=9, minute=0)
def low_stock(run: Run) -> str:
    """Look for them; SCHEDULER_LOW_STOCK_* says when, and what is returned is the run's summary."""
    with run.database.reading() as connection:
        rows = connection.execute(
            "SELECT name, quantity FROM wine WHERE quantity BETWEEN 1 AND ? ORDER BY quantity, name",
            (AT_MOST,),
        ).fetchall()
    run.check()
    if rows:
        lines = [f"{name} : {quantity}" for name, quantity in rows]
        run.send(
            to=TO, subject="Stock bas", text="Il ne reste presque plus de :\n\n" + "\n".join(lines) + "\n"
        )
    return f"{len(rows)} vins presque épuisés"
