"""Files as documents: one module a format. All of it runs in a child process (`child`), for parsers crash and bombs grow."""
