"""One customer's report."""

from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from .lookup import build_lookup
from .store import Line, Store


@dataclass(frozen=True)
class Report:
    customer: str
    orders: int
    total_cents: int


def write_report(store: Store, customer: str, day: str, directory: Path) -> Report:
    prices = store.price_list(customer)
    orders = store.orders(customer, day)
    total_cents = 0
    with open(directory / f"{customer}-{day}.txt", "w") as out:
        for order in orders:
            lookup = build_lookup(prices)
            total_cents += write_order(out, order, store, lookup)
        write_total(out, total_cents)
    return Report(customer, len(orders), total_cents)


def write_order(out: TextIO, order: int, store: Store, lookup: dict[str, int]) -> int:
    cents = 0
    out.write(f"order {order}\n")
    for line in store.lines(order):
        amount = line_amount(line, lookup)
        out.write(f"  {line.article:<16} {line.quantity:>3} {amount / 100:>10.2f}\n")
        cents += amount
    return cents


def line_amount(line: Line, lookup: dict[str, int]) -> int:
    return line.quantity * lookup[line.article]


def write_total(out: TextIO, total_cents: int) -> None:
    out.write(f"total {total_cents / 100:>30.2f}\n")
