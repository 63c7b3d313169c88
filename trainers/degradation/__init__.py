"""What models lose on datasets that they have not seen."""
