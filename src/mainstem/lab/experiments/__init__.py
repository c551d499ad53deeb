"""The claims of the textbook section, one file each. The catalogue lists them; nothing here is imported otherwise."""
