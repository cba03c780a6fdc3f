"""Files of others, opened: what they are made of, and what they compute on the way."""
