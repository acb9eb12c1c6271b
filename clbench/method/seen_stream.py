"""The stream that a strategy asks for."""

from __future__ import annotations

from clbench.method.strategy import Strategy
from clbench.stream.merged_sessions import accumulated, merged
from clbench.stream.stream import Stream


def as_seen_by(strategy: Strategy, stream: Stream) -> Stream:
    """Return the stream in the form that the strategy asks for: merged, accumulated, or as it is."""
    if strategy.static:
        return merged(stream)
    return accumulated(stream) if strategy.cumulative else stream
