"""What the site's pages are made of besides their text."""
