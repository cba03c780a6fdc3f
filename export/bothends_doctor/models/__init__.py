"""Opens encoders' files, and shows what they are made of and what they compute on the way."""
