"""What tests share: the registry of everything, objects to test, and where things lie."""
