"""The steps of a build, each a function from tables to tables plus issues."""
