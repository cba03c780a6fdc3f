"""The native CPU engine: skipped where bothends-native isn't built (`make native`)."""
