"""Isolation while many users switch, fail, are cancelled and lose their sessions."""
