"""bothends-native: skipped where it isn't built (`make native`)."""
