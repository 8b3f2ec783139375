"""How fast are the decoders, next to what others use and to what the processor can do? Run with ``make bench``."""
