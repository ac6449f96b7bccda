"""Single-image super-resolution: networks of five student reports as Hub models."""

__version__ = "0.1.0"
