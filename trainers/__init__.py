"""From batches to predictions, from predictions to tables."""
