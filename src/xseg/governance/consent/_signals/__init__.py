"""Privacy signals of browsers and banners, read to the bit."""
