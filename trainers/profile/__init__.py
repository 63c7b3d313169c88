"""Where the time of a training step goes: measured stage by stage, said in one sentence, drawn in one figure."""
