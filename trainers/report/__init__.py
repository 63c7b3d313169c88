"""The report: run folders and a sweep's trials in, one self-contained HTML page out."""
