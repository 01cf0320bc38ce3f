"""Trainers: one backend a file behind one Protocol (`base.Trainer`), found by entry point `lineside.trainers`."""
