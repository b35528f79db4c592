"""What a person starts: command line, configuration, plan, runner and executor."""
