"""NodeImages as releases of Prewarm wrote them, kept as input for the tests of every later one; see README.md."""
