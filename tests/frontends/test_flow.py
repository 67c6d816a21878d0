"""Back-pressure of one connection, whoever writes."""

from __future__ import annotations

from mailsuite.frontends.flow import MAX_WAITING_INPUT, Flow


class Transport:
    """Remembers whether it is read, and who writes to it."""

    def __init__(self) -> None:
        self.reads = True
        self.producer: object = None

    def registerProducer(self, producer: object, streaming: bool) -> None:
        assert self.producer is None
        self.producer = producer

    def unregisterProducer(self) -> None:
        self.producer = None

    def pauseProducing(self) -> None:
        self.reads = False

    def resumeProducing(self) -> None:
        self.reads = True


def test_input_that_waits_is_counted_on_while_another_writes() -> None:
    """Else each message that the kernel sends would let the client pipeline as much again."""
    transport, flow = Transport(), Flow(lambda: None)
    flow.attach(transport)
    flow.took(MAX_WAITING_INPUT + 1)
    flow.step_aside()
    assert (transport.reads, transport.producer) == (False, None)
    flow.attach(transport)
    assert (transport.reads, transport.producer) == (False, flow)
    flow.caught_up()
    assert transport.reads


def test_input_flows_where_nobody_writes_any_more() -> None:
    transport, flow = Transport(), Flow(lambda: None)
    flow.attach(transport)
    flow.took(MAX_WAITING_INPUT + 1)
    flow.pauseProducing()
    for _ in range(2):
        flow.detach()
        assert (transport.reads, transport.producer, flow.choked) == (True, None, False)
