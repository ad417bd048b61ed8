"""The jobs: built-in ones, and how one of your own is declared."""
