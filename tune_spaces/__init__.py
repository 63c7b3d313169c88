"""Search spaces as plain Python, one file a task, and the sweep that runs them on Ray Tune."""
