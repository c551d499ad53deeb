"""Several processes that train one model: how they meet, what they share, and what is said when one is lost."""
