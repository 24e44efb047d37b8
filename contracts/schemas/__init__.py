"""JSON Schemas generated from the models (`make schemas`)."""
