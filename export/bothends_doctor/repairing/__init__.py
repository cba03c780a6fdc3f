"""Repairs an examined ONNX encoder, and saves it once it is proved right."""
