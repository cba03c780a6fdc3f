"""Evaluators and utilities of sentence-transformers, on an encoder in this process; "all is well" is the last line."""

import sys

from sentence_transformers import util
from sentence_transformers.sentence_transformer import evaluation

import bothends

FIRST = ["A man is eating.", "A dog runs.", "The car is red.", "He plays guitar."]
SECOND = ["Someone eats food.", "A hound is running.", "It rains today.", "A man plays an instrument."]
OTHERS = ["Stock prices fell.", "Cheese is tasty.", "A dog sleeps.", "Snow on the hills."]
ALL = dict(enumerate(FIRST + SECOND + OTHERS))

encoder = bothends.Encoder.load()
queries, relevant = {"eats": "Who eats?", "dog": "What does the dog do?"}, {"eats": {"0", "4"}, "dog": {"1", "5"}}
samples = [{"query": "Who eats?", "positive": FIRST[:1], "negative": OTHERS}]
scores = [0.8, 0.9, 0.1, 0.9]
found = {
    "pairs": evaluation.EmbeddingSimilarityEvaluator(FIRST, SECOND, scores)(encoder)["pearson_cosine"],
    "shortened": evaluation.EmbeddingSimilarityEvaluator(FIRST, SECOND, scores, truncate_dim=64)(encoder)[
        "pearson_cosine"
    ],
    "triplets": evaluation.TripletEvaluator(FIRST, SECOND, OTHERS)(encoder)["cosine_accuracy"],
    "classes": evaluation.BinaryClassificationEvaluator(FIRST * 2, SECOND + OTHERS, [1, 1, 0, 1] + [0] * 4)(encoder)[
        "cosine_ap"
    ],
    "search": evaluation.InformationRetrievalEvaluator(queries, {str(n): text for n, text in ALL.items()}, relevant)(
        encoder
    )["cosine_mrr@10"],
    "ranks": evaluation.RerankingEvaluator(samples)(encoder)["map"],
    "translations": evaluation.TranslationEvaluator(FIRST, SECOND)(encoder)["mean_accuracy"],
    "paraphrases": evaluation.ParaphraseMiningEvaluator(
        {str(n): text for n, text in ALL.items()}, [("0", "4"), ("1", "5")]
    )(encoder)["average_precision"],
    "itself": 1 + evaluation.MSEEvaluator(FIRST, FIRST, teacher_model=encoder)(encoder)["negative_mse"],
}
sys.stdout.write(f"{found}\n")
assert min(found.values()) > 0.9
assert {tuple(row) for _, *row in util.paraphrase_mining(encoder, list(ALL.values()))[:2]} == {(1, 5), (0, 4)}
tensors = [encoder.encode(texts, convert_to_tensor=True) for texts in (FIRST, SECOND)]
assert [hits[0]["corpus_id"] for hits in util.semantic_search(*tensors)[:2]] == [0, 1]
assert util.community_detection(
    encoder.encode(FIRST + SECOND, convert_to_tensor=True), threshold=0.5, min_community_size=2
)
sys.stdout.write("all is well\n")
