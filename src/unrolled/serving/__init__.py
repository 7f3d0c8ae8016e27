"""The server: live sessions, predictions and their limits. It needs the extra [serve]."""
