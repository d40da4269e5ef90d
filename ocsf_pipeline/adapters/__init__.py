"""One file per outside system; each implements a port."""
