"""The outside world in small. Imports nothing of ours and talks to us over HTTP only; nothing of ours imports it."""
