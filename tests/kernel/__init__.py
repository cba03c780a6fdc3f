"""The native CPU kernel: skipped where bothends-kernel isn't built (`make kernel`)."""
