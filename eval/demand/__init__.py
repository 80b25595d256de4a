"""Purchase incidence on the demo data, beside peers."""
