"""Opens encoders' files, and shows what they consist of and what they compute on the way."""
