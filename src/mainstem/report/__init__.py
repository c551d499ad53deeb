"""What a run came to, as one HTML file that opens anywhere. Torch-free."""

from .page import write

__all__ = ["write"]
