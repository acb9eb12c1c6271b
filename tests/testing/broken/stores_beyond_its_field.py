"""A field `memory` that is not the memory."""

from clbench import Replay
from clbench.nn.memory import Memory


class StoresBeyondItsField(Replay):
    """Shows tables a small memory and makes a large one."""

    def make_memory(self) -> Memory:
        return Memory(10 * self.memory)
