//! The engine from outside: files in, records, bins and refusals out.
