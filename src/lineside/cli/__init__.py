"""The `lineside` command: parse ► client ► print. It starts the other rooms as processes and never imports them."""
