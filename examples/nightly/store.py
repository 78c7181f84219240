"""Orders and price lists in SQLite."""

import random
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .customers import Customer

SCHEMA = """
CREATE TABLE price (customer TEXT, article TEXT, cents INTEGER);
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT, day TEXT);
CREATE TABLE line (order_id INTEGER, article TEXT, quantity INTEGER);
CREATE INDEX price_of ON price (customer);
CREATE INDEX orders_of ON orders (customer, day);
CREATE INDEX lines_of ON line (order_id);
"""

LINES_PER_ORDER = 3


@dataclass(frozen=True)
class Price:
    article: str
    cents: int


@dataclass(frozen=True)
class Line:
    article: str
    quantity: int


def create(path: Path, customers: list[Customer], day: str) -> None:
    """Fill a new database with the day's orders: the same ones every time."""
    db = sqlite3.connect(path)
    try:
        db.executescript(SCHEMA)
        for customer in customers:
            insert(db, customer, day)
        db.commit()
    finally:
        db.close()


def insert(db: sqlite3.Connection, customer: Customer, day: str) -> None:
    dice = random.Random(customer.name)
    articles = [f"{customer.name}-{n:05}" for n in range(customer.articles)]
    prices = [(customer.name, article, 50 + n * 7919 % 20_000) for n, article in enumerate(articles)]
    db.executemany("INSERT INTO price VALUES (?, ?, ?)", prices)
    for _ in range(customer.orders):
        cursor = db.execute("INSERT INTO orders (customer, day) VALUES (?, ?)", (customer.name, day))
        lines = [(cursor.lastrowid, dice.choice(articles), dice.randint(1, 9)) for _ in range(LINES_PER_ORDER)]
        db.executemany("INSERT INTO line VALUES (?, ?, ?)", lines)


class Store:
    """One connection. Not to be shared between threads."""

    def __init__(self, path: Path) -> None:
        self.db = sqlite3.connect(path)

    def close(self) -> None:
        self.db.close()

    def price_list(self, customer: str) -> list[Price]:
        rows = self.db.execute("SELECT article, cents FROM price WHERE customer = ?", (customer,))
        return [Price(*row) for row in rows]

    def orders(self, customer: str, day: str) -> list[int]:
        rows = self.db.execute("SELECT id FROM orders WHERE customer = ? AND day = ? ORDER BY id", (customer, day))
        return [row[0] for row in rows]

    def lines(self, order: int) -> Iterator[Line]:
        rows = self.db.execute("SELECT article, quantity FROM line WHERE order_id = ?", (order,))
        for row in rows:
            yield Line(*row)
