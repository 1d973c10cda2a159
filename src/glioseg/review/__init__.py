"""The reader's desk: look at masks, correct and accept them in a local page, and lose nothing."""
