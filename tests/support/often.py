"""A residual that is called again and again, as what it leaves out is drawn."""


def often(residual, *args, **given):
    """Call a residual so often that one of its draws keeps some samples."""
    for _ in range(20):
        residual(*args, **given)
