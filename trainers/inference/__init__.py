"""A finished run at work on files: answers, timelines, exported models."""
