from tally.invoice import Line, total


def test_total_is_rounded_to_cents():
    assert total([Line("Tea", 2.5, 4)], discount=0.1) == 9.0
