"""An examined ONNX encoder to a right one, proved before it is saved."""
