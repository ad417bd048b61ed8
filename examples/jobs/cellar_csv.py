"""The cellar as a CSV file a week, beside the database: CAVECRON_JOBS=/jobs/cellar_csv.py."""

import csv

from cavecron import Run, job

#: How many files are kept.
KEPT = 8
COLUMNS = ("cave", "vin", "bouteilles", "entré le")


@job("cellar_csv", title="export de la cave en CSV", cron="30 4 * * sun")
def cellar_csv(run: Run) -> str:
    """Write /data/exports/cave-2026-11-29.csv; a run that is taken up again writes the same file anew."""
    with run.database.reading() as connection:
        rows = connection.execute(
            "SELECT cellar.name, wine.name, wine.quantity, substr(wine.created_at, 1, 10)"
            " FROM wine JOIN cellar ON cellar.id = wine.cellar_id ORDER BY cellar.name, wine.name"
        ).fetchall()
    run.check()
    folder = run.database.path.parent / "exports"
    folder.mkdir(exist_ok=True)
    name = f"cave-{run.planned.astimezone(run.settings.zone):%Y-%m-%d}.csv"
    with (folder / name).open("w", encoding="utf-8-sig", newline="") as file:  # sig: Excel reads accents
        csv.writer(file, delimiter=";").writerows([COLUMNS, *rows])
    for old in sorted(folder.glob("cave-*.csv"))[:-KEPT]:
        old.unlink()
    return f"{name} : {len(rows)} vins"
