import multiprocessing
import signal
from multiprocessing.connection import Connection

import pytest

from dataengine.processes import interrupts_held

pytestmark = pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="no signal masks here")


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
