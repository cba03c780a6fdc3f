"""Search and near-duplicates: arrays against what is computed plainly, files by the packaged model."""
