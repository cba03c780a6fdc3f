"""Version 2. A process that has other Python messages of the same protocol, say tritonclient's, can't load these."""
