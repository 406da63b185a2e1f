"""One function per command: opens what it needs, calls the rooms, owns resume and progress."""
