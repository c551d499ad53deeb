"""The pages of the built site."""

from pathlib import Path

PAGES = [f"{folder}/{name}.html" for folder in ("guide/en", "zh-TW") for name in (
    "index", "residual", "transformer", "regularization", "regularized-transformer", "summary", "your-model",
    "frameworks",
)]  # fmt: skip


def everything(site: Path) -> list[Path]:
    """Return all pages, but the one for addresses that are not there, which a site on a disk never shows."""
    return [page for page in sorted(site.rglob("*.html")) if page.name != "404.html"]
