"""What the scorer is worth, in numbers that can be had again: sections of docs/results.md, a module each.

A section is a module with `section(progress) -> str`: Markdown that begins with its `## ` heading, the same for the
same code and seeds. It may have `quick(progress) -> str`, a small part in seconds, and `SEEDS`, its seeds in words.

Reading order: sections, page, running, __main__; learning_campaigns, learning_truth, learning_world, policies;
predicted_value, earning, worlds; the other sections.
"""
