"""Tool calls of the default model on the own engine: read in the family's own form, checked, in every dialect."""

import unittest

from harness import installed_model
from real_cases import RealToolCases

MODEL = "qwen2.5-coder:1.5b"


class OwnEngineToolsTest(RealToolCases, unittest.TestCase):
    def open(self):
        if not installed_model(MODEL):
            self.skipTest(f"{MODEL} is not installed (tophand pull)")
        return self.rig.open(installed=MODEL), MODEL


if __name__ == "__main__":
    unittest.main()
