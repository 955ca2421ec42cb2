"""The rules of charging and its money. Knows Python, SQLModel and time; nothing of networks."""
