"""Threads that take customers from a queue, or a pool of processes; each with its own connection."""

import queue
import threading
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from .customers import Customer
from .report import Report, write_report
from .store import Store

try:
    from assay import tag
except ImportError:

    def tag(**labels: object) -> AbstractContextManager[object]:
        """Without assay: no labels."""
        return nullcontext()


def work(todo: "queue.Queue[Customer]", done: "queue.Queue[Report]", database: Path, directory: Path, day: str):
    store = Store(database)
    try:
        while True:
            try:
                customer = todo.get_nowait()
            except queue.Empty:
                return
            with tag(customer=customer.name):
                done.put(write_report(store, customer.name, day, directory))
    finally:
        store.close()


def one(database: Path, directory: Path, day: str, customer: Customer) -> Report:
    """A customer's report, in a process of a pool."""
    store = Store(database)
    try:
        with tag(customer=customer.name):
            return write_report(store, customer.name, day, directory)
    finally:
        store.close()


def run_pool(database: Path, directory: Path, day: str, customers: list[Customer], processes: int) -> list[Report]:
    """As `run`, in processes."""
    with ProcessPoolExecutor(processes) as pool:
        asked = [pool.submit(one, database, directory, day, customer) for customer in customers]
        return [each.result() for each in asked]


def run(database: Path, directory: Path, day: str, customers: list[Customer], workers: int) -> list[Report]:
    """The reports of all customers, in the order of `customers`."""
    todo: queue.Queue[Customer] = queue.Queue()
    done: queue.Queue[Report] = queue.Queue()
    for customer in customers:
        todo.put(customer)
    threads = [
        threading.Thread(target=work, args=(todo, done, database, directory, day), name=f"worker-{n}")
        for n in range(1, workers + 1)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    reports = {report.customer: report for report in (done.get() for _ in customers)}
    return [reports[customer.name] for customer in customers]
