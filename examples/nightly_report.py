"""Writes a day's reports for every customer, as a nightly job would. It is slower than it should be: why?

    assay run examples/nightly_report.py
    assay report --by tag
    assay report --callers build_lookup
    assay run examples/nightly_report.py --processes    then: assay report --by process

The program is in nightly/. It needs nothing but the standard library; with assay importable, each customer's
share is told apart.
"""

import argparse
import tempfile
from pathlib import Path

from nightly import customers, store, worker

DAY = "2026-11-21"


def main() -> None:
    parser = argparse.ArgumentParser(description="Write a day's reports for every customer.")
    parser.add_argument("--workers", type=int, default=4, help="threads, or processes (default: 4)")
    parser.add_argument("--processes", action="store_true", help="a pool of processes in place of threads")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory(prefix="nightly-") as scratch:
        database = Path(scratch) / "orders.db"
        store.create(database, customers.CUSTOMERS, DAY)
        run = worker.run_pool if options.processes else worker.run
        reports = run(database, Path(scratch), DAY, customers.CUSTOMERS, options.workers)

    total = sum(report.total_cents for report in reports)
    orders = sum(report.orders for report in reports)
    largest = max(reports, key=lambda report: report.orders)
    print(f"{DAY}: {len(reports)} reports, {orders} orders, {total / 100:,.2f} EUR")
    print(f"largest: {largest.customer}, {largest.orders} orders, {largest.total_cents / 100:,.2f} EUR")


if __name__ == "__main__":
    main()
