"""How a session is scored where its scores do not fit into memory."""
