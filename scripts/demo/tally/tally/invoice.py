"""Invoice lines and their total."""

from dataclasses import dataclass


@dataclass
class Line:
    name: str
    price: float
    count: int


def total(lines, discount=0.0):
    """The sum of all lines after a discount between 0 and 1."""
    amount = sum(line.price * line.count for line in lines)
    return round(amount - amount * discount)
