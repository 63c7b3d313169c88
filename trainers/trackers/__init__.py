"""Where a training's numbers can be followed: one file each, chosen by name in `trainers.logbook`."""
