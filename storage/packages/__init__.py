"""File formats of content packages: QTI 3.0 and Common Cartridge, as pure functions without tables."""
