"""Repairs an examined ONNX encoder, and saves it after proving it correct."""
