"""Tophand passes every check, for each pair of client dialect and upstream."""

import asyncio
import os
import random
import unittest

import conform
import tophand_target
from shapes import DIALECTS, UPSTREAMS

SEED = int(os.environ.get("CONFORMANCE_SEED", random.randrange(1 << 32)))
SWEEP_STEP = 97


class TophandTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        print(f"seed {SEED} (CONFORMANCE_SEED repeats it)", flush=True)
        _, cls.results = asyncio.run(tophand_target.score(DIALECTS, UPSTREAMS, SWEEP_STEP, SEED))
        print(conform.table(cls.results), flush=True)


def add_test(dialect, upstream):
    def test(self):
        cells = self.results[dialect, upstream]
        self.assertEqual({identity: cell.problems for identity, cell in cells.items() if cell.problems}, {})
        self.assertGreater(conform.count(cells)[0], 25)
    setattr(TophandTest, f"test_{dialect}_clients_of_{upstream}_upstreams", test)


for client in DIALECTS:
    for server in UPSTREAMS:
        add_test(client, server)

if __name__ == "__main__":
    unittest.main()
