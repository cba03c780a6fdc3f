"""What sentences cost of a key's share in C++, and for how long: of a second's, and of those at once."""

from collections.abc import Callable

import pytest
from bothends_native import transport

from bothends.errors import QuotaError
from bothends.server.quota import KeyAccount, Quota
from bothends.v1.embedding_pb2 import EmbedRequest, EmbedResponse
from tests.support.until import TIMEOUT_S, gathered, until

from .fast import EMPTY, Fast, named, path_of
from .raw import ECHO
from .served import Served
from .test_called_encoder import DIMENSION, Called
from .test_shares import KEY, Holder, sha256


def test_a_key_that_rests_saves_a_second_and_no_more() -> None:
    """After an hour as much may come at once as after a second."""
    usage = transport.Usage(100.0, None, now=0.0)
    assert usage.take(101, 0, now=3600.0) is None
    assert usage.take(1, 0, now=3600.0) is not None


def test_long_texts_cost_more_of_a_second(serve: Callable[..., Served]) -> None:
    """One more for each 4,096 characters, which aren't bytes."""
    fast, rate = Fast(serve(), max_bytes=1 << 15), 0.001
    for sentence, cost in (("é" * 4095, 1), ("é " * 2048, 2), ("a " * 6144, 4)):
        holder = Holder(fast, Quota(sentences_per_s=rate))
        assert EmbedResponse.FromString(holder.ask(sentence)).embeddings
        with pytest.raises(QuotaError) as raised:
            holder.account.check()
        assert raised.value.retry_after_s == pytest.approx(cost / rate, abs=0.5 / rate)
    assert fast.taken == []
    fast.stop()


def test_a_share_is_held_until_its_own_models_run_has_ended(serve: Callable[..., Served]) -> None:
    """Those of a batch run one after the other: what waits for its run is in progress, and what was answered isn't."""
    served, account = serve(), KeyAccount(KEY, Quota(concurrent_sentences=3), create_usage=transport.Usage)
    served.transport.set_keys({sha256(KEY): account.usage})
    models, in_progress = (Called(), Called()), list[int]()
    for model in models:
        model.answers = lambda _: bool(gathered(in_progress, [account.in_progress]))
    codec = transport.Codec.embed(models=[named(name, dimension=DIMENSION) for name in ("", "other")], empty=EMPTY)
    path = path_of(served, *models, codec=codec)
    with served.channel() as channel:
        requests = (EmbedRequest(sentences=["a", "b"]), EmbedRequest(sentences=["man"], model="other"))
        calls = [
            channel.unary_unary(ECHO).future(
                request.SerializeToString(), timeout=TIMEOUT_S, metadata=(("authorization", f"Bearer {KEY}"),)
            )
            for request in requests
        ]
        until(lambda: served.figure("waiting") == len(calls))
        assert path.take_messages(0, 0.0, 0, 1) is not None
        assert [len(EmbedResponse.FromString(call.result()).embeddings) for call in calls] == [2, 1]
    assert (in_progress, account.in_progress) == ([3, 2], 0)
