"""How a scan judges what it reads: one idea a file, nothing of a bundle imported, evaluated or unpickled."""
