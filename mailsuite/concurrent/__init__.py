"""Who owns running work: coroutines and threads."""
