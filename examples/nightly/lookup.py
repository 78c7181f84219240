"""Prices by article."""

from .store import Price


def build_lookup(prices: list[Price]) -> dict[str, int]:
    return {price.article: price.cents for price in prices}
