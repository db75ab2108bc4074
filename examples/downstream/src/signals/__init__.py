"""Ops on signals, with hand-written derivatives."""
