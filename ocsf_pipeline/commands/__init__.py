"""What the command line does, one module per command, as functions that `cli` calls.

Belongs here: reading input, writing output, words for people. Does not belong here: options and
help texts (`cli`), anything that the stages or steps already do.
"""
