"""Purchase incidence on the demo data, compared with other models."""
