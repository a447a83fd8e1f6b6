"""Write content packages: the same formats the other way round, from plain values, strict where reading is lenient."""
