"""One suite per port, run over the fake and every adapter."""
