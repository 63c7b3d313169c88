"""Open-set attribution: whether a model notices a method that it was never shown."""
