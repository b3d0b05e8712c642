"""Speed of mmocc's parts, each against its floor or rival in one run."""
