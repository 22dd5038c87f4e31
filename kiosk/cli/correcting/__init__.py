"""Commands that put right what went out wrong."""
