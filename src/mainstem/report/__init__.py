"""What runs came to, as HTML files that open anywhere. Torch-free."""

from .page import write
from .several import write as compare

__all__ = ["compare", "write"]
