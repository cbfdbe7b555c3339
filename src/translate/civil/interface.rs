//! Schemas of the published interface, made of the mapping files and the catalogue.
