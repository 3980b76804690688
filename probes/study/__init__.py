"""Where the stages meet: an experiment becomes runs, a run becomes a curve."""
