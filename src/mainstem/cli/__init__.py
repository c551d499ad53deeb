"""The command line: one file for each command. torch is imported late, so that help and refusals come at once."""
