"""Files of weights to their tensors and the plain data beside them; nothing in a file is ever run."""
