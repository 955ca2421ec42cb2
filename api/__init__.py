"""The doors: whatever opens a socket, reads the command line or the environment."""
