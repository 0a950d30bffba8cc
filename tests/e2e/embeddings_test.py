"""Embeddings of a local model, through the three routes that give them."""

import base64
import math
import struct
import unittest

from harness import Stage

TEXTS = ["How do I cut a release?", "A different text, about cats."]


def length(vector):
    return math.sqrt(sum(value * value for value in vector))


class EmbeddingsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stage = Stage()
        cls.addClassCleanup(cls.stage.close)
        cls.gateway = cls.stage.gateway(config="context_tokens = 256\n")
        cls.gateway.worker_pid()

    def ask(self, path, body, status=200):
        answer = self.gateway.post(path, {"model": "local", **body})
        self.assertEqual(answer.status, status, answer.body)
        return answer

    def test_openai_gives_unit_vectors_as_numbers_or_base64(self):
        answer = self.ask("/v1/embeddings", {"input": TEXTS})
        value = answer.json()
        self.assertEqual(value["object"], "list")
        self.assertEqual([item["index"] for item in value["data"]], [0, 1])
        first = value["data"][0]["embedding"]
        self.assertAlmostEqual(length(first), 1, places=5)
        self.assertNotEqual(first, value["data"][1]["embedding"])
        self.assertEqual(value["usage"]["prompt_tokens"], value["usage"]["total_tokens"])
        self.assertEqual(answer.headers["x-tophand-backend"], "local")
        coded = self.ask("/v1/embeddings", {"input": TEXTS[0], "encoding_format": "base64"}).json()
        raw = base64.b64decode(coded["data"][0]["embedding"], validate=True)
        self.assertEqual(list(struct.unpack(f"<{len(first)}f", raw)),
                         list(struct.unpack(f"<{len(first)}f", struct.pack(f"<{len(first)}f", *first))))

    def test_ollama_gives_the_same_vectors(self):
        want = self.ask("/v1/embeddings", {"input": TEXTS}).json()
        got = self.ask("/api/embed", {"input": TEXTS}).json()
        self.assertEqual(got["embeddings"], [item["embedding"] for item in want["data"]])
        self.assertEqual(got["prompt_eval_count"], want["usage"]["prompt_tokens"])
        self.assertGreater(got["total_duration"], 0)
        old = self.ask("/api/embeddings", {"prompt": TEXTS[0]}).json()["embedding"]
        self.assertGreater(abs(length(old) - 1), 0.01)  # as the model gives it
        for a, b in zip(old, got["embeddings"][0]):
            self.assertAlmostEqual(a / length(old), b, places=5)

    def test_dimensions_cut_and_normalise_again(self):
        whole = self.ask("/api/embed", {"input": TEXTS[0]}).json()["embeddings"][0]
        for path in ("/api/embed", "/v1/embeddings"):
            value = self.ask(path, {"input": TEXTS[0], "dimensions": 8}).json()
            cut = value["embeddings"][0] if "embeddings" in value else value["data"][0]["embedding"]
            self.assertEqual(len(cut), 8)
            for a, b in zip(cut, whole):
                self.assertAlmostEqual(a, b / length(whole[:8]), places=5)
        self.assertIn("dimensions", self.ask("/v1/embeddings", {"input": "a", "dimensions": 100_000},
                                             400).json()["error"]["message"])

    def test_nothing_to_embed_loads_the_model(self):
        for body in ({}, {"input": ""}, {"input": []}):
            self.assertEqual(self.ask("/api/embed", body).json(), {"model": "local", "embeddings": []})
        self.assertEqual(self.ask("/api/embeddings", {"prompt": ""}).json(), {"embedding": []})

    def test_a_text_that_does_not_fit_is_cut_only_where_ollama_says_so(self):
        long = "word " * 1000
        cut = self.ask("/api/embed", {"input": [long, "short"]})
        self.assertEqual(cut.headers["x-tophand-truncated"], "1")
        self.assertNotIn("x-tophand-truncated", self.ask("/api/embed", {"input": "short"}).headers)
        refused = self.ask("/api/embed", {"input": long, "truncate": False}, 400).json()["error"]
        self.assertIn("the input length exceeds the context length", refused)
        self.assertRegex(refused, r"\d+ tokens > 256 maximum")
        error = self.ask("/v1/embeddings", {"input": long}, 400).json()["error"]
        self.assertEqual(error["code"], "context_length_exceeded")

    def test_what_is_wrong_is_refused(self):
        answer = self.gateway.post("/api/embed", {"model": "nope:1b", "input": "a"})
        self.assertEqual((answer.status, answer.json()["error"]),
                         (404, 'model "nope:1b" not found, try pulling it first'))
        answer = self.gateway.post("/v1/embeddings", {"model": "text-embedding-3-small", "input": "a"})
        self.assertEqual(answer.status, 404)
        self.ask("/v1/embeddings", {"input": [1, 2, 3]}, 400)
        self.assertEqual(self.ask("/api/embed", {"input": 7}, 400).json()["error"], "invalid input type")

    def test_each_has_a_ledger_row(self):
        answer = self.ask("/v1/embeddings", {"input": TEXTS})
        (row,) = self.gateway.rows(answer.headers["x-request-id"])
        self.assertEqual((row["backend"], row["task_class"], row["outcome"]),
                         ("local", "embedding", "done"))
        self.assertEqual(row["input_tokens"], answer.json()["usage"]["prompt_tokens"])
        self.assertEqual(row["output_tokens"], 0)

    def test_a_chat_before_and_after_is_not_disturbed(self):
        body = {"model": "local", "stream": False, "options": {"num_predict": 8, "temperature": 0},
                "messages": [{"role": "user", "content": "Say something."}]}
        before = self.gateway.post("/api/chat", body).json()["message"]
        self.ask("/api/embed", {"input": TEXTS})
        self.assertEqual(self.gateway.post("/api/chat", body).json()["message"], before)


if __name__ == "__main__":
    unittest.main()
