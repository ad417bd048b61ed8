"""One file a module of the package, in the same folders."""
