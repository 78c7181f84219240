"""Who the reports are for. Customers differ very much in size, as they do."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Customer:
    name: str
    orders: int  # in a day
    articles: int  # in the price list agreed with them


CUSTOMERS = [
    Customer("acme", orders=2400, articles=16_000),
    Customer("globex", orders=500, articles=4_000),
    *(Customer(f"shop-{n:02}", orders=8 + n % 5, articles=300 + 40 * n) for n in range(1, 19)),
]
