"""uvicorn's HTTP/1.1, but for what it does where bytes that it can't read come while an answer is owed."""

from h11 import CLOSED, DONE, ERROR, MUST_CLOSE, SEND_BODY, SEND_RESPONSE
from uvicorn.protocols.http.h11_impl import H11Protocol


class AnsweringProtocol(H11Protocol):
    """A connection whose whole requests are answered, whatever is sent behind them: the connection ends by that answer.

    uvicorn's own would say 400 in that answer's place, and then fail to say it.
    """

    _is_over = False
    """True once no more is read."""

    def data_received(self, data: bytes) -> None:
        """Read on, unless what came before is no HTTP."""
        if not self._is_over:
            super().data_received(data)

    def send_400_response(self, msg: str) -> None:
        """Say 400 to bytes that are no request, where no answer is on its way or owed; in any case, read no more."""
        self._is_over = True
        state = self.conn.our_state
        if state in (DONE, MUST_CLOSE, CLOSED, ERROR):  # answered before its body had come
            self.transport.close()
        elif state is SEND_BODY or (state is SEND_RESPONSE and not self.cycle.more_body):
            self.cycle.keep_alive = False
        else:
            super().send_400_response(msg)
