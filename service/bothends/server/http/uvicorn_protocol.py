"""uvicorn's HTTP/1.1 protocol, with a fix for malformed bytes that arrive while an answer is still to be sent."""

from h11 import CLOSED, DONE, ERROR, MUST_CLOSE, SEND_BODY, SEND_RESPONSE
from uvicorn.protocols.http.h11_impl import H11Protocol


class AnsweringProtocol(H11Protocol):
    """Connection that answers all complete requests even if malformed bytes follow; it closes after the last answer.

    uvicorn's own protocol would try to send 400 in place of that answer, and fail.
    """

    _is_over = False
    """True once no more is read."""

    def data_received(self, data: bytes) -> None:
        """Parse further bytes, unless earlier ones were malformed."""
        if not self._is_over:
            super().data_received(data)

    def send_400_response(self, msg: str) -> None:
        """Answer 400 to malformed bytes if no other answer is to be sent, and in any case stop reading."""
        self._is_over = True
        state = self.conn.our_state
        if state in (DONE, MUST_CLOSE, CLOSED, ERROR):  # answered before its body had come
            self.transport.close()
        elif state is SEND_BODY or (state is SEND_RESPONSE and not self.cycle.more_body):
            self.cycle.keep_alive = False
        else:
            super().send_400_response(msg)
