"""Who may do what: join tokens, certificates, access tokens; and the events that say what happened."""
