"""What the knowledge base should hold and holds: chunks, packs, labelled examples, versions."""
