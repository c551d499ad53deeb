"""Models that share weights, and the stream behind their blocks, for identities between forms."""

from variants import shaken, small

from mainstem import execute


def stream_of(model, x):
    state = model.stream.open(model.embedding(x))
    return execute.through(model.stream, model.blocks, state)


def closed(model, x):
    return model.stream.close(stream_of(model, x))


def sharing(residual, other="pre_norm", **changes):
    """Return a model of `residual` and one of `other` that share every weight both have, in float64."""
    plain = shaken(small(other, **changes)).double()
    model = small(residual, **changes).double()
    model.load_state_dict(plain.state_dict(), strict=False)
    return model, plain
