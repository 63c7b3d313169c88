import multiprocessing
import signal
from collections.abc import Iterator
from multiprocessing.connection import Connection

import pytest

from dataengine.processes import interrupts_held

pytestmark = pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="no signal masks here")


@pytest.fixture
def python_answers() -> Iterator[None]:
    """A library that ran in this process before, such as Ray Train, may have left a handler of its own."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def _masked(pipe: Connection) -> None:
    pipe.send(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ()))


def test_a_process_is_deaf_to_interrupts_before_its_first_import() -> None:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_masked, args=(theirs,))
    with interrupts_held():
        process.start()
    try:
        assert ours.recv()
    finally:
        process.join()


@pytest.mark.usefixtures("python_answers")
def test_an_interrupt_while_processes_start_is_answered_afterwards() -> None:
    answered: list[str] = []

    def start() -> None:
        with interrupts_held():
            signal.raise_signal(signal.SIGINT)
            answered.append("not yet")

    with pytest.raises(KeyboardInterrupt):
        start()
    assert answered == ["not yet"]
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
