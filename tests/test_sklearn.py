"""`bothends.sklearn`: a transformer that scikit-learn's pipelines, searches and pickles take as one of their own."""

import pickle
import sys

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn isn't installed (make test-full)")

from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from bothends import Encoder
from bothends.model.bundle import Bundle
from bothends.sklearn import SentenceVectorizer
from tests.support.ran import ran

ABOUT_DOGS = ["a dog barks", "the dog runs", "two dogs play", "a puppy sleeps", "dogs chase a cat", "my dog is old"]
ABOUT_MONEY = ["the bank lends", "prices rise", "pay the bill", "interest is due", "money was lost", "sell the shares"]
SENTENCES, TOPICS = ABOUT_DOGS + ABOUT_MONEY, [0] * len(ABOUT_DOGS) + [1] * len(ABOUT_MONEY)


@pytest.fixture
def toy(toy_bundle: Bundle) -> SentenceVectorizer:
    return SentenceVectorizer(toy_bundle.path, device="cpu", workers=1)


def test_rows_are_the_encoders_of_length_1(toy: SentenceVectorizer, toy_bundle: Bundle) -> None:
    """Rows need no fit, and are the same of a list, an array and an iterator."""
    with Encoder.load(toy_bundle.path, device="cpu", workers=1) as encoder:
        expected = encoder.encode(SENTENCES, normalize=True)
    for given in (SENTENCES, np.array(SENTENCES, object), iter(SENTENCES)):
        assert np.array_equal(toy.transform(given), expected)
    assert np.array_equal(toy.fit_transform(SENTENCES, TOPICS), expected)


def test_a_copy_and_a_pickle_are_as_good(toy: SentenceVectorizer) -> None:
    """A pickle holds parameters and no model."""
    expected = toy.fit(SENTENCES).transform(SENTENCES)
    pickled = pickle.dumps(toy)
    assert len(pickled) < 2000
    for other in (clone(toy), pickle.loads(pickled)):  # noqa: S301  our own
        assert np.array_equal(other.transform(SENTENCES), expected)


def test_a_grid_search_varies_its_dimensions() -> None:
    """The packaged model in a pipeline tells dogs from money."""
    pipeline = make_pipeline(SentenceVectorizer(device="cpu", workers=1), LogisticRegression())
    search = GridSearchCV(pipeline, {"sentencevectorizer__dimensions": [64, None]}, cv=2)
    search.fit(SENTENCES, TOPICS)
    assert search.best_score_ > 0.9
    assert list(search.predict(["a hound howls", "the loan costs too much"])) == [0, 1]


def test_one_column_of_many(toy: SentenceVectorizer) -> None:
    """A table as a whole is refused, with the words that pick a column."""
    table = np.array([[sentence, "more"] for sentence in SENTENCES], object)
    columns = ColumnTransformer([("text", toy, 0)])
    assert np.array_equal(columns.fit_transform(table), toy.transform(SENTENCES))
    with pytest.raises(ValueError, match="pass one column of sentences: ColumnTransformer"):
        toy.transform(table)


def test_without_scikit_learn_it_says_what_to_install() -> None:
    code = "import sys; sys.modules['sklearn'] = sys.modules['sklearn.base'] = None\nimport bothends.sklearn"
    ended = ran(sys.executable, "-c", code)
    assert ended.stderr.endswith("bothends.sklearn needs scikit-learn: pip install 'bothends[sklearn]'\n")
