"""Files of weights, and what is hostile or damaged among them."""
